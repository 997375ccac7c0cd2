"""What is trained on a GPU, and beside whom; no framework is loaded here."""

from __future__ import annotations

import dataclasses

ZOO = ("zoo", "zoo_float32")
PYTORCH = ("pytorch", "pytorch_compiled")


@dataclasses.dataclass(frozen=True)
class Shape:
    """Sizes of a batch and of a network, and how long it is measured.

    Args:
        batch: rows.
        length: tokens of a row, or height and width of an image in pixels.
        steps: training steps of a round.
        vocabulary: token ids; of images, unused.
        units: of recurrent layers.
        embedding: size of the vectors of a language model.
        layers: of a language model.
    """

    batch: int
    length: int
    steps: int
    vocabulary: int = 0
    units: int = 0
    embedding: int = 0
    layers: int = 0


@dataclasses.dataclass(frozen=True)
class Job:
    """One network.

    Args:
        title: what a reader of the table sees.
        unit: what is counted a second.
        network: `image`, `language`, `textcnn` or `textrnn`.
        full: the shape that is measured.
        tiny: one that a CPU runs in seconds, to try the program.
        contestants: who trains it, one process each.
        preset: of the images' networks.
        changes: to that preset.
    """

    title: str
    unit: str
    network: str
    full: Shape
    tiny: Shape
    contestants: tuple[str, ...]
    preset: str = ""
    changes: tuple[tuple[str, object], ...] = ()

    def shape(self, size: str) -> Shape:
        """Return the shape of `full` or `tiny`."""
        return self.full if size == "full" else self.tiny

    def count(self, size: str) -> int:
        """Return the units of a batch."""
        shape = self.shape(size)
        return shape.batch * (shape.length if self.unit == "tokens" else 1)


IMAGE = ("zoo", "keras", *PYTORCH)
TEXT = (*ZOO, "keras", *PYTORCH)
RECURRENT = (*ZOO, "keras", "pytorch", "pytorch_float32")
# In the order of importance, in which they are measured.
JOBS = {
    "resnet50": Job(
        "ResNet-50, 224 px, batch 256", "images", "image",
        Shape(256, 224, 10), Shape(2, 32, 2), IMAGE, "imagenet-goyal2017",
    ),
    "lstm": Job(
        "LSTM 3 x 1150, 80 x 70, 33,278 words", "tokens", "language",
        Shape(80, 70, 10, vocabulary=33_278, units=1150, embedding=400, layers=3),
        Shape(4, 6, 2, vocabulary=50, units=8, embedding=6, layers=2), RECURRENT,
    ),
    "textcnn": Job(
        "TextCNN, 64 x 60, 20,000 words", "examples", "textcnn",
        Shape(64, 60, 100, vocabulary=20_000), Shape(8, 12, 2, vocabulary=50), TEXT,
    ),
    "textcnn_large": Job(
        "TextCNN, 128 x 200, 50,000 words", "examples", "textcnn",
        Shape(128, 200, 100, vocabulary=50_000), Shape(8, 12, 2, vocabulary=60), TEXT,
    ),
    "textrnn": Job(
        "bidirectional LSTM 128, 64 x 60, 20,000 words", "examples", "textrnn",
        Shape(64, 60, 100, vocabulary=20_000, units=128),
        Shape(8, 12, 2, vocabulary=50, units=8), RECURRENT,
    ),
    "resnet18d": Job(
        "ResNet-18-D, 224 px, batch 256", "images", "image",
        Shape(256, 224, 20), Shape(2, 32, 2), IMAGE, "default",
        (("architecture.num_classes", 1000), ("recipe.ema", None)),
    ),
    "fast-cifar": Job(
        "fast-cifar, 32 px, batch 500", "images", "image",
        Shape(500, 32, 40), Shape(4, 32, 2), IMAGE, "fast-cifar",
        (("architecture.flip_average", False), ("recipe.ema", None)),
    ),
}  # fmt: skip


def precision(job: Job, contestant: str) -> str:
    """Return what the products of a contestant are computed in on a GPU."""
    if contestant.endswith("float32"):
        return "TF32"
    if job.network in ("textcnn", "textrnn") and contestant != "zoo":
        return "TF32" if job.network == "textcnn" or contestant == "keras" else "bfloat16"
    if job.network == "language" and contestant == "keras":
        return "TF32"  # cuDNN's LSTM under Keras' half precision is slower
    return "bfloat16"
