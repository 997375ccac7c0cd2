"""Test accuracy by the number of labelled images a class: with what to begin.

Of each class so many images are drawn from the training part; what validates is taken from them.
Each model is as it comes. Plain Keras is `keras.applications.EfficientNetB0` from random weights,
with Adam, mirrored images, the size of images and the number of epochs of resnet/default, and no
validation: it learns from all images. The test part is scored once.
Options: models=efficientnet/lite0;resnet/default;... data=cifar10_folder,bccd sizes=5,20,100
seeds=0,1,2; models are presets, `VARIANTS`, or `keras`, parted by `;`
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.image_classification.image_sets import class_files, image_parts
from benchmarks.training_runs import train_once, variant_of

KERAS = "keras"
AS = ("resnet", "default")  # the preset whose batches, epochs and size plain Keras has
# As it is, the network chooses by the images a class whether the head alone is fitted.
VARIANTS: dict[str, dict[str, Any]] = {
    "efficientnet/lite0, all from the start": {"recipe.linear_probe.name": "none"},
    "efficientnet/lite0, the head alone": {"recipe.linear_probe.name": "only"},
    "efficientnet/lite0, the head alone, mean of two views": {
        "recipe.linear_probe.name": "only",
        "architecture.flip_average": True,
    },
}
MODELS = ("efficientnet/lite0", *VARIANTS, "resnet/default", "resnet/small-data", KERAS)
SETS = ("cifar10_folder", "bccd")
SIZES = (5, 20, 100)  # labelled images a class


def measure(
    models: str = ";".join(MODELS),
    data: str = ",".join(SETS),
    sizes: str = ",".join(map(str, SIZES)),
    seeds: str = "0,1,2",
) -> Iterator[dict[str, Any]]:
    """Yield one entry a model, set, number of images and seed."""
    for seed in map(int, seeds.split(",")):
        for name in data.split(","):
            for size in map(int, sizes.split(",")):
                for model in models.split(";"):
                    yield scores(model, name, size, seed)


def scores(model: str, name: str, size: int, seed: int) -> dict[str, Any]:
    """Train on some images of a set; return the accuracy on its test part."""
    with tempfile.TemporaryDirectory(prefix="zoo-benchmark-") as folder:
        parts = image_parts(name, Path(folder) / "all")
        few = draw(parts["data"], Path(folder) / "few", size, seed)
        score = _keras if model == KERAS else _network
        measured = score(model, {"data": str(few), "test": str(parts["test"])}, seed)
    return {
        "id": f"{model} {name} {size} images a class seed {seed}",
        "model": model,
        "data": name,
        "images": size,
        "seed": seed,
        **measured,
    }


def draw(source: Path, target: Path, size: int, seed: int) -> Path:
    """Copy so many images of each class, or all there are, into a folder; return it.

    Args:
        source: a folder of class folders.
        target: the new one.
        size: images a class; those of a smaller one are among those of a larger one.
        seed: of the order in which they are drawn.
    """
    for label, files in class_files(source).items():
        (target / label).mkdir(parents=True)
        for number in np.random.default_rng(seed).permutation(len(files))[:size]:
            shutil.copy(files[number], target / label)
    return target


def _network(model: str, parts: dict[str, str], seed: int) -> dict[str, Any]:
    family, preset, changes = variant_of(model, VARIANTS)
    metrics, _ = train_once(family, lambda _: parts, preset=preset, seed=seed, changes=changes)
    return {
        "preset": model,
        "accuracy": metrics["test"]["accuracy"],
        "validation": metrics["validation"]["accuracy"],
        "linear": metrics["baseline"]["test"]["accuracy"],
        "epochs": metrics["training"]["epochs"],
        "best_epoch": metrics["training"]["best_epoch"],
        "minutes": metrics["seconds"] / 60,
    }


def _keras(_: str, parts: dict[str, str], seed: int) -> dict[str, Any]:
    import keras

    from zoo.preset.loading import load_preset

    started = time.perf_counter()
    preset = load_preset(*AS)
    size = _side(Path(parts["data"]), preset.architecture.image_size)
    keras.utils.set_random_seed(seed)
    train, test = (
        keras.utils.image_dataset_from_directory(
            parts[part], image_size=(size, size), crop_to_aspect_ratio=True,
            batch_size=None, shuffle=False, verbose=False,
        )
        for part in ("data", "test")
    )  # fmt: skip
    network = keras.applications.EfficientNetB0(
        weights=None, input_shape=(size, size, 3), classes=len(train.class_names)
    )
    images = keras.Input((size, size, 3))
    mirrored = keras.layers.RandomFlip("horizontal", seed=seed)(images)
    model = keras.Model(images, network(mirrored))
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    batch = preset.data.batch_size
    batches = train.cache().shuffle(len(train), seed=seed).batch(batch)  # others in each epoch
    epochs = preset.recipe.total_epochs(len(batches))
    model.fit(batches, epochs=epochs, shuffle=False, verbose=0)
    accuracy = model.evaluate(test.batch(batch), verbose=0, return_dict=True)["accuracy"]
    minutes = (time.perf_counter() - started) / 60
    return {"accuracy": accuracy, "epochs": epochs, "image_size": size, "minutes": minutes}


def _side(folder: Path, largest: int) -> int:
    """Return the median of the shorter sides of images, or the largest size that is to be."""
    from PIL import Image

    sides = []
    for files in class_files(folder).values():
        for file in files:
            with Image.open(file) as image:
                sides.append(min(image.size))
    return min(largest, max(int(np.median(sides)), 32))  # the network takes no less
