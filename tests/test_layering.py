"""A module imports only from rows above its own; models and layers know Keras only."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from zoo.preset.schemas import TASKS

ROWS = [
    [
        "errors",
        "finding",
        "files",
        "gpu",
        "environment",
        "quiet",
        "host",
        "launch",
        "plain_yaml",
        "cluster",
        "wheels",
    ],
    ["preset", "scores", "multilabel_scores"],
    ["text", "layers"],
    ["models", "data"],
    ["distribute"],
    ["training"],
    ["tasks"],
    ["memory"],
    ["starts"],
    ["builders"],
    ["diagnosis"],
    ["runs", "tuning"],
    ["display", "process", "options"],
    ["diagnosis_commands"],
    ["cli"],
    ["__main__"],
]
ROW = {name: row for row, names in enumerate(ROWS) for name in names}
TOP_LEVEL = list((ROOT / "zoo").iterdir())
FILES = sorted((ROOT / "zoo").rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(ROOT / "zoo").parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Every module that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_up(path: Path) -> None:
    if path == ROOT / "zoo" / "__init__.py":
        return
    rooms = {name.split(".")[1] for name in imports(path) if name.startswith("zoo.")}
    for other in rooms - {room(path), "_presets", "__version__"}:
        above = ROW[other] < ROW[room(path)] or ROW[other] == ROW[room(path)] == 0
        assert above, f"{room(path)} imports {other}"


def test_contributing_has_the_rows() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    lines = re.findall(r"^\| (\d+) \| (.*) \|$", text, flags=re.MULTILINE)
    assert [int(number) for number, _ in lines] == list(range(len(ROWS)))
    for (_, line), names in zip(lines, ROWS, strict=True):
        rooms = {
            f"{name}.py" if (ROOT / f"zoo/{name}.py").is_file() else f"{name}/" for name in names
        }
        words = {word for code in re.findall(r"`([^`]*)`", line) for word in code.split()}
        top_level = {f"{path.name}/" if path.is_dir() else path.name for path in TOP_LEVEL}
        assert words & top_level == rooms


def test_tasks_do_not_import_each_other() -> None:
    folders = {package.rpartition(".")[2] for package in TASKS.values()}
    for path in FILES:
        if room(path) != "tasks":
            continue
        own = path.relative_to(ROOT / "zoo" / "tasks").parts[0]
        others = {name.split(".")[2] for name in imports(path) if name.startswith("zoo.tasks.")}
        assert not (others & folders) - {own}, path


@pytest.mark.parametrize("package", ["models", "layers"])
def test_models_and_layers_import_keras_alone(package: str) -> None:
    for path in (ROOT / "zoo" / package).rglob("*.py"):
        outside = {name.split(".")[0] for name in imports(path)}
        assert not outside & {"tensorflow", "tensorflow_text", "torch", "jax"}, path


def test_files_stay_small() -> None:
    long = {path.name: len(path.read_text().splitlines()) for path in FILES}
    assert max(long.values()) <= 400, {name: count for name, count in long.items() if count > 400}


@pytest.mark.parametrize(
    "arguments",
    [["--version"], ["--help"], ["presets"], ["explain", "textcnn"], ["advice", "A47"], ["runs"]],
    ids=lambda arguments: arguments[0],
)
def test_light_commands_load_no_tensorflow(arguments: list[str], tmp_path: Path) -> None:
    figures = {"accuracy": 0.5, "loss": 0.7}
    metrics = {"model": "textcnn", "preset": "default", "validation": figures, "seconds": 1.0}
    (tmp_path / "runs" / "a").mkdir(parents=True)
    (tmp_path / "runs" / "a" / "metrics.json").write_text(
        json.dumps(metrics | {"baseline": {"validation": figures}, "test": None})
    )
    code = (
        "import sys; sys.argv = ['zoo', *sys.argv[1:]]\n"
        "from zoo.__main__ import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print([m for m in ('tensorflow', 'keras', 'pyarrow', 'sklearn', 'numpy') "
        "if m in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    assert done.stdout
    assert done.stderr.strip() == "[]"


def test_import_zoo_is_lazy() -> None:
    code = (
        "import sys, zoo; print('pydantic' in sys.modules); zoo.ZooError; "
        "print('textcnn' in dir(zoo), 'tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True", "False"]
