"""`python -m zoo` and the `zoo` command: errors are one readable message, exit code 1."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow greets on stderr otherwise
    from zoo.cli import app
    from zoo.errors import ZooError

    debug = "--debug" in sys.argv
    if debug:
        sys.argv.remove("--debug")
    try:
        app()
    except ZooError as error:
        if debug:
            raise
        print(f"zoo: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except BrokenPipeError:  # `zoo predict ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except KeyboardInterrupt:
        print("zoo: interrupted.", file=sys.stderr)
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
