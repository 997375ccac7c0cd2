"""`python -m zoo` and the `zoo` command: errors are one readable message; see `zoo.process`."""

from __future__ import annotations

import functools
import os
import sys


def main() -> None:
    """Run the command line."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow greets on stderr otherwise
    from zoo.cli import app
    from zoo.gpu import grow_memory
    from zoo.process import ended, run

    grow_memory()
    command = functools.partial(app, prog_name="zoo")
    own = sys.argv[: sys.argv.index("--")] if "--" in sys.argv else sys.argv
    if "--debug" in own:  # not that of a command that is launched
        sys.argv.remove("--debug")
        run(command)
        return
    raise SystemExit(ended(command))


if __name__ == "__main__":
    main()
