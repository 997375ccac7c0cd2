"""Files are written whole or not at all."""

import ast
import json
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

from zoo.errors import ZooError, did_you_mean
from zoo.files import read_json, write_json, write_text, written_beside


def test_an_error_inside_leaves_the_old_file_and_nothing_else(tmp_path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError), written_beside(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_a_zoo_error() -> None:
    with pytest.raises(ZooError, match=r"/proc/nothing-here/a.txt: cannot be written: No such"):
        write_text("/proc/nothing-here/a.txt", "text")


def test_a_full_disk_is_a_zoo_error_and_leaves_what_was_there(small_disk) -> None:
    path = small_disk / "a.txt"
    write_text(path, "old")
    with pytest.raises(ZooError, match=r"a.txt: cannot be written: No space left on device"):
        write_text(path, "x" * 100_000)
    assert path.read_text() == "old"
    assert list(small_disk.iterdir()) == [path]


def test_a_disk_that_fills_within_leaves_the_old_file(tmp_path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with (
        pytest.raises(ZooError, match=r"cannot be written: .*No space left on device"),
        written_beside(path),
        open("/dev/full", "w", encoding="utf-8") as full,  # noqa: PTH123
    ):
        full.write("x")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_json_has_no_nan(tmp_path) -> None:
    write_json(tmp_path / "a.json", {"a": float("nan"), "b": [np.float32(0.5), np.int64(3)]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": None, "b": [0.5, 3]}


def test_damaged_json(tmp_path) -> None:
    (tmp_path / "a.json").write_text('{"a": ')
    with pytest.raises(ZooError, match="not a JSON document"):
        read_json(tmp_path / "a.json")
    with pytest.raises(ZooError, match="cannot be read"):
        read_json(tmp_path / "missing.json")


def test_did_you_mean() -> None:
    assert did_you_mean("learning_rat", ["learning_rate", "epochs"]) == (
        " Did you mean 'learning_rate'?"
    )
    assert did_you_mean("xyz", ["learning_rate"]) == ""


BINARY = ("os", "gzip", "lzma", "Image")  # modules whose `open` reads bytes unless asked for text


def depends_on_the_locale(call: ast.Call) -> bool:
    """Whether a call reads or writes text in an encoding that it does not name."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    given = {keyword.arg for keyword in call.keywords}
    words = [each.value for each in ast.walk(call) if isinstance(each, ast.Constant)]
    if "encoding" in given or "utf-8" in words:
        return False
    if name in ("read_text", "write_text"):  # zoo.files has a `write_text` of its own
        return isinstance(call.func, ast.Attribute)
    if name == "open":
        module = getattr(getattr(call.func, "value", None), "id", "")
        modes = "".join(word for word in words if isinstance(word, str) and len(word) < 4)
        return "t" in modes if module in BINARY else "b" not in modes
    of_a_process = name in ("run", "Popen", "check_output") and "text" in given
    return of_a_process or name in ("TextIOWrapper", "fdopen")


def lines_that_depend_on_the_locale(path: Path) -> list[int]:
    calls = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return [
        call.lineno for call in calls if isinstance(call, ast.Call) and depends_on_the_locale(call)
    ]


def test_text_is_utf_8_whatever_the_locale() -> None:
    files = [*(ROOT / "zoo").rglob("*.py"), ROOT / "setup.py"]
    found = {str(path): lines_that_depend_on_the_locale(path) for path in files}
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ("path.read_text()", [1]),
        ("path.open('w', newline='')", [1]),
        ("path.open('rb')", []),
        ("open(path)", [1]),
        ("open(path, encoding='utf-8')", []),
        ("subprocess.run(command, text=True)", [1]),
        ("gzip.open(path)", []),
        ("gzip.open(path, 'rt')", [1]),
        ("write_text(path, text)", []),
    ],
)
def test_what_the_test_above_finds(code, lines, tmp_path) -> None:
    (tmp_path / "a.py").write_text(code)
    assert lines_that_depend_on_the_locale(tmp_path / "a.py") == lines
