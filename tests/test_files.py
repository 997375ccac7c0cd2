"""Files are written whole or not at all."""

import json

import numpy as np
import pytest

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


def test_a_full_disk_is_a_zoo_error_and_leaves_nothing() -> None:
    with pytest.raises(ZooError, match=r"/dev/full.*|cannot be written"):
        write_text("/proc/nothing-here/a.txt", "text")


def test_a_disk_that_fills_while_writing(tmp_path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with (
        pytest.raises(ZooError, match="No space left"),
        written_beside(path),
        open("/dev/full", "w") as full,  # noqa: PTH123
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
