"""The benchmarks: listed with what they cost, written against today's package, small ones run."""

import ast
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest
from conftest import ROOT

from benchmarks import datasets
from benchmarks.catalogue import BENCHMARKS, table
from benchmarks.timing import Timings, time_in_turn

SCRIPTS = sorted((ROOT / "benchmarks").rglob("*.py"))
# The least options that still run everything of a benchmark.
SMALLEST = {
    "quality": {"data": "trec", "seeds": "0"},
    "ablation": {"data": "trec", "changes": "words"},
    "speed": {"rounds": "1", "steps": "2"},
    "language_speed": {"rounds": "1", "steps": "1", "shapes": "2x200"},
    "image_speed": {"rounds": "1", "steps": "1", "networks": "resnet20", "inputs": "default"},
    "overhead": {"rounds": "1", "steps": "2"},
    "memory": {"small": "200", "large": "400"},
    "image_memory": {"small": "40", "large": "80"},
    "startup": {"repeats": "1"},
    "resume": {"kills": "2", "runs": "1"},
}


def test_contributing_lists_them() -> None:
    assert table() in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_measures_and_says_what(name: str) -> None:
    module = importlib.import_module(f"benchmarks.{BENCHMARKS[name].module}")
    assert module.__doc__
    options = inspect.signature(module.measure).parameters.values()
    assert all(isinstance(option.default, str) for option in options)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_of_the_package_exist(path: Path) -> None:
    """Within functions, and within the programs that benchmarks run as processes of their own."""
    text = path.read_text(encoding="utf-8")
    programs = [match for match in re.findall(r'"""(.*?)"""', text, re.DOTALL) if "import" in match]
    for program in [text, *programs]:
        try:
            tree = ast.parse(program)
        except SyntaxError:
            continue  # prose
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("zoo"):
                module = importlib.import_module(node.module)
                modules = {
                    info.name for info in pkgutil.iter_modules(getattr(module, "__path__", []))
                }
                for name in (alias.name for alias in node.names):
                    assert hasattr(module, name) or name in modules, f"{node.module}.{name}"


def test_ratios_are_medians_within_a_round() -> None:
    timings = Timings({"ours": [1.0, 2.0, 4.0], "theirs": [2.0, 4.0, 40.0]})
    assert timings.milliseconds("ours") == 2000.0
    assert timings.times("theirs", "ours") == 2.0  # of 2, 2 and 10


def test_contestants_take_turns_and_the_first_round_is_not_counted() -> None:
    order: list[str] = []
    contestants = {name: lambda name=name: order.append(name) for name in ("a", "b")}
    timings = time_in_turn(contestants, 2, calls=2)
    assert order == ["a", "a", "b", "b"] * 3
    assert {name: len(seconds) for name, seconds in timings.seconds.items()} == {"a": 2, "b": 2}


def test_data_of_other_bytes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "DATA", tmp_path)
    datasets.folder_of.cache_clear()
    with pytest.raises(SystemExit, match=r"test.csv: is not there. It is from github"):
        datasets.folder_of("trec")
    (tmp_path / "trec").mkdir()
    for part in ("train", "test"):
        (tmp_path / "trec" / f"{part}.csv").write_text("text,label\n")
    with pytest.raises(SystemExit, match="other bytes than results were measured with"):
        datasets.folder_of("trec")


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALLEST)
def test_benchmark_runs_at_its_smallest(name: str) -> None:
    if not datasets.DATA.is_dir():
        pytest.skip(f"{datasets.DATA}: the benchmark data are not here")
    if "PyTorch" in BENCHMARKS[name].peers:
        pytest.importorskip("torch")
    module = importlib.import_module(f"benchmarks.{BENCHMARKS[name].module}")
    entries = list(module.measure(**SMALLEST[name]))
    assert entries
    assert all(entry["id"] for entry in entries)
