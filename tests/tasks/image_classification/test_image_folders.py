"""Folders of images: parts and classes, litter, links and loops, endings, names, permissions."""

import json
import os
import re
import tempfile
import warnings
from pathlib import Path

import pytest
from image_parts import CLASSES, load, messages, pixels, write_folder
from PIL import Image

from zoo import ZooError
from zoo.preset.block import presets_root
from zoo.tasks.image_classification.data import load_labelled_images
from zoo.tasks.image_classification.sources.find import looks_like_images
from zoo.tasks.request import Request


def findings_of(zoo_command, *arguments):
    """What `zoo data --json` says of data that it accepts, and its findings in one text."""
    document = json.loads(zoo_command("data", "--json", *arguments, code=0).stdout)
    return document, "\n".join(
        f"{f['level']} {f['what']} {f['next']}" for f in document["findings"]
    )


# --- parts


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (("Train", "Valid", "TEST"), {"train", "validation", "test"}),
        (("seg_train", "seg_test"), {"train", "validation", "test"}),
        (("training_set", "test_set"), {"train", "validation", "test"}),
        (("x_train", "x_dev"), {"train", "validation"}),
        (("trainData",), {"train", "validation"}),
    ],
)
def test_parts_by_their_names(zoo_command, tmp_path, names, parts):
    for number, name in enumerate(names):
        write_folder(tmp_path / name, 4, first=10 * number)
    document, _ = findings_of(zoo_command, tmp_path)
    assert document["classes"].keys() == {"blue", "red"}
    assert set(document["parts"]) == parts
    if len(names) == 3:
        assert list(document["parts"].values()) == [8, 8, 8]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("train", "eval"), "'eval' may be.*zoo train resnet {0}/train --test {0}/eval`"),
        (("train", "val", "holdout"), "train --validation {0}/val --test {0}/holdout`"),
        (("train", "test", "eval"), "zoo train resnet {0}/train --validation {0}/eval --test"),
        (("train", "predict"), "'predict' may be.*zoo train resnet {0}/train`"),
        (("val", "test"), "holds no training part, but 'test', 'val'. Name the folder to learn"),
        (("train", "val", "valid"), "two folders are the same part: 'train', 'val', 'valid'"),
        (
            ("train", "red"),
            r"parts of a data set \('train'\) beside other folders with images \('re",
        ),
    ],
)
@pytest.mark.parametrize("command", [("data",), ("train", "resnet")])
def test_parts_that_are_not_clear_are_refused(
    zoo_command, tmp_path, monkeypatch, names, message, command
):
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(names):
        write_folder(tmp_path / "d" / name, 2, first=10 * number)
    ended = zoo_command(*command, "d", code=1)
    assert re.search(message.format("d"), ended.stderr.replace("\n", " ")), ended.stderr


def test_a_test_part_without_classes_is_refused_with_what_to_do(zoo_command, tmp_path):
    write_folder(tmp_path / "train", 4)
    write_folder(tmp_path / "test", 3, classes=("red",))
    for path in (tmp_path / "test" / "red").iterdir():
        path.rename(tmp_path / "test" / path.name)
    (tmp_path / "test" / "red").rmdir()
    ended = zoo_command("data", tmp_path, code=1)
    assert "test: holds 3 images, but no class folders" in ended.stderr
    assert f"`zoo train resnet {tmp_path}/train`; `zoo predict RUN {tmp_path}/test`" in ended.stderr
    (tmp_path / "test").rename(tmp_path / "unlabeled")
    document, findings = findings_of(zoo_command, tmp_path)
    assert document["rows"] == 8
    assert "unlabeled: 3 images without class folders, not read" in findings


def test_folders_beside_parts_and_classes_named_as_parts(zoo_command, tmp_path):
    write_folder(tmp_path / "train", 4)
    write_folder(tmp_path / "valid", 4, first=50)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "best.h5").write_bytes(b"")
    document, findings = findings_of(zoo_command, tmp_path)
    assert document["parts"] == {"train": 8, "validation": 8}
    assert "a folder without images is neither part nor class: 'models'" in findings
    write_folder(tmp_path / "flat", 4)
    write_folder(tmp_path / "flat", 4, classes=("red",)).joinpath("red").rename(
        tmp_path / "flat" / "unlabeled"
    )
    document, findings = findings_of(zoo_command, tmp_path / "flat")
    assert document["classes"].keys() == {"blue", "unlabeled"}
    assert "warning 'unlabeled' is read as a class, by the name a part" in findings


def test_a_folder_around_the_classes_or_parts(zoo_command, tmp_path):
    write_folder(tmp_path / "a" / "b" / "photos", 4)
    for source in (tmp_path, tmp_path / "a"):
        ended = zoo_command("data", source, code=1)
        assert f"Did you mean {tmp_path}/a/b/photos, which holds 'blue', 'red'?" in ended.stderr
    for part in ("train", "test"):
        write_folder(tmp_path / "c" / "dataset" / part, 2)
    assert f"Did you mean {tmp_path}/c/dataset, which holds 'test', 'train'?" in (
        zoo_command("data", tmp_path / "c", code=1).stderr
    )
    write_folder(tmp_path / "d", 4, classes=("red",))
    assert "the one class 'red'" in zoo_command("data", tmp_path / "d", code=1).stderr


def test_the_part_that_is_scored(zoo_command, tmp_path):
    def scored(*names):
        for number, name in enumerate(names):
            write_folder(tmp_path / name, 2, first=10 * number)
        with load_labelled_images(Request(tmp_path), ["blue", "red"]).split as split:
            return {Path(text).parent.parent.name for text in split.inputs(range(len(split)))}

    assert scored("test") == {"test"}
    assert scored("val") == {"test"}
    (tmp_path / "test").rename(tmp_path / "eval")
    with pytest.raises(ZooError, match=f"Say it: name {tmp_path}/eval or {tmp_path}/val"):
        scored()
    write_folder(tmp_path / "around" / "photos", 2)
    with pytest.raises(ZooError, match=r"training: 'photos'.* Did you mean .*/around/photos\?"):
        load_labelled_images(Request(tmp_path / "around"), ["blue", "red"])
    ended = zoo_command(
        "train", "resnet", write_folder(tmp_path / "d", 4), "--test", tmp_path / "around",
        "--out", tmp_path / "run", code=1,
    )  # fmt: skip
    assert "test holds labels unknown to training: 'photos'" in ended.stderr
    assert f"Did you mean {tmp_path}/around/photos?" in ended.stderr
    for path in (tmp_path / "flat" / "pred").parent, tmp_path / "flat" / "pred":
        path.mkdir()
    Image.new("RGB", (9, 9)).save(tmp_path / "flat" / "pred" / "a.png")
    with pytest.raises(ZooError, match="holds no labelled part, but 'pred'"):
        load_labelled_images(Request(tmp_path / "flat"), ["blue", "red"])


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_metadata_beside_the_images(zoo_command, tmp_path, ending):
    for part in ("train", "test"):
        write_folder(tmp_path / part, 4)
        rows = []
        for label in ("blue", "red"):
            for path in sorted((tmp_path / part / label).iterdir()):
                path.rename(tmp_path / part / f"{label}{path.name}")
                rows.append({"file_name": f"{label}{path.name}", "label": label.upper()})
            (tmp_path / part / label).rmdir()
        lines = [json.dumps(row) for row in rows]
        if ending == "csv":
            lines = ["file_name,label", *(",".join(row.values()) for row in rows)]
        (tmp_path / part / f"metadata.{ending}").write_text("\n".join(lines) + "\n")
    document, _ = findings_of(zoo_command, tmp_path)
    assert document["classes"].keys() == {"BLUE", "RED"} and document["parts"]["test"] == 8


def test_an_option_names_one_part(zoo_command, tmp_path):
    write_folder(tmp_path / "a", 4)
    for number, part in enumerate(("train", "test")):
        write_folder(tmp_path / "b" / part, 2, first=10 + 10 * number)
    ended = zoo_command(
        "train", "resnet", tmp_path / "a", "--validation", tmp_path / "b", "--out", tmp_path / "r",
        code=1,
    )  # fmt: skip
    assert "given with --validation, but holds 'train', 'test'" in ended.stderr


# --- what is read


def test_litter_of_systems_is_no_class(zoo_command, tmp_path):
    write_folder(tmp_path, 4)
    for name in ("@eaDir", "$RECYCLE.BIN", "lost+found", "__MACOSX", ".ipynb_checkpoints"):
        write_folder(tmp_path / name, 1)
    (tmp_path / "red" / "Thumbs.db").write_bytes(b"")
    (tmp_path / "red" / "._000.png").write_bytes(b"")
    document, findings = findings_of(zoo_command, tmp_path)
    assert document["classes"] == {"blue": 4, "red": 4}
    assert "ignored: '$RECYCLE.BIN', '.ipynb_checkpoints', '@eaDir'" in findings
    assert "passed over" not in findings


def test_links_are_followed_and_loops_are_not(zoo_command, tmp_path):
    write_folder(tmp_path / "store", 4)
    folder = tmp_path / "d"
    folder.mkdir()
    for label in ("red", "blue"):
        (folder / label).symlink_to(tmp_path / "store" / label)
    assert looks_like_images(folder)
    assert findings_of(zoo_command, folder)[0]["classes"] == {"blue": 4, "red": 4}
    (tmp_path / "store" / "red" / "loop").symlink_to(folder)
    (tmp_path / "store" / "red" / "self").symlink_to(tmp_path / "store" / "red")
    document, findings = findings_of(zoo_command, folder)
    assert document["classes"] == {"blue": 4, "red": 4}
    assert "links to folders that are read already are not followed" in findings
    assert "red/loop" in findings and "red/self" in findings
    (folder / "whole").symlink_to(folder)
    document, findings = findings_of(zoo_command, folder)
    assert document["classes"] == {"blue": 4, "red": 4}
    assert "links to the folder that they are in are no classes: 'whole'" in findings


def test_files_of_any_ending_are_read_by_their_content(zoo_command, tmp_path):
    write_folder(tmp_path, 4)
    names = ("000", "001.jfif", "002.jpg_large", "003.tif")
    for number, name in enumerate(names):
        path = tmp_path / "red" / f"{number:03}.png"
        path.rename(path.with_name(name))
    (tmp_path / "blue" / "README").write_text("of what this is\n")
    (tmp_path / "blue" / "BMfile").write_text("BMW and others\n")
    document, findings = findings_of(zoo_command, tmp_path)
    assert document["classes"] == {"blue": 4, "red": 4}
    assert "info" in findings and "2 files are passed over: 2 without an ending" in findings
    for number in range(3):
        Image.new("RGB", (9, 9)).save(tmp_path / "blue" / f"{number}.tiff")
    _, findings = findings_of(zoo_command, tmp_path)
    assert "warning" in findings and "3 .tiff, 2 without an ending. Convert .tiff" in findings


def test_folders_of_images_that_are_not_read(zoo_command, tmp_path):
    for label in ("red", "blue"):
        (tmp_path / label).mkdir()
        for number in range(3):
            Image.new("RGB", (9, 9)).save(tmp_path / label / f"{number}.tif")
    for command in (("data",), ("train", "resnet", "--out", tmp_path / "run")):
        ended = zoo_command(*command, tmp_path, code=1)
        assert "with 6 .tif: not read. Convert them to PNG" in ended.stderr


def test_folders_of_texts_are_named(zoo_command, tmp_path):
    for label in ("red", "blue"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "a.txt").write_text("a")
    ended = zoo_command("train", "resnet", tmp_path, "--out", tmp_path / "run", code=1)
    assert f"`zoo train textcnn {tmp_path}`" in ended.stderr


# --- what cannot be read


def test_names_that_are_not_utf8(zoo_command, tmp_path):
    write_folder(tmp_path, 4)
    red = tmp_path / "red"
    (red / "000.png").rename(red / os.fsdecode(b"caf\xe9.png"))
    for arguments in ((), ("--drop-missing",)):
        ended = zoo_command("data", tmp_path, *arguments, code=1)
        assert r"red/caf\xe9.png': its name is not UTF-8. Rename it" in ended.stderr
    red.rename(os.fsdecode(os.fsencode(red) + b"\xe9"))
    assert r"red\xe9': its name is not UTF-8" in zoo_command("data", tmp_path, code=1).stderr


@pytest.fixture
def users_folder():
    """A folder of a user, and this process as that user: to root nothing is forbidden."""
    with tempfile.TemporaryDirectory(prefix="zoo-user-") as name:
        root = os.geteuid() == 0
        if root:
            os.chown(name, 65534, 65534)
            os.seteuid(65534)
        try:
            if not os.access(presets_root() / "resnet", os.R_OK, effective_ids=True):
                pytest.skip("other users may not read this checkout")
            yield Path(name)
        finally:
            if root:
                os.seteuid(0)


def test_folders_and_files_without_permission(zoo_command, users_folder):
    write_folder(users_folder / "d", 2)
    red = users_folder / "d" / "red"
    for folder, file, message in (
        (0, 0o644, f"{red}: cannot be read: Permission denied."),
        (0o400, 0o644, "Permission denied"),
        (0o755, 0, f"{red}/000.png cannot be read (Permission denied)"),
    ):
        (red / "000.png").chmod(file)
        red.chmod(folder)
        for command in (("data",), ("train", "resnet", "--out", users_folder / "run")):
            ended = zoo_command(*command, users_folder / "d", code=1)
            assert message in ended.stderr and ended.stderr.count("\n") == 1
        red.chmod(0o755)


def test_large_images_are_named_once_as_a_finding(zoo_command, tmp_path, monkeypatch):
    write_folder(tmp_path, 4)
    Image.new("L", (90, 90)).save(tmp_path / "red" / "large.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 6000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        _, findings = findings_of(zoo_command, tmp_path)
        message = f"warning train: 1 image has more than 6,000 pixels: {tmp_path}/red/large.png."
        assert message in findings
        Image.new("L", (200, 90)).save(tmp_path / "red" / "huge.png")
        ended = zoo_command("data", tmp_path, code=1)
    assert f"{tmp_path}/red/huge.png has 18,000 pixels, more than 12,000" in ended.stderr


# --- the command


def test_a_finding_at_level_error_is_an_exit_code(zoo_command, tmp_path):
    write_folder(tmp_path / "train", 4)
    write_folder(tmp_path / "test", 2, first=50)
    (tmp_path / "test" / "red").rename(tmp_path / "test" / "green")
    ended = zoo_command("data", tmp_path, code=1)
    assert "test holds labels unknown to training: 'green'" in ended.stdout
    ended = zoo_command("data", tmp_path, "--json", code=1)
    assert [f["level"] for f in json.loads(ended.stdout)["findings"]].count("error") == 1


def test_the_sheet_of_the_working_directory_has_its_name(zoo_command, tmp_path, monkeypatch):
    monkeypatch.chdir(write_folder(tmp_path / "photos.v2", 4))
    zoo_command("data", ".", "--show", code=0)
    assert (tmp_path / "photos.v2" / "photos.v2-sheet.png").is_file()
    assert "passed over" not in findings_of(zoo_command, ".")[1]
    monkeypatch.chdir(tmp_path)
    zoo_command("data", "photos.v2/red/..", "--show", code=0)
    assert (tmp_path / "photos.v2-sheet.png").is_file()


def test_what_is_no_folder_of_classes(zoo_command, tmp_path):
    write_folder(tmp_path / "d", 4)
    red, blue = tmp_path / "d" / "red", tmp_path / "d" / "blue"
    for arguments in ((red, blue), (red / "000.png", blue / "000.png")):
        ended = zoo_command("data", *arguments, code=1)
        assert "several paths are no labelled images" in ended.stderr
    (tmp_path / "photos.zip").write_bytes(b"PK")
    for command in (("data",), ("train", "resnet"), ("train", "textcnn")):
        options = () if command == ("data",) else ("--out", tmp_path / "run")
        ended = zoo_command(*command, tmp_path / "photos.zip", *options, code=1)
        assert "photos.zip: is an archive. Unpack it" in ended.stderr
    ended = zoo_command("train", "textcnn", tmp_path / "d", "--out", tmp_path / "run", code=1)
    assert f"no texts. For images: zoo train resnet {tmp_path}/d." in ended.stderr


def test_folders_of_parts(tmp_path):
    for number, part in enumerate(("train", "val", "test")):
        write_folder(tmp_path / part, 8, first=100 * number)
    with load(tmp_path) as data:
        assert [len(part) for part in (data.train, data.validation, data.test)] == [16, 16, 16]


def test_two_folders_of_one_part_are_refused(tmp_path):
    for part in ("train", "val", "valid"):
        write_folder(tmp_path / part, 2)
    with pytest.raises(ZooError, match="the same part: 'train', 'val', 'valid'"):
        load(tmp_path)


def test_a_class_may_be_called_test(tmp_path):
    write_folder(tmp_path, 8)
    (tmp_path / "blue").rename(tmp_path / "test")
    with load(tmp_path) as data:
        assert data.classes == ["red", "test"]
        assert data.test is None


def test_hidden_folders_are_no_classes(tmp_path):
    write_folder(tmp_path, 8)
    write_folder(tmp_path / ".ipynb_checkpoints", 2)
    (tmp_path / ".ipynb_checkpoints" / "x.png").write_bytes(b"")
    (tmp_path / "red" / ".DS_Store").write_bytes(b"")
    with load(tmp_path) as data:
        assert data.classes == ["blue", "red"]
        assert "'.ipynb_checkpoints'" in messages(data)


def test_loose_images_and_other_files_are_mentioned(tmp_path):
    write_folder(tmp_path, 8)
    Image.fromarray(pixels("red", 0)).save(tmp_path / "loose.png")
    (tmp_path / "red" / "notes.txt").write_text("a")
    with load(tmp_path) as data:
        assert "1 .txt" in messages(data) and "1 image outside of the class folders" in messages(
            data
        )
    for label in CLASSES:
        for path in (tmp_path / label).iterdir():
            path.rename(tmp_path / f"{label}{path.name}")
        (tmp_path / label).rmdir()
    with pytest.raises(ZooError, match="images, but no class folders"):
        load(tmp_path)
