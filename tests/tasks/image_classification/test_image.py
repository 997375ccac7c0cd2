"""One image: its check, its pixels in red, green and blue, upright, and its crops."""

import json
import zlib

import numpy as np
import pytest
from image_parts import load, messages, pixels, write_deep, write_folder
from PIL import Image

from zoo.builders import build
from zoo.preset.loading import load_preset
from zoo.tasks.image_classification.image import center_crop, check_image, open_image, random_crop
from zoo.tasks.image_classification.predictor import ImageClassifier, load_image_classifier


def test_images_of_all_colours_become_red_green_and_blue(tmp_path):
    red = np.zeros((16, 16, 4), np.uint8)
    red[..., 0], red[:8, :, 3] = 255, 255  # the lower half is transparent
    Image.fromarray(red).save(tmp_path / "alpha.png")
    grey = Image.fromarray(np.full((16, 16), 100, np.uint8))
    grey.save(tmp_path / "grey.png")
    Image.fromarray(np.full((16, 16), 100 * 257, np.uint16)).save(tmp_path / "deep.png")
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "cmyk.jpg", quality=95)
    grey.convert("P").save(tmp_path / "palette.gif")
    shown = {path.stem: np.asarray(open_image(path)) for path in tmp_path.iterdir()}
    assert all(image.shape == (16, 16, 3) for image in shown.values())
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


def test_crops_of_an_image():
    x = np.zeros((30, 60, 3), np.uint8)
    x[:, 15:45] = 200  # the middle square
    image = Image.fromarray(x)
    assert (center_crop(image, 30, 1.0) == 200).all()
    assert center_crop(image, 10, 0.5).shape == (10, 10, 3)
    crop = random_crop(image, 16, 1.0, np.array([0.5, 1.0, 0.5, 0.5]))
    assert crop.shape == (16, 16, 3)
    uniforms = np.random.default_rng(0).random((50, 4))
    means = {round(random_crop(image, 8, 0.1, numbers).mean()) for numbers in uniforms}
    assert len(means) > 10


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
        assert f"with values up to {top:,}: {100 * top / 65535:.1f} % of their range" in messages(
            data
        )


def test_the_scale_of_16_bits_is_that_of_the_training_part(tmp_path):
    write_deep(tmp_path / "train", 2600)
    write_deep(tmp_path / "test", 60_000)
    with load(tmp_path) as data:
        assert data.deep_scale == 4095
        assert "test: 12 images are of 16 bits with values above 4,095" in messages(data)
        assert data.transform.center_crop(data.test.inputs([0])[0]).max() == 255
    write_deep(tmp_path / "mixed", 60_000)
    write_deep(tmp_path / "mixed", 200)
    with load(tmp_path / "mixed") as data:
        assert "bits with no value above 5 % of what becomes white (65,535)" in messages(data)


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
    content = b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*pair) for pair in chunks)
    (tmp_path / "red" / "deep.png").write_bytes(content)
    pixel = np.asarray(open_image(tmp_path / "red" / "deep.png"))[0, 0]
    assert pixel.tolist() == [0, 128, 255]
    with load(tmp_path) as data:
        assert "1 of 16 bits a colour" in messages(data) and "the upper 8 are read" in messages(
            data
        )
