"""The exported graph reads files as Pillow does: colours, transparency, and which way is up."""

import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from zoo.tasks.image_classification.image import open_image
from zoo.tasks.image_classification.serving.decode import decode_image, orientation

GENERATOR = np.random.default_rng(0)
PIXELS = GENERATOR.integers(0, 256, (6, 9, 3)).astype("uint8")
ALPHA = GENERATOR.integers(0, 256, (6, 9, 1)).astype("uint8")
COLOURS = Image.fromarray(PIXELS)
LAYER = Image.fromarray(np.concatenate([PIXELS, ALPHA], axis=2))
decode = tf.function(decode_image, input_signature=[tf.TensorSpec([], tf.string)], autograph=False)


def content(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("image", "kind", "options"),
    [
        (COLOURS, "PNG", {}),
        (COLOURS, "BMP", {}),
        (COLOURS, "GIF", {}),
        (COLOURS, "JPEG", {"quality": 95}),
        (COLOURS, "WEBP", {"lossless": True}),
        (COLOURS, "WEBP", {"save_all": True, "append_images": [LAYER], "lossless": True}),
        (LAYER, "WEBP", {"save_all": True, "append_images": [COLOURS], "lossless": True}),
        (COLOURS, "GIF", {"save_all": True, "append_images": [COLOURS.rotate(180)] * 9}),
        (COLOURS, "PNG", {"save_all": True, "append_images": [COLOURS.rotate(180)]}),
        (COLOURS.convert("CMYK"), "JPEG", {"quality": 95}),
        (COLOURS.convert("L"), "PNG", {}),
        (COLOURS.convert("L"), "JPEG", {"quality": 95}),
        (COLOURS.convert("P"), "PNG", {}),
        (COLOURS.convert("P"), "PNG", {"transparency": 3}),
        (LAYER, "PNG", {}),
        (LAYER, "WEBP", {"lossless": True, "exact": True}),
        (LAYER.convert("LA"), "PNG", {}),
    ],
)
def test_pixels_are_those_of_training(image, kind, options, tmp_path):
    path = tmp_path / f"image.{kind.lower()}"
    path.write_bytes(content(image, kind, **options))
    decoded = decode(tf.constant(path.read_bytes())).numpy().astype(int)
    np.testing.assert_allclose(decoded, np.asarray(open_image(path), int), atol=1)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("turned", range(1, 9))
def test_images_are_turned_upright(turned, kind, tmp_path):
    options = {"quality": 95} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "a maker's name", turned
    path = tmp_path / f"image.{kind.lower()}"
    path.write_bytes(content(COLOURS, kind, exif=exif, **options))
    assert int(orientation(tf.constant(path.read_bytes()))) == turned
    decoded = decode(tf.constant(path.read_bytes())).numpy().astype(int)
    np.testing.assert_allclose(decoded, np.asarray(open_image(path), int), atol=1)


def test_inks_without_a_mark_are_those_of_training(tmp_path):
    path = tmp_path / "inks.jpg"
    written = content(COLOURS.convert("CMYK"), "JPEG", quality=95)
    marker = written.index(b"\xff\xee")
    length = int.from_bytes(written[marker + 2 : marker + 4], "big")
    path.write_bytes(written[:marker] + written[marker + 2 + length :])
    assert b"Adobe" not in path.read_bytes()
    decoded = decode(tf.constant(path.read_bytes())).numpy().astype(int)
    np.testing.assert_allclose(decoded, np.asarray(open_image(path), int), atol=1)
    np.testing.assert_allclose(decoded.mean(axis=(0, 1)), PIXELS.mean(axis=(0, 1)), atol=12)


@pytest.mark.parametrize("least", [40, 20, 11, 5])
def test_large_jpegs_come_smaller_as_in_training(least, tmp_path):
    path = tmp_path / "large.jpg"
    path.write_bytes(content(COLOURS.resize((203, 161)), "JPEG"))
    decoded = decode_image(tf.constant(path.read_bytes()), least).numpy().astype(int)
    np.testing.assert_allclose(decoded, np.asarray(open_image(path, least), int), atol=1)


def exif_of(tags: bytes) -> bytes:
    plain = content(COLOURS, "JPEG")
    segment = b"Exif\x00\x00" + tags
    return plain[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + plain[2:]


def test_both_orders_of_bytes_and_damaged_data():
    for order, head in (("<", b"II*\x00"), (">", b"MM\x00*")):
        entry = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, 6, 0)
        whole = head + struct.pack(f"{order}IH", 8, 1) + entry
        assert int(orientation(tf.constant(exif_of(whole)))) == 6
        for length in range(len(whole) - 4):
            assert int(orientation(tf.constant(exif_of(whole[:length])[: 12 + length]))) == 1
        far = head + struct.pack(f"{order}IH", 50_000, 1) + entry
        assert int(orientation(tf.constant(exif_of(far)))) == 1
        wrong = whole.replace(struct.pack(f"{order}HH", 6, 0), struct.pack(f"{order}HH", 60, 0))
        assert int(orientation(tf.constant(exif_of(wrong)))) == 1
    assert int(orientation(tf.constant(b""))) == 1
    assert int(orientation(tf.constant(content(COLOURS, "JPEG")))) == 1
