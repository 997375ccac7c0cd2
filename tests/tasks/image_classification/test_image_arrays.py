"""Images and labels in memory: arrays, lists, `.npz` files and `tf.data`, and their scale."""

import tempfile

import keras
import numpy as np
import pandas
import pytest
import tensorflow as tf
from image_parts import CLASSES, arrays, load, messages, pixels, write_folder
from PIL import Image

import zoo
from zoo import ZooError
from zoo.preset.loading import load_preset
from zoo.tasks.image_classification.image import open_image
from zoo.tasks.image_classification.sources import arrays as image_arrays
from zoo.tasks.request import Request
from zoo.tasks.text_classification.data import load_data


def all_pixels(data):
    """The pixels of all images in their order."""
    pixels = {}
    for part in (data.train, data.validation):
        images = part.inputs(range(len(part)))
        pixels |= dict(zip(part.split.rows.tolist(), images, strict=True))
    return [np.asarray(pixels[row]) for row in range(len(pixels))]


# --- one scale


@pytest.mark.parametrize("batch", [None, 1, 3, 8])
@pytest.mark.parametrize("first", [True, False])
def test_floats_have_one_scale_in_a_whole_dataset(batch, first):
    x, y = arrays()
    dark = np.linspace(0, 1, x[0].size).reshape(x[0].shape)
    floats = x.astype("float32")
    floats[0 if first else 9] = floats[10] = dark  # black in [0, 255]
    dataset = tf.data.Dataset.from_tensor_slices((floats, y))
    with load(dataset if batch is None else dataset.batch(batch)) as data:
        for one, other in zip(all_pixels(data), floats, strict=True):
            np.testing.assert_array_equal(one, np.floor(other + 0.5).astype("uint8"))
        where = "dataset: 2 images have no value above 1, where 255 is white: number"
        assert f"{where} {'1' if first else '10'}, 11." in messages(data)
    with load(dataset.map(lambda image, label: (image / 255, label)).batch(batch or 5)) as data:
        np.testing.assert_array_equal(all_pixels(data)[3], x[3])
        assert "no value above 1" not in messages(data)
    small = dataset.map(lambda image, label: (tf.cast(image / 255, tf.bfloat16), label))
    with load(small.batch(batch or 5)) as data:
        assert np.abs(all_pixels(data)[3].astype(int) - x[3]).max() <= 1
    with load((floats, y)) as data:
        np.testing.assert_array_equal(all_pixels(data)[3], x[3])
        assert "images: 2 images have no value above 1" in messages(data)


def test_the_parts_of_a_file_have_one_scale(tmp_path):
    x, y = arrays()
    np.savez(tmp_path / "a.npz", x_train=x / 1.0, y_train=y, x_test=x[:4] / 255, y_test=y[:4])
    with load(tmp_path / "a.npz") as data:
        assert max(map(np.max, data.test.inputs(range(4)))) <= 1
        assert "x_test: 4 images have no value above 1" in messages(data)
    np.savez(tmp_path / "b.npz", x_train=x / 255, y_train=y, x_test=x[:4] / 1.0, y_test=y[:4])
    with pytest.raises(ZooError, match="x_test: the values go to .* those of the training part"):
        load(tmp_path / "b.npz")


# --- labels


def test_one_hot_labels_become_their_class():
    x, y = arrays()
    eye = np.eye(2)[y]
    dataset = tf.data.Dataset.from_tensor_slices((x, eye))
    for source in ((x, eye), (x, eye.astype(bool)), dataset, dataset.batch(5)):
        with load(source) as data:
            assert data.classes == [0, 1]
            assert len(data.train) + len(data.validation) == len(x)
    for labels, message in (
        (eye * 0.9 + 0.05, "row 1: labels of shape .* must be 0 or 1 of each class.*Shares"),
        (np.zeros((24, 2, 2)), "labels must be one an example"),
        (eye[:5], "24 images and labels of shape"),
    ):
        with pytest.raises(ZooError, match=message):
            load((x, labels))
    eye[3] = 0
    with pytest.raises(ZooError, match="row 4: no label, and no row has several"):
        load(tf.data.Dataset.from_tensor_slices((x, eye)))
    eye[4] = 1
    for source in ((x, eye), tf.data.Dataset.from_tensor_slices((x, eye)).batch(5)):
        with load(source) as data:
            assert data.kind.name == "several" and data.classes == [0, 1]
            assert any("several labels a row" in finding.what for finding in data.findings)


@pytest.mark.parametrize("mode", ["int", "categorical", "binary"])
def test_the_class_names_of_keras_datasets(tmp_path, mode):
    write_folder(tmp_path, 6)
    images = keras.utils.image_dataset_from_directory(
        tmp_path, image_size=(16, 16), batch_size=5, label_mode=mode, verbose=False
    )
    with load(images) as data:
        assert data.classes == ["blue", "red"]
        labels = np.concatenate([part.labels for part in (data.train, data.validation)])
        red = [image[..., 0].mean() > image[..., 2].mean() for image in all_pixels(data)]
        assert sum(red) == sum(labels) == 6
    for label in CLASSES:
        for number in range(4):
            (tmp_path / "t" / label).mkdir(parents=True, exist_ok=True)
            (tmp_path / "t" / label / f"{number}.txt").write_text(f"{label} thing {number}")
    texts = keras.utils.text_dataset_from_directory(
        tmp_path / "t", batch_size=3, label_mode=mode, verbose=False
    )
    with load_data(
        Request(texts), settings=load_preset("textcnn", "default").data, vocabulary_size=50
    ) as data:
        assert data.classes == ["blue", "red"]
        text, label = data.train.inputs([0])[0], data.train.labels[0]
        assert text.startswith(data.classes[label])


@pytest.mark.parametrize("model", ["resnet", "textcnn"])
def test_weights_of_single_examples_are_refused(tmp_path, model):
    x = arrays()[0] if model == "resnet" else [f"good {n}" for n in range(24)]
    y, weights = arrays()[1], np.ones(24)
    dataset = tf.data.Dataset.from_tensor_slices((x, y, weights))
    for source in (dataset, dataset.batch(4)):
        with pytest.raises(ZooError, match=r"label, weight\): weights of single .*data\.balance"):
            zoo.train(model, source, out=tmp_path / "run", verbose=False)
    with pytest.raises(ZooError, match=r"s, labels, weights\): weights of single"):
        zoo.train(model, (x, y, weights), out=tmp_path / "run", verbose=False)


# --- what else people have in memory


def test_images_of_several_sizes_in_a_list(tmp_path):
    images = [pixels(label, n, 16 + n, 20) for label in CLASSES for n in range(12)]
    _, y = arrays()
    several = np.empty(24, object)
    several[:] = images
    for source in ((images, y), (several, y), ([i / 255 for i in images], y.tolist())):
        with load(source) as data:
            for one, other in zip(all_pixels(data), images, strict=True):
                np.testing.assert_array_equal(one, other)
            assert next(iter(data.dataset("train")))[0].shape == (8, 20, 20, 3)
    with load(([Image.fromarray(image).convert("P") for image in images], y)) as data:
        assert all_pixels(data)[0].shape == images[0].shape
    with pytest.raises(ZooError, match=r"images: image 2: images must be .*\(1, 4, 4, 7\)"):
        load(([images[0], np.zeros((4, 4, 7))], [0, 1]))


def test_two_pairs_are_train_and_test(tmp_path):
    x, y = arrays()
    with load(((x, y), (x[:4], y[:4]))) as data:
        assert (len(data.train) + len(data.validation), len(data.test)) == (24, 4)
    with load((tuple(x[[0, 1, -2, -1]]), tuple(y[[0, 1, -2, -1]]))) as data:
        assert data.test is None


def test_paths_and_labels_and_frames(tmp_path, monkeypatch):
    monkeypatch.chdir(write_folder(tmp_path, 8))
    paths = [str(path) for path in sorted((tmp_path).rglob("*.png"))]
    labels = [path.split("/")[-2].upper() for path in paths]
    relative = [path.removeprefix(f"{tmp_path}/") for path in paths]
    for source in (
        (paths, labels),
        (list(map(tmp_path.joinpath, relative)), labels),
        (np.array(relative), np.array(labels)),
        pandas.DataFrame({"filename": relative, "label": labels}),
    ):
        with load(source) as data:
            assert data.classes == ["BLUE", "RED"]
            assert len(data.train) + len(data.validation) == 16
    with pytest.raises(ZooError, match=r"data: 1 image is not there: row 1 'red/none\.png'"):
        load((["red/none.png", *relative[1:]], labels))
    for source in (["red", "blue"], ("red", "blue"), ["red/000.png", "blue/000.png"]):
        with pytest.raises(ZooError, match="several paths are no labelled images: red.*one folder"):
            load(source)


@pytest.mark.parametrize(
    "names", [("X", "y"), ("X_train", "Y_train"), ("data", "labels"), ("Images", "LABELS")]
)
def test_names_in_npz_files_in_any_case(tmp_path, names):
    x, y = arrays()
    np.savez(tmp_path / "a.npz", **dict(zip(names, (x, np.eye(2)[y]), strict=True)))
    with load(tmp_path / "a.npz") as data:
        assert len(data.train) + len(data.validation) == 24


def test_what_npz_files_must_not_hold(zoo_command, tmp_path):
    x, y = arrays()
    np.savez(tmp_path / "a.npz", x=x, y=np.array(["a", None] * 12, object))
    assert "labels.astype(str)" in zoo_command("data", tmp_path / "a.npz", code=1).stderr
    np.savez(tmp_path / "b.npz", x=x.astype("uint16") * 257, y=y)
    ended = zoo_command("data", tmp_path / "b.npz", code=1)
    assert "Values of 16 bits become 8 with images // 257" in ended.stderr


def test_a_full_folder_of_temporary_files(monkeypatch):
    """`/dev/full` refuses every byte, as a full disk does."""
    x, y = arrays()
    full = tempfile.TemporaryFile

    def opened(*_, prefix="", **options):
        return open("/dev/full", "r+b", buffering=0) if "images" in prefix else full(**options)  # noqa: PTH123

    monkeypatch.setattr(tempfile, "TemporaryFile", opened)
    with pytest.raises(ZooError, match="the images cannot be kept there: No space.*TMPDIR"):
        load(tf.data.Dataset.from_tensor_slices((x, y)))


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
        assert "also in train" in messages(data)
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
    np.savez(tmp_path / "b.npz", photos=np.zeros(3))
    with pytest.raises(ZooError, match=r"b\.npz: holds no arrays .images.*photos"):
        load(tmp_path / "b.npz")
    np.savez(tmp_path / "c.npz", images=np.array([{}, {}], object), labels=np.zeros(2))
    with pytest.raises(ZooError, match=r"c\.npz: is not an \.npz file of plain arrays"):
        load(tmp_path / "c.npz")
    np.savez(tmp_path / "d.npz", images=arrays()[0], labels=arrays()[1], classes=np.array(["a"]))
    with pytest.raises(ZooError, match=r"labels go from 0 to 1, but .classes. has 1"):
        load(tmp_path / "d.npz")
