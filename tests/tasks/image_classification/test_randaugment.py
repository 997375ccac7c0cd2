"""RandAugment: what each operation does, and that each image has its own."""

import numpy as np

from zoo.preset.loading import load_preset
from zoo.tasks.image_classification.data import load_images
from zoo.tasks.image_classification.randaugment import OPERATIONS, randaugment
from zoo.tasks.request import Request

FILL = (10.0, 20.0, 30.0)
COUNT = 14  # operations of the paper


def image(size=32):
    return np.random.default_rng(0).integers(60, 180, (size, size, 3)).astype("uint8")


def applied(number, strength, pixels):
    side = 0.0 if strength > 0 else 0.9
    uniforms = np.array([[(number + 0.5) / COUNT, side]])
    return randaugment(pixels, abs(strength), FILL, uniforms)


def test_there_are_the_papers_operations_and_without_strength_most_change_nothing():
    x = image()
    assert len(OPERATIONS) == COUNT
    still = [number for number in range(COUNT) if (applied(number, 0.0, x) == x).all()]
    assert still == [0, *range(3, COUNT)]  # not autocontrast, not equalize


def test_operations_against_their_definition():
    x = image()
    stretched = applied(1, 1.0, x).astype(int)
    assert (stretched.min((0, 1)) == 0).all() and (stretched.max((0, 1)) == 255).all()
    flat = applied(2, 1.0, image(256))  # Pillow needs many pixels to be exact
    shares = np.histogram(flat[..., 0], bins=4, range=(0, 256))[0] / flat[..., 0].size
    np.testing.assert_allclose(shares, 0.25, atol=0.05)
    np.testing.assert_array_equal(applied(4, 0.5, x), np.where(x < 128, x, 255 - x))
    np.testing.assert_array_equal(applied(5, 1.0, x), x & 0b11110000)
    np.testing.assert_array_equal(applied(5, 0.5, x), x & 0b11111100)
    dark, light = applied(12, -1.0, x), applied(12, 0.5, x)
    np.testing.assert_allclose(dark, x * 0.1, atol=1)
    np.testing.assert_allclose(light, np.minimum(x * 1.45, 255), atol=1)
    grey = applied(10, -1.0, x).astype(float)
    assert np.ptp(grey, axis=2).mean() < 0.2 * np.ptp(x.astype(float), axis=2).mean()
    for number in (11, 13):  # contrast, sharpness
        assert applied(number, -1.0, x).std() < x.std() < applied(number, 1.0, x).std()


def test_geometry_moves_pixels_about_the_middle_and_fills_what_comes_in():
    x = image(331)  # of which 150 is the full shift
    right = applied(8, 0.1, x)
    np.testing.assert_allclose(right[:, :-15].astype(int), x[:, 15:], atol=1)
    np.testing.assert_array_equal(right[:, -14:], np.broadcast_to(FILL, (331, 14, 3)))
    down = applied(9, -0.1, x)
    np.testing.assert_allclose(down[15:].astype(int), x[:-15], atol=1)
    for number in (3, 6, 7):
        turned = applied(number, 1.0, np.full((33, 33, 3), 200, np.uint8))
        assert (turned[16, 16] == 200).all()
        corners = turned[[0, 0, -1, -1], [0, -1, 0, -1]]
        filled = (corners == FILL).all(axis=1)
        assert filled.sum() == (4 if number == 3 else 2)
        other = applied(number, -1.0, np.full((33, 33, 3), 200, np.uint8))
        assert (other != turned).any()


def test_each_image_of_a_batch_has_operations_of_its_own_and_the_same_again():
    x = np.repeat(image()[None], 40, axis=0)
    x[:, 0, 0, 0] = np.arange(40)  # no two the same, or none could be set apart
    y = np.arange(40) % 2

    def seen(magnitude):
        settings = load_preset(
            "resnet",
            "debug",
            {
                "data.batch_size": 32, "data.crop.name": "center", "data.flip": "none",
                "data.randaugment_ops": 2, "data.randaugment_magnitude": magnitude,
            },
        ).data  # fmt: skip
        with load_images(Request((x, y)), settings=settings, image_size=32) as data:
            return np.concatenate([np.asarray(images) for images, _ in data.dataset("train")])

    one, same, stronger = seen(0.5), seen(0.5), seen(1.0)
    np.testing.assert_array_equal(one, same)
    assert (one != stronger).any()
    assert len({image.tobytes() for image in one}) > len(one) / 2
