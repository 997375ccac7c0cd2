"""Docstrings: their examples run, and every argument of a call with three or more is explained."""

import contextlib
import dataclasses
import doctest
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np
import pydantic
import pytest

import zoo
from zoo.tasks.task import Predictor, Task

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(zoo.__path__, "zoo.")
    if not module.name.startswith(("zoo._presets", "zoo.__main__"))
)
# What every task and its predictor has, is explained where it is asked of them.
PROTOCOLS = (Predictor, Task)


def defined_in(module: ModuleType) -> list[tuple[str, Any]]:
    return [
        (name, value)
        for name, value in vars(module).items()
        if getattr(value, "__module__", None) == module.__name__
    ]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_docstrings_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = {"zoo": zoo, "keras": keras, "np": np}
    finder = doctest.DocTestFinder(exclude_empty=True)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for example in finder.find(importlib.import_module(name), name, extraglobs=names):
        written: list[str] = []
        runner.run(example, out=written.append)
        assert not runner.failures, "".join(written)


COMMANDS = ("zoo.cli", "zoo.diagnosis_commands")


def calls() -> Iterator[tuple[str, Any]]:
    """Every public function, class and method of the package, by its full name.

    A method that a base class or a protocol explains is left out, as are the commands, whose
    options have their help, and schemas, whose fields have their description.
    """
    for module in map(importlib.import_module, MODULES):
        for name, value in defined_in(module):
            if name.startswith("_") or module.__name__ in COMMANDS:
                continue
            if inspect.isfunction(value):
                yield f"{module.__name__}.{name}", value
            elif inspect.isclass(value) and not issubclass(value, pydantic.BaseModel):
                own = "__init__" in vars(value) or dataclasses.is_dataclass(value)
                if own or hasattr(value, "_fields"):
                    yield f"{module.__name__}.{name}", value
                for method, function in inspect.getmembers(value, inspect.isfunction):
                    bases = (*value.__mro__[1:], *({*PROTOCOLS} - {value}))
                    inherited = any(hasattr(base, method) for base in bases)
                    if method in vars(value) and not method.startswith("_") and not inherited:
                        yield f"{module.__name__}.{name}.{method}", function


def referred_to(call: Any, name: str) -> Any:
    """Return what a docstring names: `zoo.textcnn`, or a neighbour in its class or its module."""
    owner = call.__qualname__.split(".")[0]
    full = [name] if name.startswith("zoo.") else [f"{call.__module__}.{name}"]
    for candidate in [*full, f"{call.__module__}.{owner}.{name}"]:
        with contextlib.suppress(AttributeError):
            return pkgutil.resolve_name(candidate)
    return None  # its arguments then count as unexplained


def unexplained(call: Any) -> list[str]:
    """Return the arguments of a call that its docstring does not name in Args or Attributes."""
    arguments = [
        name
        for name, argument in inspect.signature(call).parameters.items()
        if name != "self" and not name.startswith("_") and argument.kind != argument.VAR_KEYWORD
    ]
    if len(arguments) < 3:
        return []
    text = inspect.cleandoc(call.__doc__ or "")
    for reference in re.findall(r"[Aa]rguments are those of\s+`([\w.]+)`", text):
        text = inspect.cleandoc(referred_to(call, reference).__doc__ or "") + "\n" + text
    section = re.search(r"^(?:Args|Attributes):\n((?:[ ]+.*\n?|\n)*)", text, flags=re.MULTILINE)
    heads = re.findall(r"^ +([\w*`, ]+):", section[1] if section else "", flags=re.MULTILINE)
    named = set(re.findall(r"\w+", " ".join(heads)))
    return [name for name in arguments if name not in named]


def test_arguments_are_explained() -> None:
    missing = {name: unexplained(call) for name, call in calls()}
    assert not {name: arguments for name, arguments in missing.items() if arguments}
