"""Checkpoints on disk: whole, checked, few, and never code."""

import json
import os
import pickle
import subprocess

import numpy as np
import pytest

from zoo.errors import ZooError
from zoo.training.checkpoints import files
from zoo.training.checkpoints.files import CheckpointFiles


def document(value: float = 1.0) -> dict:
    return {
        "epoch": 2,
        "best": float("inf"),
        "variables": [np.full((2, 3), value, "float32"), np.array(7, "int64"), np.zeros((0, 4))],
        "callbacks": {"KeepBest": {"weights": [np.array([True, False])], "waited": None}},
        "none": [],
    }


def equal(left, right) -> bool:
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, np.ndarray):
        return left.dtype == right.dtype and np.array_equal(left, right)
    return left == right


def test_what_is_read_is_what_was_written(tmp_path) -> None:
    CheckpointFiles(tmp_path / "checkpoints").save(5, document())
    found, findings = CheckpointFiles(tmp_path / "checkpoints").newest()
    assert equal(found, document())
    assert findings == []


@pytest.mark.parametrize("name", sorted(files.DTYPES))
def test_every_type(name: str, tmp_path) -> None:
    array = np.arange(4).astype(files.DTYPES[name])
    folder = CheckpointFiles(tmp_path)
    folder.save(1, {"a": [array]})
    (found,) = folder.load(1)["a"]
    assert found.dtype == array.dtype
    assert found.tobytes() == array.tobytes()


def test_the_two_newest_are_kept_and_one_of_a_step_is_replaced(tmp_path) -> None:
    folder = CheckpointFiles(tmp_path)
    for step, value in ((1, 1.0), (9, 2.0), (10, 3.0), (10, 4.0)):
        folder.save(step, document(value))
    assert folder.steps() == [9, 10]
    assert equal(folder.load(10), document(4.0))
    assert {path.name for path in tmp_path.iterdir()} == {"9", "10"}


def test_arrays_that_are_the_same_list_are_linked(tmp_path) -> None:
    folder, best = CheckpointFiles(tmp_path), [np.ones(3)]
    for step in (1, 2):
        folder.save(step, {"best": best, "variables": [np.full(2, step)]})
    again = CheckpointFiles(tmp_path)  # as after an interruption
    found, _ = again.newest()
    again.save(3, found)
    inodes = {step: (tmp_path / str(step) / "best.bin").stat().st_ino for step in (2, 3)}
    assert inodes[2] == inodes[3]
    assert equal(again.load(3)["best"], best)


def damage_nothing_left(path) -> None:
    path.write_bytes(b"")


def damage_cut(path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def damage_one_bit(path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("damage", [damage_nothing_left, damage_cut, damage_one_bit, os.unlink])
@pytest.mark.parametrize("name", ["document.json", "variables.bin"])
def test_a_damaged_one_is_passed_over(damage, name: str, tmp_path) -> None:
    folder = CheckpointFiles(tmp_path)
    folder.save(1, document(1.0))
    folder.save(2, document(2.0))
    damage(tmp_path / "2" / name)
    found, findings = CheckpointFiles(tmp_path).newest()
    assert equal(found, document(1.0))
    (finding,) = findings
    assert finding.level == "warning"
    assert "passed over" in finding.what
    assert finding.evidence == {"step": 2}


def test_when_all_are_damaged_there_is_none(tmp_path) -> None:
    folder = CheckpointFiles(tmp_path)
    folder.save(1, document())
    damage_cut(tmp_path / "1" / "document.json")
    assert CheckpointFiles(tmp_path).newest()[0] is None
    assert CheckpointFiles(tmp_path / "nothing").newest() == (None, [])


def forged(folder, content) -> None:
    """Write a document as an attacker would: with a right checksum."""
    text = content if isinstance(content, str) else json.dumps(content)
    folder.mkdir()
    (folder / "document.json").write_text(json.dumps([files._digest(text), text]))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"../../etc/passwd": {"arrays": [], "digest": ""}}, "not a name of arrays"),
        ({"a": {"arrays": [["object", 1]], "digest": ""}}, "object"),
        ({"a": {"arrays": [["float32", 10**12]], "digest": ""}}, "bytes instead of"),
        ({"a": {"arrays": [["float32", -1]], "digest": ""}}, "negative"),
        ({"a": {"arrays": "float32"}}, "damaged"),
        ({"a": {"arrays": [["float32", "x"]], "digest": ""}}, "damaged"),
        (["a"], "no object"),
        ("{" * 50_000, "damaged"),
        ("[" * 50_000, "damaged"),
    ],
)
def test_a_hostile_document(content, message: str, tmp_path) -> None:
    forged(tmp_path / "1", content)
    (tmp_path / "1" / "a.bin").write_bytes(b"1234")
    with pytest.raises(ZooError, match=message):
        CheckpointFiles(tmp_path).load(1)


def test_a_pickle_is_never_unpickled(tmp_path) -> None:
    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    content = pickle.dumps(Hostile())
    folder = CheckpointFiles(tmp_path)
    folder.save(1, {"a": [np.zeros(4, "uint8")]})
    for name in ("document.json", "a.bin"):
        (tmp_path / "1" / name).write_bytes(content)
        with pytest.raises(ZooError, match="is damaged"):
            folder.load(1)
    assert not (tmp_path / "executed").exists()


def test_a_disk_that_is_full_leaves_the_older_ones(tmp_path) -> None:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(tmp_path)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        folder = CheckpointFiles(tmp_path)
        folder.save(1, document())
        with pytest.raises(ZooError, match="2: cannot be written: No space left"):
            folder.save(2, {"a": [np.zeros(10**6)]})
        assert [path.name for path in tmp_path.iterdir()] == ["1"]
        assert equal(folder.load(1), document())
        folder.save(3, document())
        assert folder.steps() == [1, 3]
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_what_a_kill_left_is_removed_by_the_next_one(tmp_path) -> None:
    (tmp_path / ".7.part").mkdir()
    (tmp_path / ".7.part" / "variables.bin").write_bytes(b"half")
    folder = CheckpointFiles(tmp_path)
    assert folder.steps() == []
    folder.save(8, document())
    assert [path.name for path in tmp_path.iterdir()] == ["8"]
