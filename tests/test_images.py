"""Labelled images: sources, a first look at every file, parts, and batches."""

import csv
import json
import re
import zlib

import numpy as np
import pytest
import tensorflow as tf
from image_parts import CLASSES, pixels, write_folder
from PIL import Image

from zoo import ZooError
from zoo.builders import build
from zoo.data.epochs import EpochCursor
from zoo.preset.loading import load_preset
from zoo.tasks.image_classification.augment import augmentation, flip_left_right, shift
from zoo.tasks.image_classification.batches import ImageTransform, image_batches
from zoo.tasks.image_classification.data import (
    bundled_images,
    load_images,
    load_labelled_images,
)
from zoo.tasks.image_classification.image import (
    CenterCrop,
    center_crop,
    check_image,
    open_image,
    random_crop,
)
from zoo.tasks.image_classification.predictor import ImageClassifier, load_image_classifier
from zoo.tasks.image_classification.sheet import training_sheet
from zoo.tasks.image_classification.sources import arrays as image_arrays
from zoo.tasks.image_classification.sources import find as image_sources
from zoo.tasks.image_classification.sources.source import ImageSplit

SETTINGS = load_preset("resnet", "debug", {"data.batch_size": 8}).data


def load(source, image_size=24, **options):
    settings = options.pop("settings", SETTINGS)
    return load_images(source, settings=settings, image_size=image_size, **options)


def said(data) -> str:
    return "\n".join(str(finding) for finding in data.findings)


def with_data(**changes):
    keys = {f"data.{key}": value for key, value in changes.items()}
    return load_preset("resnet", "debug", {"data.batch_size": 8} | keys).data


# --- sources


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPEG", ".webp", ".bmp", ".gif"])
def test_class_folders_of_every_format(suffix, tmp_path):
    with load(write_folder(tmp_path, 10, suffix)) as data:
        assert data.classes == ["blue", "red"]
        assert len(data.train) + len(data.validation) == 20
        assert np.bincount(data.validation.labels).tolist() == [1, 1]
        for images, labels in data.dataset("train"):
            red = np.asarray(images)[..., 0].mean((1, 2)) > np.asarray(images)[..., 2].mean((1, 2))
            np.testing.assert_array_equal(red, np.asarray(labels) == 1)


def test_folders_of_parts(tmp_path):
    for number, part in enumerate(("train", "val", "test")):
        write_folder(tmp_path / part, 8, first=100 * number)
    with load(tmp_path) as data:
        assert [len(each) for each in (data.train, data.validation, data.test)] == [16, 16, 16]


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


def test_a_table_of_paths_and_labels(tmp_path):
    write_folder(tmp_path / "images", 10)
    table = tmp_path / "table.csv"
    with table.open("w", newline="") as file:
        rows = [(f"images/{c}/{n:03}.png", c.upper()) for c in CLASSES for n in range(10)]
        csv.writer(file).writerows([("filename", "label"), *rows])
    with load(table) as data:
        assert data.classes == ["BLUE", "RED"]
        assert len(data.train) == 18
    table.write_text("filename,label\nimages/red/000.png,a\nimages/red/999.png,b\n")
    with pytest.raises(
        ZooError, match=r"table\.csv: 1 image is not there: row 2 'images/red/999\.png'"
    ):
        load(table)
    table.write_text("where,what\nimages/red/000.png,a\nimages/red/001.png,b\n")
    with pytest.raises(ZooError, match=r"which column is the .*--"):
        load(table)


def arrays(each=12):
    images = np.stack([pixels(label, n, 16, 16) for label in CLASSES for n in range(each)])
    return images, np.repeat([0, 1], each)


def test_npz_files(tmp_path):
    x, y = arrays()
    np.savez(
        tmp_path / "a.npz", x_train=x, y_train=y[:, None], x_test=x[:4], y_test=y[:4],
        classes=np.array(CLASSES),
    )  # fmt: skip
    with load(tmp_path / "a.npz") as data:
        assert data.classes == ["blue", "red"]
        assert len(data.test) == 4
        assert data.image_size == 16
        assert "also in train" in said(data)
        ((images, labels),) = data.dataset("test")
        np.testing.assert_array_equal(images, x[:4])
        np.testing.assert_array_equal(labels, y[:4])


def test_arrays_and_datasets_give_the_same_images():
    x, y = arrays()
    dataset = tf.data.Dataset.from_tensor_slices((x, y))
    for source in ((x, y), (x / 255.0, y), dataset, dataset.batch(5)):
        with load(source) as data:
            rows = data.train.split.rows
            assert len(set(rows.tolist())) == 22
            for row, image in zip(rows[:3], data.train.inputs(range(3)), strict=True):
                np.testing.assert_array_equal(image, x[row])
    with load((x[..., 0], y)) as data:  # grey
        assert data.train.inputs([0])[0].shape == (16, 16, 3)


def test_transparent_arrays_are_read_as_files_are(tmp_path, monkeypatch):
    monkeypatch.setattr(image_arrays, "BLOCK", 5)
    x, y = arrays()
    alpha = np.random.default_rng(0).integers(0, 256, (*x.shape[:3], 1)).astype("uint8")
    images = np.concatenate([x, alpha], axis=-1)
    with load((images, y)) as data:
        rows = data.train.split.rows[:20]
        for row, read in zip(rows, data.train.inputs(range(20)), strict=True):
            Image.fromarray(images[row]).save(tmp_path / "a.png")
            expected = np.asarray(open_image(tmp_path / "a.png")).astype(int)
            assert np.abs(read.astype(int) - expected).max() <= 1


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((4, 8, 8, 3)), np.zeros(3), "one an image.*4 images.*(3,)"),
        (np.zeros((4, 8, 8, 2)), np.zeros(4), r"1, 3 or 4 channels.*\(4, 8, 8, 2\)"),
        (np.full((4, 8, 8, 3), -1.0), np.zeros(4), "pixels must be in.*-1 to -1"),
        (np.full((4, 8, 8, 3), np.nan), np.zeros(4), "pixels must be in"),
        (np.zeros((0, 8, 8, 3)), np.zeros(0), "shape"),
        (np.full((4, 8, 8, 3), "a"), np.zeros(4), "pixels must be numbers"),
        (np.zeros((4, 8, 8, 3), "uint8"), np.zeros(4, int), "the one class '0'"),
    ],
)
def test_arrays_that_cannot_be_images(images, labels, message):
    with pytest.raises(ZooError, match=message):
        load((images, labels))


def test_files_that_are_no_arrays(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 and so on")
    with pytest.raises(ZooError, match=r"a\.npz: is not an \.npz file"):
        load(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", images=np.zeros(3))
    with pytest.raises(ZooError, match=r"b\.npz: holds no arrays .images.*images"):
        load(tmp_path / "b.npz")
    np.savez(tmp_path / "c.npz", images=np.array([{}, {}], object), labels=np.zeros(2))
    with pytest.raises(ZooError, match=r"c\.npz: is not an \.npz file of plain arrays"):
        load(tmp_path / "c.npz")
    np.savez(tmp_path / "d.npz", images=arrays()[0], labels=arrays()[1], classes=np.array(["a"]))
    with pytest.raises(ZooError, match=r"labels go from 0 to 1, but .classes. has 1"):
        load(tmp_path / "d.npz")


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


# --- every bad image is named before training


def broken(folder):
    """Write an image of each broken kind into a folder; return their names."""
    whole = (folder / "000.png").read_bytes()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype("uint8")
    Image.fromarray(noise).save(folder / "whole.jpg", quality=95)
    jpeg = (folder / "whole.jpg").read_bytes()
    files = {
        "empty.png": b"", "cut.png": whole[: len(whole) // 2], "cut.jpg": jpeg[: len(jpeg) // 2],
        "text.jpg": b"not an image", "header.png": whole[:12],
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
        assert "They are left out" in said(data)


def test_hidden_folders_are_no_classes(tmp_path):
    write_folder(tmp_path, 8)
    write_folder(tmp_path / ".ipynb_checkpoints", 2)
    (tmp_path / ".ipynb_checkpoints" / "x.png").write_bytes(b"")
    (tmp_path / "red" / ".DS_Store").write_bytes(b"")
    with load(tmp_path) as data:
        assert data.classes == ["blue", "red"]
        assert "'.ipynb_checkpoints'" in said(data)


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
        assert "validation has no image of 'red'" in said(data)
        assert "a class folder without images" in said(data)


def test_a_class_that_training_never_saw(tmp_path):
    write_folder(tmp_path / "train", 8)
    write_folder(tmp_path / "val", 4, first=50)
    (tmp_path / "val" / "red").rename(tmp_path / "val" / "green")
    with load(tmp_path) as data:
        (serious,) = [finding for finding in data.findings if finding.level == "error"]
    assert "unknown to training: 'green'" in str(serious) and "050.png" in str(serious)


def test_loose_images_and_other_files_are_mentioned(tmp_path):
    write_folder(tmp_path, 8)
    Image.fromarray(pixels("red", 0)).save(tmp_path / "loose.png")
    (tmp_path / "red" / "notes.txt").write_text("a")
    with load(tmp_path) as data:
        assert "1 .txt" in said(data) and "1 image outside of the class folders" in said(data)
    for label in CLASSES:
        for path in (tmp_path / label).iterdir():
            path.rename(tmp_path / f"{label}{path.name}")
        (tmp_path / label).rmdir()
    with pytest.raises(ZooError, match="images, but no class folders"):
        load(tmp_path)


def test_copies_stay_on_one_side_and_two_labels_are_named(tmp_path):
    write_folder(tmp_path, 10)
    content = (tmp_path / "red" / "003.png").read_bytes()
    (tmp_path / "red" / "copy.png").write_bytes(content)
    (tmp_path / "blue" / "other.png").write_bytes(content)
    with load(tmp_path) as data:
        assert "2 images are the same as another" in said(data)
        assert "under two labels" in said(data) and "other.png" in said(data)
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


# --- grey, transparent, CMYK, turned, of all sizes


def test_images_of_all_colours_become_red_green_and_blue(tmp_path):
    red = np.zeros((16, 16, 4), np.uint8)
    red[..., 0], red[:8, :, 3] = 255, 255  # the lower half is transparent
    Image.fromarray(red).save(tmp_path / "alpha.png")
    grey = Image.fromarray(np.full((16, 16), 100, np.uint8))
    grey.save(tmp_path / "grey.png")
    Image.fromarray(np.full((16, 16), 100 * 257, np.uint16)).save(tmp_path / "deep.png")
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "cmyk.jpg", quality=95)
    grey.convert("P").save(tmp_path / "palette.gif")
    shown = {each.stem: np.asarray(open_image(each)) for each in tmp_path.iterdir()}
    assert all(each.shape == (16, 16, 3) for each in shown.values())
    assert shown["alpha"][0, 0].tolist() == [255, 0, 0]
    assert shown["alpha"][15, 0].tolist() == [255, 255, 255]
    for name in ("grey", "deep", "palette"):
        assert np.abs(shown[name].astype(int) - 100).max() <= 1, name
    assert np.abs(shown["cmyk"].astype(int) - [255, 0, 0]).max() < 12


def test_damaged_exif_data_are_none(tmp_path, zoo_command):
    write_folder(tmp_path / "d", 6)
    damaged = tmp_path / "d" / "red" / "damaged.webp"
    Image.fromarray(pixels("red", 1)).save(damaged, exif=b"Exif\x00\x00II*\x00", lossless=True)
    assert json.loads(zoo_command("data", tmp_path / "d", "--json", code=0).stdout)["rows"] == 13
    np.testing.assert_array_equal(np.asarray(open_image(damaged)), pixels("red", 1))


def test_exif_turns_images_upright(tmp_path):
    upright = np.zeros((10, 20, 3), np.uint8)
    upright[:, :10] = 255  # white on the left
    exif = Image.Exif()
    exif[0x0112] = 6  # stored a quarter to the left
    Image.fromarray(np.rot90(upright)).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(np.asarray(open_image(tmp_path / "a.png")), upright)
    checked = check_image(tmp_path / "a.png")
    assert checked.turned and (checked.width, checked.height) == (20, 10)


def test_findings_on_sizes(tmp_path):
    write_folder(tmp_path, 10)
    for number in range(5):
        Image.fromarray(pixels("red", number, 300, 40)).save(tmp_path / "red" / f"long{number}.png")
    with load(tmp_path, image_size=200) as data:
        assert data.image_size < 40
        assert "image_size 200 ->" in said(data)
        assert "over 3 times as long as wide" in said(data)
    assert 0 < data.pixel_mean[1] < data.pixel_mean[0] < 255


def test_crops_of_an_image():
    x = np.zeros((30, 60, 3), np.uint8)
    x[:, 15:45] = 200  # the middle square
    image = Image.fromarray(x)
    assert (center_crop(image, 30, 1.0) == 200).all()
    assert center_crop(image, 10, 0.5).shape == (10, 10, 3)
    whole = random_crop(image, 16, 1.0, np.array([0.5, 1.0, 0.5, 0.5]))
    assert whole.shape == (16, 16, 3)
    uniforms = np.random.default_rng(0).random((50, 4))
    means = {round(random_crop(image, 8, 0.1, numbers).mean()) for numbers in uniforms}
    assert len(means) > 10


# --- batches


def test_an_epoch_shows_every_image_once_and_in_another_order_the_next_time():
    x, y = arrays(20)
    with load((x, y)) as data:
        dataset = data.dataset("train")
        epochs = [np.concatenate([np.asarray(b[0])[:, 0, 0] for b in dataset]) for _ in range(2)]
        again = [np.concatenate([np.asarray(b[0])[:, 0, 0] for b in data.dataset("train")])]
        assert dataset.cardinality() == -(-len(data.train) // 8)
    np.testing.assert_array_equal(epochs[0], again[0])
    assert (epochs[0] != epochs[1]).any()
    np.testing.assert_array_equal(*(np.sort(each, axis=0) for each in epochs))


AUGMENTED = with_data(crop="pad", flip="random", color_jitter=0.3, erasing=0.5, mixup=0.2)


@pytest.mark.parametrize("files", [True, False])
def test_a_training_goes_on_in_the_middle_of_an_epoch(files, tmp_path):
    source = write_folder(tmp_path, 14) if files else arrays(14)
    settings = AUGMENTED if files else with_data(crop="pad", flip="alternating")
    with load(source, image_size=16, settings=settings) as data:
        whole = [list(data.dataset("train", EpochCursor()))]
        place = EpochCursor()
        place.set(0, 2)
        rest = list(data.dataset("train", place))
    assert len(rest) == len(whole[0]) - 2
    for one, other in zip(whole[0][2:], rest, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_replicas_share_a_batch_by_row():
    settings = with_data(crop="pad", flip="random")
    with load(arrays(14), settings=settings) as data:
        whole = list(data.dataset("train"))
        shares = list(data.dataset("train", None, range(2), 2))
        ones = [list(data.dataset("train", None, range(i, i + 1), 2)) for i in range(2)]
    for number, (images, labels) in enumerate(whole):
        pieces = shares[2 * number : 2 * number + 2]
        np.testing.assert_array_equal(np.concatenate([p[0] for p in pieces]), images)
        np.testing.assert_array_equal(np.concatenate([p[1] for p in pieces]), labels)
        np.testing.assert_array_equal(ones[1][number][0], pieces[1][0])


def test_shifts_are_crops_of_a_padded_image():
    x = np.arange(2 * 6 * 5 * 3).reshape(2, 6, 5, 3).astype("uint8")
    uniforms = np.array([[0.0, 0.99], [0.5, 0.5]])
    moved = shift(x, 2, (7, 8, 9), uniforms)
    np.testing.assert_array_equal(moved[0, 2:, :3], x[0, :4, 2:])
    assert moved[0, 0, 0].tolist() == [7, 8, 9]
    np.testing.assert_array_equal(moved[1], x[1])
    np.testing.assert_array_equal(shift(x, 2, None, uniforms)[0, 0], x[0, 2, [2, 3, 4, 3, 2]])
    mirrored = flip_left_right(x, np.array([True, False]))
    np.testing.assert_array_equal(mirrored[0], x[0, :, ::-1])
    np.testing.assert_array_equal(mirrored[1], x[1])


def test_alternating_flips_show_both_sides_in_two_epochs():
    x, y = arrays(10)
    with load((x, y), settings=with_data(flip="alternating")) as data:
        dataset = data.dataset("train")
        seen = [{np.asarray(i).tobytes() for b in dataset for i in b[0]} for _ in range(2)]
        originals = {each.tobytes() for each in data.train.inputs(range(len(data.train)))}
    assert not seen[0] & seen[1]
    assert 0 < len(seen[0] & originals) < len(originals)
    assert originals < seen[0] | seen[1]


@pytest.mark.parametrize(
    "changes",
    [
        {"color_jitter": 0.5}, {"erasing": 1.0}, {"mixup": 1.0}, {"cutmix": 1.0},
        {"mixup": 0.5, "cutmix": 1.0},
    ],
)  # fmt: skip
def test_keras_layers_draw_the_same_for_the_same_key(changes):
    augment = tf.function(augmentation(with_data(**changes), 2))
    x, y = arrays(8)
    x, y = tf.constant(x), tf.constant(y, tf.int32)
    one, same, other = (
        augment(x, y, tf.constant(key, tf.int64)) for key in ((1, 2), (1, 2), (1, 3))
    )
    np.testing.assert_array_equal(one[0], same[0])
    np.testing.assert_array_equal(one[1], same[1])
    assert np.abs(np.asarray(one[0]) - np.asarray(other[0])).max() > 1
    assert np.abs(np.asarray(one[0]) - x).max() > 1
    assert -1 <= np.asarray(one[0]).min() and np.asarray(one[0]).max() <= 256
    if "mixup" in changes or "cutmix" in changes:
        assert one[1].shape == (16, 2)
        np.testing.assert_allclose(np.asarray(one[1]).sum(axis=1), 1.0, rtol=1e-5)


def test_colours_are_jittered_about_what_they_are():
    augment = tf.function(augmentation(with_data(color_jitter=0.3), 2))
    x = np.zeros((500, 8, 8, 3), "uint8")
    x[..., 0], x[..., 1:] = 150, 90
    x[:, :4] //= 2
    y = np.asarray(
        augment(tf.constant(x), tf.zeros(500, tf.int32), tf.constant([3, 4], tf.int64))[0]
    )
    assert y.mean((0, 1, 2)) == pytest.approx(x.mean((0, 1, 2)), abs=6)
    spread = (y[..., 0] - y[..., 1]).mean((1, 2)) / (x[..., 0] - x[..., 1].astype(float)).mean()
    assert 0.5 < spread.min() < 0.75 and 1.2 < spread.max() < 1.75
    erased = tf.function(augmentation(with_data(erasing=0.25), 2))
    z = np.asarray(
        erased(tf.constant(x), tf.zeros(500, tf.int32), tf.constant([3, 4], tf.int64))[0]
    )
    assert 0.2 < (z != x).any((1, 2, 3)).mean() < 0.3


def test_balance():
    x, y = arrays(12)
    some = np.r_[0:12, 12:15]
    for balance in ("oversample", "class-weights"):
        with load((x[some], y[some]), settings=with_data(balance=balance)) as data:
            batches = list(data.dataset("train"))
            labels = np.concatenate([batch[1] for batch in batches])
            weights = (
                np.concatenate([batch[2] for batch in batches]) if len(batches[0]) > 2 else None
            )
            if balance == "oversample":
                assert len(set(np.bincount(labels).tolist())) == 1
            else:
                assert weights[labels == 0].sum() == pytest.approx(weights[labels == 1].sum())
    with pytest.raises(ZooError, match="no weight for a blend"):
        with_data(balance="class-weights", mixup=0.2)


def test_scoring_sees_the_center_crop(tmp_path):
    write_folder(tmp_path, 4)
    settings = with_data(evaluation_size=32, crop="resized", center_fraction=0.875)
    images = load_labelled_images(tmp_path, classes=["blue", "red"])
    assert isinstance(images, ImageSplit)
    transform = ImageTransform(settings, 24, (0.0, 0.0, 0.0))
    sizes = [image_batches(images, transform, num_classes=2, seed=seed) for seed in (None, 0)]
    assert [each.element_spec[0].shape[1] for each in sizes] == [32, 24]
    ((batch, _),) = list(sizes[0])
    expected = CenterCrop(32, 0.875)(images.inputs([0])[0])
    np.testing.assert_array_equal(batch[0], expected)
    with pytest.raises(ZooError, match="unknown to training: 'red'"):
        load_labelled_images(tmp_path, classes=["blue"])


def test_a_sheet_of_what_training_sees(tmp_path):
    with load(write_folder(tmp_path / "p", 10), settings=AUGMENTED) as data:
        training_sheet(data, tmp_path / "sheet.png", 12)
    with Image.open(tmp_path / "sheet.png") as sheet:
        colours = np.asarray(sheet)
    assert colours.shape[1] > 900
    assert (colours[:120] != 255).mean() > 0.5


def test_the_bundled_images():
    with load(bundled_images()) as data:
        assert data.classes == list(range(10))
        assert (len(data.train) + len(data.validation), len(data.test)) == (1437, 360)
        assert data.image_size == 8


def test_what_looks_like_images(tmp_path):
    write_folder(tmp_path / "p", 1)
    (tmp_path / "texts").mkdir()
    assert image_sources.looks_like_images(str(tmp_path / "p"))
    assert image_sources.looks_like_images(bundled_images())
    assert not image_sources.looks_like_images(tmp_path / "texts")
    assert not image_sources.looks_like_images(tmp_path / "nothing")
    assert not image_sources.looks_like_images(["a.csv"])


# --- images of 16 bits


def write_deep(folder, top, each=6):
    """Write grey PNG files of 16 bits, whose values go up to `top`, into two class folders."""
    for number, label in enumerate(CLASSES):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for seed in range(each):
            values = np.random.default_rng([seed, number]).integers(0, top + 1, (16, 16))
            values[0, 0] = top
            path = folder / label / f"{top}-{seed}.png"
            Image.fromarray(values.astype(np.uint16)).save(path)
    return folder


@pytest.mark.parametrize(("top", "white"), [(200, 255), (2600, 4095), (40_000, 65_535)])
def test_images_of_16_bits_have_one_scale(tmp_path, top, white):
    with load(write_deep(tmp_path, top), image_size=16) as data:
        assert data.deep_scale == data.transform.center_crop.deep_scale == white
        path = data.train.inputs([0])[0]
        values = np.asarray(Image.open(path)).astype(float)
        shown = data.transform.center_crop(path)
        np.testing.assert_array_equal(shown[..., 0], np.floor(values * 255 / white))
        uniforms = np.full(data.transform.uniforms, 0.5)
        np.testing.assert_array_equal(data.transform.training_crop(path, uniforms), shown)
        assert f"with values up to {top:,}: {100 * top / 65535:.1f} % of their range" in said(data)


def test_the_scale_of_16_bits_is_that_of_the_training_part(tmp_path):
    write_deep(tmp_path / "train", 2600)
    write_deep(tmp_path / "test", 60_000)
    with load(tmp_path) as data:
        assert data.deep_scale == 4095
        assert "test: 12 images are of 16 bits with values above 4,095" in said(data)
        assert data.transform.center_crop(data.test.inputs([0])[0]).max() == 255
    write_deep(tmp_path / "mixed", 60_000)
    write_deep(tmp_path / "mixed", 200)
    with load(tmp_path / "mixed") as data:
        assert "bits with no value above 5 % of what becomes white (65,535)" in said(data)


def test_a_saved_classifier_keeps_the_scale_of_16_bits(tmp_path):
    with load(write_deep(tmp_path / "data", 2600), image_size=16) as data:
        network = build(load_preset("resnet", "debug", {"architecture.num_classes": 2}))
        ImageClassifier(network, data.classes, data.transform.center_crop).save(tmp_path / "model")
    assert json.loads((tmp_path / "model" / "labels.json").read_text())["deep_scale"] == 4095
    assert load_image_classifier(tmp_path / "model").center_crop.deep_scale == 4095


def test_sixteen_bits_a_colour_are_told(tmp_path):
    """Pillow writes no such file: one is made by hand, of 4 x 4 pixels."""
    write_folder(tmp_path, 4)

    def chunk(kind, content):
        checked = zlib.crc32(kind + content).to_bytes(4, "big")
        return len(content).to_bytes(4, "big") + kind + content + checked

    lines = b"".join(b"\0" + bytes([0, 200, 128, 0, 255, 255]) * 4 for _ in range(4))
    header = (4).to_bytes(4, "big") * 2 + bytes([16, 2, 0, 0, 0])
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    content = b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)
    (tmp_path / "red" / "deep.png").write_bytes(content)
    pixel = np.asarray(open_image(tmp_path / "red" / "deep.png"))[0, 0]
    assert pixel.tolist() == [0, 128, 255]
    with load(tmp_path) as data:
        assert "1 of 16 bits a colour" in said(data) and "the upper 8 are read" in said(data)


# --- what is held out


def test_held_out_images_leave_no_trace(tmp_path):
    """Sizes, colours, 16 bits and classes of validation and test decide nothing."""
    found = []
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
            found.append((*decided, data.pixel_std, [each.tolist() for each in batches]))
    assert found[0] == found[1]
