"""Folders of texts, as people have them, through the commands."""

import json
import os
import shutil

import pytest
from conftest import sentences, write_csv
from PIL import Image


def class_folders(folder, ending=".txt", count=20):
    for number, (text, label) in enumerate(sentences(count)):
        (folder / label).mkdir(parents=True, exist_ok=True)
        (folder / label / f"{number}{ending}").write_text(text)
    return folder


def look(zoo_command, path):
    return json.loads(zoo_command("data", path, "--json", code=0).stdout)


def said(summary) -> str:
    return " ".join(f"{each['what']} {each['next']}" for each in summary["findings"])


@pytest.mark.parametrize("ending", [".txt", ".TXT", ".text", ""])
def test_texts_by_their_endings(ending, zoo_command, tmp_path) -> None:
    found = look(zoo_command, class_folders(tmp_path / "d", ending))
    assert found["classes"] == {"bad": 10, "good": 10}
    assert "passed over" not in said(found)


def test_files_that_are_no_texts_are_told(zoo_command, tmp_path) -> None:
    path = class_folders(tmp_path / "d", ".eml")
    ended = zoo_command("data", path, code=1)
    assert "d: holds 20 files, none of .txt, .text: 20 .eml" in ended.stderr
    assert "is empty" not in ended.stderr
    class_folders(path)
    (path / "good" / "README").write_text("about")
    (path / "good" / "more").mkdir()
    (path / "good" / "more" / "1.txt").write_text("unseen")
    found = look(zoo_command, path)
    assert found["classes"] == {"bad": 10, "good": 10}
    assert "21 files passed over: 20 .eml, 1 without an ending" in said(found)
    assert "more: a folder in a class folder is not read" in said(found)
    for file in (path / "good").glob("*.txt"):
        file.unlink()
    ended = zoo_command("data", path, code=1)
    assert "good: is a class folder without .txt files: 10 .eml, 1 without" in ended.stderr


def test_a_flat_folder_of_texts(zoo_command, trained, tmp_path) -> None:
    for number, (text, _) in enumerate(sentences(6)):
        (tmp_path / f"{number}.txt").write_text(text)
    ended = zoo_command("data", tmp_path, code=1)
    assert "but 6 files of text ('0.txt', '1.txt'" in ended.stderr
    assert "Put the texts of each class into a folder" in ended.stderr
    ended = zoo_command("predict", trained.path, tmp_path, code=1)
    assert "Name the files" in ended.stderr
    ended = zoo_command("data", tmp_path / "0.txt", tmp_path, code=1)
    assert "0.txt: is no table" in ended.stderr


def test_the_folder_above_or_below(zoo_command, tmp_path) -> None:
    class_folders(tmp_path / "d" / "texts")
    ended = zoo_command("data", tmp_path / "d", code=1)
    assert f"Did you mean '{tmp_path / 'd' / 'texts'}'?" in ended.stderr
    ended = zoo_command("data", tmp_path / "d" / "texts" / "good", code=1)
    assert "but 10 files of text" in ended.stderr


@pytest.mark.parametrize("names", [("seg_train", "seg_test"), ("training_set", "test_set"),
                                   ("train", "pred")])  # fmt: skip
def test_parts_are_no_classes(names, zoo_command, tmp_path) -> None:
    for name in names:
        class_folders(tmp_path / "d" / name)
        (tmp_path / "tables").mkdir(exist_ok=True)
        write_csv(tmp_path / "tables" / f"{name}.csv", sentences(20))
    for folder in (tmp_path / "d", tmp_path / "tables"):
        found = look(zoo_command, folder)
        assert found["rows"] == 20 and found["classes"] == {"bad": 10, "good": 10}
        assert any("the parts by their names: train " in each["what"] for each in found["findings"])


def test_a_part_that_may_be_another_is_refused_with_the_command(zoo_command, tmp_path) -> None:
    for name in ("train", "eval"):
        class_folders(tmp_path / "d" / name)
    ended = zoo_command("data", tmp_path / "d", code=1)
    command = f"zoo train MODEL {tmp_path / 'd' / 'train'} --test {tmp_path / 'd' / 'eval'}"
    assert "holds parts of a data set" in ended.stderr and command in ended.stderr


def test_links(zoo_command, tmp_path) -> None:
    path = class_folders(tmp_path / "store")
    (tmp_path / "d").mkdir()
    for name in ("good", "bad"):
        (tmp_path / "d" / name).symlink_to(path / name)
    assert look(zoo_command, tmp_path / "d")["classes"] == {"bad": 10, "good": 10}
    (tmp_path / "d" / "all").symlink_to(path / "good")
    ended = zoo_command("data", tmp_path / "d", code=1)
    assert "good: is a link to the same folder as all" in ended.stderr
    (tmp_path / "d" / "all").unlink()
    (path / "good" / "loop").symlink_to("..")
    assert look(zoo_command, tmp_path / "d")["classes"] == {"bad": 10, "good": 10}
    (path / "good" / "gone.txt").symlink_to("nothing")
    ended = zoo_command("data", tmp_path / "d", code=1)
    assert "gone.txt: cannot be read: No such file" in ended.stderr


def test_names_that_are_not_utf8(zoo_command, tmp_path) -> None:
    path = class_folders(tmp_path / "d")
    (path / "good" / "0.txt").rename(path / "good" / os.fsdecode(b"caf\xe9.txt"))
    assert look(zoo_command, path)["classes"] == {"bad": 10, "good": 10}
    (path / "good" / os.fsdecode(b"caf\xe9.txt")).write_text("")
    assert r"1 text is empty: " in said(found := look(zoo_command, path))
    assert r"caf\xe9.txt: row 1" in said(found)
    (path / "good").rename(path / os.fsdecode(b"caf\xe9"))
    ended = zoo_command("data", path, code=1)
    assert r"caf\xe9': its name is not UTF-8. Rename it." in ended.stderr


def test_hidden_folders_and_litter_are_no_classes(zoo_command, tmp_path) -> None:
    path = class_folders(tmp_path / "d")
    for name in (".git", "__MACOSX", "@eaDir", ".ipynb_checkpoints"):
        shutil.copytree(path / "good", path / name)
    assert look(zoo_command, path)["classes"] == {"bad": 10, "good": 10}


def test_a_folder_that_cannot_be_read(zoo_command, tmp_path, monkeypatch) -> None:
    path = class_folders(tmp_path / "d")
    scan = os.scandir

    def refused(folder):
        if str(folder).endswith("good"):
            raise PermissionError(13, "Permission denied")
        return scan(folder)

    monkeypatch.setattr(os, "scandir", refused)  # root may read everything
    ended = zoo_command("data", path, "--preset", "textcnn/default", code=1)
    assert "good: cannot be read: Permission denied" in ended.stderr


def test_images_are_no_texts(zoo_command, trained, tmp_path) -> None:
    for label in ("red", "blue"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(3):
            file = tmp_path / "photos" / label / f"{number}.png"
            Image.new("RGB", (8, 8), label).save(file)
    photos = tmp_path / "photos"
    ended = zoo_command("train", "textcnn", photos, "--out", tmp_path / "run", code=1)
    assert "holds images (such as blue/0.png), no texts" in ended.stderr
    assert f"zoo train resnet {photos}" in ended.stderr
    assert not (tmp_path / "run").exists()
    for given in ([photos], [photos / "red" / "0.png"]):
        ended = zoo_command("predict", trained.path, *given, code=1)
        assert "zoo train resnet" in ended.stderr


def test_archives_are_to_be_unpacked(zoo_command, trained, tmp_path) -> None:
    class_folders(tmp_path / "d")
    for kind in ("zip", "gztar"):
        packed = shutil.make_archive(str(tmp_path / "d"), kind, tmp_path, "d")
        for command in (["data", packed, "--preset", "textcnn/default"],
                        ["predict", trained.path, packed]):  # fmt: skip
            ended = zoo_command(*command, code=1)
            assert "is an archive. Unpack it" in ended.stderr
