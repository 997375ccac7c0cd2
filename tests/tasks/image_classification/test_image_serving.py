"""What a server does with the bytes it is sent: the same images as in training, or a refusal."""

import io
import struct

import numpy as np
import PIL
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from zoo.tasks.image_classification.image import CenterCrop, center_crop
from zoo.tasks.image_classification.serving import crop
from zoo.tasks.image_classification.serving import headers as image_headers
from zoo.tasks.image_classification.serving.gif import first_image
from zoo.tasks.image_classification.serving.graph import read_images

GENERATOR = np.random.default_rng(0)
# Of 255. Pillow 13 resizes the rows of tall images first, as the graph does; older ones never do.
MOST = 0 if int(PIL.__version__.split(".")[0]) >= 13 else 1


def pixels(height, width):
    return GENERATOR.integers(0, 256, (height, width, 3)).astype(np.uint8)


def content(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def problem(some: bytes) -> str:
    return image_headers.problem(tf.constant(some)).numpy().decode()


FRAMES = [Image.fromarray(pixels(23, 37)) for _ in range(3)]
MOVING = {"save_all": True, "append_images": FRAMES[1:]}
FILES = {
    "png": content(FRAMES[0], "PNG"),
    "apng": content(FRAMES[0], "PNG", **MOVING),
    "jpeg": content(FRAMES[0], "JPEG"),
    "progressive": content(FRAMES[0], "JPEG", progressive=True),
    "gif": content(FRAMES[0], "GIF"),
    "animated gif": content(FRAMES[0], "GIF", **MOVING),
    "bmp": content(FRAMES[0], "BMP"),
    "lossy webp": content(FRAMES[0], "WEBP"),
    "lossless webp": content(FRAMES[0], "WEBP", lossless=True),
    "extended webp": content(FRAMES[0], "WEBP", icc_profile=b"colours"),
    "damaged exif": content(FRAMES[0], "WEBP", exif=b"Exif\x00\x00II*\x00"),
    "animated webp": content(FRAMES[0], "WEBP", **MOVING),
}


SIDES = st.integers(1, 9) | st.integers(10, 99) | st.integers(100, 400)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(SIDES, SIDES, st.integers(1, 64), st.sampled_from([1.0, 0.875, 0.5]) | st.floats(0.01, 1.0))
@example(1, 1, 24, 1.0)
@example(1, 1500, 24, 1.0)
@example(1500, 1, 24, 1.0)
@example(24, 24, 24, 1.0)
@example(1001, 777, 97, 0.875)  # averaged before it is resized
def test_the_center_crop_is_that_of_training(height, width, size, fraction) -> None:
    image = pixels(height, width)
    served = crop.center_crop(tf.constant(image), size, fraction).numpy()
    assert served.shape == (size, size, 3)
    difference = np.abs(served - center_crop(Image.fromarray(image), size, fraction)).max()
    assert difference <= MOST


@pytest.mark.parametrize("name", FILES)
def test_files_are_shown_to_the_network_as_in_training(name, tmp_path) -> None:
    path = tmp_path / "image"
    path.write_bytes(FILES[name])
    center = CenterCrop(16, 0.9)
    served = read_images(tf.constant([FILES[name]]), center).numpy()[0]
    np.testing.assert_allclose(served, center(path).astype(float), atol=MOST)


@pytest.mark.parametrize("scale", [255, 4095, 65535])
def test_grey_of_16_bits_has_the_scale_of_training(scale, tmp_path) -> None:
    path = tmp_path / "deep.png"
    deep = GENERATOR.integers(0, scale + 1, (30, 40)).astype(np.uint16)
    path.write_bytes(content(Image.fromarray(deep), "PNG"))
    center = CenterCrop(16, 1.0, scale)
    expected = center(path).astype(float)
    assert expected.max() > 150
    served = read_images(tf.constant([path.read_bytes()]), center).numpy()[0]
    np.testing.assert_allclose(served, expected, atol=MOST)
    # What is beyond the scale is white.
    white = content(Image.fromarray(np.full((9, 9), 65535, np.uint16)), "PNG")
    assert (read_images(tf.constant([white]), center).numpy() == 255).all()


@pytest.mark.parametrize("name", FILES)
def test_sizes_are_read_before_anything_is_decoded(name, monkeypatch) -> None:
    assert problem(FILES[name]) == ""
    monkeypatch.setattr(image_headers, "MOST_PIXELS", 37 * 23)
    assert problem(FILES[name]) == ""
    monkeypatch.setattr(image_headers, "MOST_PIXELS", 37 * 23 - 1)
    assert problem(FILES[name]) == "has 37 x 23 pixels, more than 850"


def test_many_pixels_in_a_small_file_are_refused() -> None:
    header = struct.pack(">II", 2**32 - 1, 2**32 - 1)
    assert problem(FILES["png"][:16] + header + FILES["png"][24:]).startswith(
        "has 4294967295 x 4294967295 pixels, more than 178,956,970"
    )
    # The first image of a GIF may be larger than its header says.
    gif = FILES["gif"]
    start = gif.index(b",\x00\x00\x00\x00\x25\x00\x17\x00")
    large = gif[: start + 5] + b"\xff\xff\xff\xff" + gif[start + 9 :]
    assert problem(large).startswith("has 65535 x 65535 pixels")


def test_of_a_gif_nothing_is_decoded_after_its_first_image() -> None:
    cut = tf.function(first_image, input_signature=[tf.TensorSpec([], tf.string)])
    for options in ({}, {"comment": b"x" * 700}):
        one = content(FRAMES[0], "GIF", **options)
        start = one.index(b",\x00\x00\x00\x00\x25\x00\x17\x00")
        several = one[:-1] + one[start:-1] * 5 + b";"
        assert cut(tf.constant(several)).numpy() == one
        assert cut(tf.constant(one)).numpy() == one
    for length in range(0, len(one), 50):  # the loops end
        cut(tf.constant(one[:length]))


@pytest.mark.parametrize(
    ("some", "message"),
    [
        (b"", "is empty"),
        (b"plain text", "is not an image of PNG, JPEG, WEBP, BMP, GIF"),
        (b"\x00\x00\x00\x0cJXL \r\n\x87\n" + bytes(60), "is not an image"),
        (b"\xff\x0a" + bytes(60), "is not an image"),  # JPEG XL, which TensorFlow would decode
        (FILES["png"][:-20], "is truncated"),
        (FILES["jpeg"][:-20], "is truncated"),
        (FILES["lossy webp"][:-20], "is truncated"),
        (FILES["animated webp"][:-20], "is truncated"),
        (b"RIFF\x04\x00\x00\x00WEBP", "is not an image"),
    ],
)
def test_what_no_decoder_sees(some, message) -> None:
    assert problem(some).startswith(message)


def test_the_position_of_each_bad_file_is_named() -> None:
    good = FILES["png"]
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        read_images(tf.constant([good, b"", good, FILES["jpeg"][:-30]]), CenterCrop(8, 1.0))
    assert "images[1] is empty; images[3] is truncated" in str(caught.value)
    with pytest.raises(tf.errors.InvalidArgumentError, match="there are no images"):
        read_images(tf.constant([], tf.string), CenterCrop(8, 1.0))


@pytest.mark.parametrize(("size", "fraction"), [(8, 1.0), (24, 0.875), (97, 1.0)])
def test_the_crop_of_a_graph_is_that_of_training(size, fraction) -> None:
    """Traced once for images of any size, as a server runs it."""
    graph = tf.function(
        lambda image: crop.center_crop(image, size, fraction),
        input_signature=[tf.TensorSpec([None, None, 3], tf.uint8)],
    )
    generator = np.random.default_rng(0)
    for sides in ((1, 1), (1, 50), (24, 24), (33, 47), (97, 97), (255, 333), (777, 1001)):
        image = generator.integers(0, 256, (*sides, 3), np.uint8)
        expected = center_crop(Image.fromarray(image), size, fraction).astype(int)
        difference = np.abs(graph(image).numpy().astype(int) - expected)
        assert difference.max() <= MOST, sides
        assert difference.mean() < 0.05, sides
