"""Write `zoo/__init__.pyi`, what type checkers and editors know of the public names.

    python tests/write_stub.py

`test_builders.py` fails while it is not what this writes.
"""

import inspect
import re
import textwrap
from pathlib import Path

import zoo
from zoo.preset.schemas import architectures

PATH = Path(zoo.__file__).with_name("__init__.pyi")
WIDTH = 100  # of a line
HEAD = '''\
"""The public names of the zoo; written by `python tests/write_stub.py`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

'''


def stub() -> str:
    """Return the text of the stub: an import a public name, a signature a builder."""
    homes = dict(sorted(zoo._HOMES.items(), key=lambda item: (item[1], item[0])))
    imports = [f"from {module} import {name} as {name}" for name, module in homes.items()]
    imports.append("from zoo.training.model import TrainingModel")
    builders = [declaration(getattr(zoo, name)) for name in architectures()]
    return HEAD + "\n".join([*sorted(imports), "", "__version__: str", "", *builders])


def declaration(builder) -> str:
    """Return the signature and the docstring of a builder."""
    signature = inspect.signature(builder)
    preset, *others = map(argument, signature.parameters.values())
    return "\n".join(
        [
            f"def {builder.__name__}(", preset, "    *,", *others, ") -> TrainingModel:",
            textwrap.indent(f'"""{builder.__doc__}\n"""\n', "    "),
        ]
    )  # fmt: skip


def argument(parameter: inspect.Parameter) -> str:
    """Return the line of an argument; of many words one line each, as ruff has them."""
    kind = spelled(parameter.annotation)
    line = f"    {parameter.name}: {kind} = {spelled(parameter.default)},"
    if len(line) > WIDTH:
        words, rest = re.fullmatch(r"Literal\[(.*)\](.*)", kind).groups()
        lines = "".join(f"        {word},\n" for word in words.split(", "))
        kind = f"Literal[\n{lines}    ]\n   {rest}"
        line = f"    {parameter.name}: {kind} = {spelled(parameter.default)},"
    return line


def spelled(value: object) -> str:
    """Return a type or a default as it is written in code."""
    if isinstance(value, str):
        return f'"{value}"'
    text = re.sub(r"\b(typing|pathlib|collections\.abc)\.", "", inspect.formatannotation(value))
    return re.sub(r"^Optional\[(.*)\]$", r"\1 | None", text).replace("'", '"')


if __name__ == "__main__":
    PATH.write_text(stub(), encoding="utf-8")
