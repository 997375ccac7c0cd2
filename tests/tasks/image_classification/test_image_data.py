"""Loading labelled images: the check of every image, findings, and what is held out."""

import re

import numpy as np
import pytest
import tensorflow as tf
from image_parts import CLASSES, load, messages, pixels, write_deep, write_folder
from PIL import Image

from zoo import ZooError
from zoo.tasks.image_classification.data import bundled_images
from zoo.tasks.image_classification.sources import find as image_sources


def broken(folder):
    """Write an image of each broken kind into a folder; return their names."""
    png = (folder / "000.png").read_bytes()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype("uint8")
    Image.fromarray(noise).save(folder / "good.jpg", quality=95)
    jpeg = (folder / "good.jpg").read_bytes()
    files = {
        "empty.png": b"", "cut.png": png[: len(png) // 2], "cut.jpg": jpeg[: len(jpeg) // 2],
        "text.jpg": b"not an image", "header.png": png[:12],
    }  # fmt: skip
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return list(files)


def test_unreadable_and_truncated_files_are_named(tmp_path):
    write_folder(tmp_path, 10)
    names = broken(tmp_path / "red")
    with pytest.raises(ZooError, match="5 images cannot be read") as error:
        load(tmp_path)
    message = str(error.value)
    for name in names:
        assert str(tmp_path / "red" / name) in message
    assert "cut.jpg is truncated" in message and "text.jpg is not an image" in message
    assert "empty.png is empty" in message and "--drop-missing" in message
    with load(tmp_path, drop_missing=True) as data:
        assert len(data.train) + len(data.validation) == 21
        assert "They are left out" in messages(data)


def test_a_class_that_training_never_saw(tmp_path):
    write_folder(tmp_path / "train", 8)
    write_folder(tmp_path / "val", 4, first=50)
    (tmp_path / "val" / "red").rename(tmp_path / "val" / "green")
    with load(tmp_path) as data:
        (serious,) = [finding for finding in data.findings if finding.level == "error"]
    assert "unknown to training: 'green'" in str(serious) and "050.png" in str(serious)


def test_copies_stay_on_one_side_and_two_labels_are_named(tmp_path):
    write_folder(tmp_path, 10)
    content = (tmp_path / "red" / "003.png").read_bytes()
    (tmp_path / "red" / "copy.png").write_bytes(content)
    (tmp_path / "blue" / "other.png").write_bytes(content)
    with load(tmp_path) as data:
        assert "2 images are the same as another" in messages(data)
        assert "under two labels" in messages(data) and "other.png" in messages(data)
        parts = {
            name: list(map(str, part.inputs(range(len(part)))))
            for name, part in (("t", data.train), ("v", data.validation))
        }
        sides = {
            name
            for name, files in parts.items()
            for file in files
            if "copy" in file or "red/003" in file
        }
        assert len(sides) == 1


def test_findings_on_sizes(tmp_path):
    write_folder(tmp_path, 10)
    for number in range(5):
        Image.fromarray(pixels("red", number, 300, 40)).save(tmp_path / "red" / f"long{number}.png")
    with load(tmp_path, image_size=200) as data:
        assert data.image_size < 40
        assert "image_size 200 ->" in messages(data)
        assert "over 3 times as long as wide" in messages(data)
    assert 0 < data.pixel_mean[1] < data.pixel_mean[0] < 255


def test_the_bundled_images():
    with load(bundled_images()) as data:
        assert data.classes == list(range(10))
        assert (len(data.train) + len(data.validation), len(data.test)) == (1437, 360)
        assert data.image_size == 8


def test_held_out_images_leave_no_trace(tmp_path):
    """Sizes, colours, 16 bits and classes of validation and test decide nothing."""
    decisions = []
    for number, (side, top) in enumerate(((20, 100), (200, 60_000))):
        folder = tmp_path / str(number)
        write_folder(folder / "train", 8)
        write_deep(folder / "train", 900, 4)
        for part in ("val", "test"):
            write_deep(folder / part, top, 4)
            for label in CLASSES:
                Image.new("RGB", (side, side), (side, 0, side)).save(
                    folder / part / label / "a.png"
                )
        with load(folder, image_size=224) as data:
            batches = [np.asarray(images) for images, *_ in data.dataset("train")]
            decided = (data.classes, data.image_size, data.deep_scale, data.pixel_mean)
            decisions.append((*decided, data.pixel_std, [batch.tolist() for batch in batches]))
    assert decisions[0] == decisions[1]


def test_what_is_no_source_at_all(tmp_path):
    (tmp_path / "a.txt").write_text("a")
    for source, message in (
        (tmp_path / "nothing", "no such file or folder"),
        (tmp_path / "a.txt", "neither a folder of class folders"),
        (3, "images of type int cannot be read"),
        (tmp_path, "is empty: it holds no class folders"),
        (tf.data.Dataset.range(3).repeat(), "never ends"),
        (tf.data.Dataset.range(3), r"must yield \(image, label\)"),
    ):
        with pytest.raises(ZooError, match=message):
            load(source)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPEG", ".webp", ".bmp", ".gif"])
def test_class_folders_of_every_format(suffix, tmp_path):
    with load(write_folder(tmp_path, 10, suffix)) as data:
        assert data.classes == ["blue", "red"]
        assert len(data.train) + len(data.validation) == 20
        assert np.bincount(data.validation.labels).tolist() == [1, 1]
        for images, labels in data.dataset("train"):
            red = np.asarray(images)[..., 0].mean((1, 2)) > np.asarray(images)[..., 2].mean((1, 2))
            np.testing.assert_array_equal(red, np.asarray(labels) == 1)


def test_empty_class_folders(tmp_path):
    write_folder(tmp_path, 8)
    (tmp_path / "green").mkdir()
    with pytest.raises(ZooError, match=re.escape(f"{tmp_path / 'green'}: a class folder without")):
        load(tmp_path)
    (tmp_path / "green").rmdir()
    for part in ("train", "val"):
        write_folder(tmp_path / "all" / part, 8, first=50 if part == "val" else 0)
    for path in (tmp_path / "all" / "val" / "red").iterdir():
        path.unlink()
    with load(tmp_path / "all") as data:  # class ids stay what they are
        assert data.validation.labels.tolist() == [0] * 8
        assert "validation has no image of 'red'" in messages(data)
        assert "a class folder without images" in messages(data)


def test_what_looks_like_images(tmp_path):
    write_folder(tmp_path / "p", 1)
    (tmp_path / "texts").mkdir()
    assert image_sources.looks_like_images(str(tmp_path / "p"))
    assert image_sources.looks_like_images(bundled_images())
    assert not image_sources.looks_like_images(tmp_path / "texts")
    assert not image_sources.looks_like_images(tmp_path / "nothing")
    assert not image_sources.looks_like_images(["a.csv"])
