"""Batches of images: order, replicas, resuming, random changes, balance."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from image_parts import arrays, load, with_data, write_folder
from PIL import Image

from zoo import ZooError
from zoo.data.epochs import EpochCursor
from zoo.data.targets import ClassTargets
from zoo.tasks.image_classification.augment import augmentation, flip_left_right, shift
from zoo.tasks.image_classification.batches import image_batches
from zoo.tasks.image_classification.data import load_labelled_images
from zoo.tasks.image_classification.image import CenterCrop
from zoo.tasks.image_classification.sheet import _caption, training_sheet
from zoo.tasks.image_classification.sources.source import ImageSplit
from zoo.tasks.image_classification.transform import ImageTransform
from zoo.tasks.request import Request

TARGETS = ClassTargets([0, 1])
AUGMENTED = with_data(crop="pad", flip="random", color_jitter=0.3, erasing=0.5, mixup=0.2)


def test_an_epoch_shows_every_image_once_and_in_another_order_the_next_time():
    x, y = arrays(20)
    with load((x, y)) as data:
        dataset = data.dataset("train")
        epochs = [np.concatenate([np.asarray(b[0])[:, 0, 0] for b in dataset]) for _ in range(2)]
        again = [np.concatenate([np.asarray(b[0])[:, 0, 0] for b in data.dataset("train")])]
        assert dataset.cardinality() == -(-len(data.train) // 8)
    np.testing.assert_array_equal(epochs[0], again[0])
    assert (epochs[0] != epochs[1]).any()
    np.testing.assert_array_equal(*(np.sort(epoch, axis=0) for epoch in epochs))


@pytest.mark.parametrize("files", [True, False])
def test_an_epoch_is_resumed_in_its_middle(files, tmp_path):
    source = write_folder(tmp_path, 14) if files else arrays(14)
    settings = AUGMENTED if files else with_data(crop="pad", flip="alternating")
    with load(source, image_size=16, settings=settings) as data:
        epoch = list(data.dataset("train", EpochCursor()))
        cursor = EpochCursor()
        cursor.set(0, 2)
        rest = list(data.dataset("train", cursor))
    assert len(rest) == len(epoch) - 2
    for expected, batch in zip(epoch[2:], rest, strict=True):
        for a, b in zip(expected, batch, strict=True):
            np.testing.assert_array_equal(a, b)


def test_replicas_share_a_batch_by_row():
    settings = with_data(crop="pad", flip="random")
    with load(arrays(14), settings=settings) as data:
        batches = list(data.dataset("train"))
        shares = list(data.dataset("train", None, range(2), 2))
        ones = [list(data.dataset("train", None, range(i, i + 1), 2)) for i in range(2)]
    for number, (images, labels) in enumerate(batches):
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
        originals = {image.tobytes() for image in data.train.inputs(range(len(data.train)))}
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
def test_the_same_key_gives_the_same_changes(changes):
    augment = tf.function(augmentation(with_data(**changes), TARGETS))
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


GROWING = {
    "crop": "resized", "flip": "random", "randaugment_ops": 2, "randaugment_magnitude": 0.9,
    "mixup": 0.4, "resizing.name": "progressive", "resizing.stages": 3, "resizing.first_size": 8,
}  # fmt: skip


@pytest.mark.parametrize(
    ("epochs", "sizes"),
    [(6, [8, 8, 12, 12, 16, 16]), (7, [8, 8, 8, 12, 12, 16, 16]), (2, [8, 16]), (1, [16])],
)
def test_images_grow_over_the_epochs(epochs, sizes):
    with load(arrays(9), image_size=16, settings=with_data(**GROWING)) as data:
        dataset = dataclasses.replace(data, epochs=epochs).dataset("train")
        assert [next(iter(dataset))[0].shape[1] for _ in range(epochs + 1)] == [*sizes, 16]
        stages = data.transform.stages(epochs)
        (scored, *_), *_ = data.dataset("validation")
    assert scored.shape[1:3] == (16, 16)
    count = len(stages)
    shares = [number / (count - 1) if count > 1 else 1.0 for number in range(count)]
    for key, last in (("randaugment_magnitude", 0.9), ("mixup", 0.4)):
        values = [getattr(stage.settings, key) for stage in stages]
        assert values == pytest.approx([share * last for share in shares])


def test_images_are_blended_once_mixup_has_grown():
    with load(arrays(9), image_size=16, settings=with_data(**GROWING)) as data:
        dataset = dataclasses.replace(data, epochs=3).dataset("train")
        labels = [np.concatenate([np.asarray(batch[1]) for batch in dataset]) for _ in range(3)]
    assert all(each.shape[1] == 2 and each.dtype == np.float32 for each in labels)
    blended = [((each > 0) & (each < 1)).any() for each in labels]
    assert blended == [False, True, True]


def test_a_stage_is_resumed_in_its_middle_and_shared_by_replicas():
    with load(arrays(14), image_size=16, settings=with_data(**GROWING)) as data:
        data = dataclasses.replace(data, epochs=3)
        dataset = data.dataset("train")
        epochs = [list(dataset) for _ in range(2)]
        cursor = EpochCursor()
        cursor.set(1, 2)
        for expected, batch in zip(epochs[1][2:], data.dataset("train", cursor), strict=True):
            for a, b in zip(expected, batch, strict=True):
                np.testing.assert_array_equal(a, b)
        shared = data.dataset("train", None, range(1, 2), 2)
        shapes = [next(iter(shared))[0].shape[:3] for _ in range(3)]
    assert shapes == [(4, 8, 8), (4, 12, 12), (4, 16, 16)]


def test_colours_are_jittered_about_what_they_are():
    augment = tf.function(augmentation(with_data(color_jitter=0.3), TARGETS))
    x = np.zeros((500, 8, 8, 3), "uint8")
    x[..., 0], x[..., 1:] = 150, 90
    x[:, :4] //= 2
    y = np.asarray(
        augment(tf.constant(x), tf.zeros(500, tf.int32), tf.constant([3, 4], tf.int64))[0]
    )
    assert y.mean((0, 1, 2)) == pytest.approx(x.mean((0, 1, 2)), abs=6)
    spread = (y[..., 0] - y[..., 1]).mean((1, 2)) / (x[..., 0] - x[..., 1].astype(float)).mean()
    assert 0.5 < spread.min() < 0.75 and 1.2 < spread.max() < 1.75
    erased = tf.function(augmentation(with_data(erasing=0.25), TARGETS))
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
    images = load_labelled_images(Request(tmp_path), ["blue", "red"])
    assert isinstance(images, ImageSplit)
    transform = ImageTransform(settings, 24, (0.0, 0.0, 0.0))
    datasets = [image_batches(images, transform, seed=seed) for seed in (None, 0)]
    assert [dataset.element_spec[0].shape[1] for dataset in datasets] == [32, 24]
    ((batch, _),) = list(datasets[0])
    expected = CenterCrop(32, 0.875)(images.inputs([0])[0])
    np.testing.assert_array_equal(batch[0], expected)
    with pytest.raises(ZooError, match="unknown to training: 'red'"):
        load_labelled_images(Request(tmp_path), ["blue"])


@pytest.mark.parametrize(
    ("label", "caption"),
    [
        (1, "dog"),
        ([0.0, 1.0, 0.0], "dog"),
        ([1.0, 1.0, 1.0], "cat|dog|owl"),
        ([0.0, 0.0, 0.0], "no label"),
        ([0.25, 0.75, 0.0], "dog 0.75\ncat 0.25"),
    ],
)
def test_what_stands_below_an_image(label, caption):
    assert _caption(np.asarray(label), ["cat", "dog", "owl"]) == caption


def test_a_sheet_of_what_training_sees(tmp_path):
    with load(write_folder(tmp_path / "p", 10), settings=AUGMENTED) as data:
        training_sheet(data, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        colours = np.asarray(sheet)
    assert colours.shape[1] > 900
    assert (colours[:120] != 255).mean() > 0.5
