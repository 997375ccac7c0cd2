"""Whole training runs of fast-cifar on one GPU: accuracy, and the seconds until it is there.

Options: epochs=16,32 seeds=0
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from benchmarks.datasets import cifar10
from benchmarks.training_runs import train_once
from zoo.errors import ZooError


def measure(epochs: str = "16,32", seeds: str = "0") -> Iterator[dict[str, Any]]:
    """Train once for each number of epochs and each seed; yield one entry each.

    Raises:
        ZooError: there is no GPU.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        raise ZooError("gpu_cifar: this machine has no GPU that TensorFlow can use.")
    device = tf.config.experimental.get_device_details(gpus[0])["device_name"]
    for count in map(int, epochs.split(",")):
        for seed in map(int, seeds.split(",")):
            yield {"device": device, **_scores(count, seed)}


def _scores(epochs: int, seed: int) -> dict[str, Any]:
    metrics, _ = train_once(
        "resnet",
        lambda folder: {"data": str(cifar10(folder))},
        preset="fast-cifar",
        seed=seed,
        changes={"recipe.epochs": epochs},
    )
    training = metrics["training"]
    return {
        "id": f"{epochs} epochs, seed {seed}",
        "preset": f"resnet/fast-cifar, {epochs} epochs",
        "data": "cifar10",
        "seed": seed,
        "accuracy": metrics["test"]["accuracy"],
        "linear": metrics["baseline"]["test"]["accuracy"],
        "training_seconds": training["seconds"],
        "first_step_seconds": training["seconds_to_first_step"],
        "compile_seconds": training.get("compile_seconds"),
        "seconds": metrics["seconds"],
    }
