"""What is shipped: the source distribution holds the repository, and says what it is."""

import email
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from conftest import ROOT


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory) -> Path:
    """The source distribution of a copy of the tracked files, unpacked."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("no git checkout")
    folder = tmp_path_factory.mktemp("packaging")
    for name in listed.stdout.split("\0")[:-1]:
        (folder / "copy" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / "copy" / name)
    code = "from setuptools import build_meta; print(build_meta.build_sdist('..'))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder / "copy", capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    archive = folder / done.stdout.splitlines()[-1]
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


def test_the_source_distribution_holds_every_tracked_file(unpacked) -> None:
    tracked = {
        path.relative_to(unpacked.parent / "copy")
        for path in (unpacked.parent / "copy").rglob("*")
        if path.is_file() and ".egg-info" not in str(path)
    }
    shipped = {path.relative_to(unpacked) for path in unpacked.rglob("*") if path.is_file()}
    assert tracked - shipped == set()
    assert {str(path) for path in shipped - tracked if ".egg-info" not in str(path)} == {
        "PKG-INFO", "setup.cfg",
    }  # fmt: skip


def test_the_metadata_say_whose_it_is_and_where_it_runs(unpacked) -> None:
    metadata = email.message_from_string((unpacked / "PKG-INFO").read_text(encoding="utf-8"))
    assert metadata["Author"] == "The zoo's authors"
    assert metadata["License-Expression"] == "Apache-2.0 AND CC-BY-4.0"
    tasks = ("corpora", "image_classification", "text_classification")
    assert metadata.get_all("License-File") == [
        "LICENSE", *(f"zoo/tasks/{task}/bundled/ATTRIBUTION.md" for task in tasks),
        "zoo/starts/bundled/lite0/NOTICE.md",
    ]  # fmt: skip
    assert metadata["Requires-Python"] == ">=3.11,<3.14"
    assert "Typing :: Typed" in metadata.get_all("Classifier")
