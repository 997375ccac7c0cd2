"""From an image of a data set to what the network sees of it."""

from __future__ import annotations

import dataclasses

import numpy as np

from zoo.tasks.image_classification.image import (
    DEEPEST,
    CenterCrop,
    ImageInput,
    center_crop,
    open_image,
    random_crop,
)
from zoo.tasks.image_classification.randaugment import randaugment
from zoo.tasks.image_classification.settings import ImageData

UNIFORMS = 6  # an image: four of a random crop, of which two also shift it, the flip, a spare


@dataclasses.dataclass(frozen=True)
class ImageTransform:
    """From an image of a data set to what the network sees of it.

    Args:
        settings: the preset's data block.
        size: height and width in training, in pixels.
        fill: mean colour, in [0, 255].
        deep_scale: value of an image of 16 bits that becomes white.
    """

    settings: ImageData
    size: int
    fill: tuple[float, ...]
    deep_scale: int = DEEPEST

    def stages(self, epochs: int) -> list[ImageTransform]:
        """Return what training sees in each stage of progressive resizing; the last is this one.

        Args:
            epochs: of the run; there are no more stages than that.
        """
        resizing = self.settings.resizing
        if resizing.name == "constant":
            return [self]
        count = min(resizing.stages, max(epochs, 1))
        first = {
            "randaugment_magnitude": resizing.first_magnitude,
            "mixup": resizing.first_mixup,
            "cutmix": resizing.first_cutmix,
        }
        stages = []
        for number in range(1, count):
            share = (number - 1) / (count - 1)  # of the way from the first to the last stage
            size = min(resizing.first_size, self.size)
            changes = {
                key: value + share * (getattr(self.settings, key) - value)
                for key, value in first.items()
            }
            settings = self.settings.model_copy(update=changes)
            size = round(size + share * (self.size - size))
            stages.append(dataclasses.replace(self, settings=settings, size=size))
        return [*stages, self]

    @property
    def evaluation_size(self) -> int:
        """Height and width outside of training."""
        size = self.settings.evaluation_size
        return self.size if size is None else max(size, self.size)

    @property
    def center_crop(self) -> CenterCrop:
        """The transform of validation, test and predictions."""
        return CenterCrop(self.evaluation_size, self.settings.center_fraction, self.deep_scale)

    @property
    def uniforms(self) -> int:
        """Numbers in [0, 1) that a training image takes."""
        return UNIFORMS + 2 * self.settings.randaugment_ops

    def training_crop(self, image: ImageInput, uniforms: np.ndarray) -> np.ndarray:
        """Return the crop of an image for training, after RandAugment; shifts and flips come later.

        Args:
            image: a file, its bytes, or pixels.
            uniforms: `self.uniforms` numbers in [0, 1).

        Returns:
            uint8 `(size, size, 3)`.

        Raises:
            OSError: the file cannot be read.
        """
        settings = self.settings
        opened = open_image(image, self.size, self.deep_scale)
        if settings.crop.name == "resized":
            crop = random_crop(opened, self.size, settings.crop.smallest_area, uniforms)
        else:
            crop = center_crop(opened, self.size, settings.center_fraction)
        if not settings.randaugment_ops:
            return crop
        operations = uniforms[UNIFORMS:].reshape(-1, 2)
        return randaugment(crop, settings.randaugment_magnitude, self.fill, operations)

    def keeps(self, pixels: np.ndarray, training: bool) -> bool:
        """Whether the crops of images `(images, height, width, 3)` are the images themselves."""
        size = self.size if training else self.evaluation_size
        random = self.settings.crop.name == "resized" or self.settings.randaugment_ops > 0
        same = self.settings.center_fraction == 1.0 and pixels.shape[1:3] == (size, size)
        return same and not (training and random)
