"""The README's tables, each as data: headings, and what stands below each for a row of results."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator

from benchmarks.cells import (
    Columns,
    Entries,
    Entry,
    first,
    mean,
    mean_of,
    optional,
    published,
    score,
    table,
    value,
    with_bfloat16,
)
from benchmarks.few_tables import FEW_IMAGES, FEW_ROWS
from benchmarks.published import PUBLISHED
from benchmarks.results import groups, load
from benchmarks.state import state
from benchmarks.text_tables import pretrained, several_labels


def _times_faster_pytorch(entry: Entry) -> str:
    keys = [key for key in entry if key.startswith("times_pytorch")]
    return f"{min(entry[key] for key in keys):.2f}" if keys else "-"


def _published_nats(entries: Entries) -> str:
    reported = PUBLISHED.get((entries[0]["preset"], entries[0]["data"]))
    return "-" if reported is None else f"{math.log(reported):.2f}"


QUALITY: Columns = {
    "data": first("data"),
    "textcnn, mean ± std": score("accuracy"),
    "linear model, same run": mean("linear", factor=100),
    "floor": lambda entries: f"{100 * entries[0]['floor']:.1f}",
    "minutes": mean("minutes"),
    "measured at": state,
}
FIDELITY: Columns = {
    "preset": first("preset"),
    "data": first("data"),
    "mean ± std": score("accuracy"),
    "published": published(),
    "linear model, same run": mean("linear", factor=100),
    "measured at": state,
}
SPEED: Columns = {
    "shape": value("id"),
    "zoo, ms a step": value("zoo_milliseconds", 1),
    "plain Keras": value("keras_milliseconds", 1),
    "PyTorch": value("pytorch_milliseconds", 1),
    "times plain Keras": value("faster_than_keras", 2),
    "times PyTorch": value("faster_than_pytorch", 2),
}
ENCODER_SPEED: Columns = {
    "data": value("id"),
    "tokens a row": value("tokens_a_row"),
    "zoo, ms a step (bfloat16)": with_bfloat16(
        ".0f", "zoo_milliseconds", "zoo_bfloat16_milliseconds"
    ),
    "with R-Drop, bfloat16": value("r_drop_milliseconds"),
    "PyTorch (bfloat16)": with_bfloat16(
        ".0f", "pytorch_milliseconds", "pytorch_bfloat16_milliseconds"
    ),
    "KerasHub": optional("kerashub_milliseconds", ".0f"),
    "times PyTorch (bfloat16)": with_bfloat16(
        ".2f", "zoo_faster_than_pytorch", "zoo_bfloat16_faster_than_pytorch"
    ),
    "times KerasHub": optional("zoo_faster_than_kerashub", ".2f"),
}
PERPLEXITY: Columns = {
    "preset": first("preset"),
    "data": first("data"),
    "nats a token": mean("loss", 3),
    "published nats": _published_nats,
    "test perplexity ± std": score("perplexity", 1.0),
    "published": published(1.0),
    "bigrams": lambda entries: f"{entries[0]['bigrams']:.1f}",
    "minutes": mean("minutes", 0),
    "measured at": state,
}
LANGUAGE_SPEED: Columns = {
    "layers x units": value("id"),
    "zoo, ms a step": value("zoo_milliseconds"),
    "in bfloat16": value("zoo_bfloat16_milliseconds"),
    "plain Keras": value("keras_milliseconds"),
    "PyTorch": value("pytorch_milliseconds"),
    "times plain Keras (bfloat16)": with_bfloat16(
        ".2f", "zoo_faster_than_keras", "zoo_bfloat16_faster_than_keras"
    ),
    "times PyTorch (bfloat16)": with_bfloat16(
        ".2f", "zoo_faster_than_pytorch", "zoo_bfloat16_faster_than_pytorch"
    ),
    "share of the matrix rate": lambda entry: f"{100 * entry['share_of_matrix_rate']:.0f} %",
}
IMAGES: Columns = {
    "preset": first("preset"),
    "data": first("data"),
    "test accuracy ± std": score("accuracy"),
    "published": published(),
    "linear model": mean("linear", factor=100),
    "epochs": first("epochs"),
    "minutes of training": mean("training_minutes", 0),
    "measured at": state,
}
IMAGE_SPEED: Columns = {
    "network": value("id"),
    "zoo, images/s (bfloat16)": with_bfloat16(".0f", "zoo_per_second", "zoo_bfloat16_per_second"),
    "plain Keras": with_bfloat16(".0f", "keras_per_second", "keras_bfloat16_per_second"),
    "PyTorch, best of two layouts": with_bfloat16(
        ".0f", "pytorch_per_second", "pytorch_bfloat16_per_second"
    ),
    "times plain Keras (bfloat16)": with_bfloat16(
        ".2f", "zoo_faster_than_keras", "zoo_bfloat16_faster_than_keras"
    ),
    "times PyTorch (bfloat16)": with_bfloat16(
        ".2f", "zoo_faster_than_pytorch", "zoo_bfloat16_faster_than_pytorch"
    ),
}
GPU: Columns = {
    "network": value("title"),
    "unit": value("unit"),
    "zoo": optional("zoo_per_second", ",.0f"),
    "from data in host memory": optional("host_per_second", ",.0f"),
    "in float32": optional("zoo_float32_per_second", ",.0f"),
    "plain Keras": optional("keras_per_second", ",.0f"),
    "PyTorch": optional("pytorch_per_second", ",.0f"),
    "PyTorch compiled": optional("pytorch_compiled_per_second", ",.0f"),
    "times plain Keras": optional("times_keras", ".2f"),
    "times the faster PyTorch": _times_faster_pytorch,
    "card": value("device"),
}
GPU_CIFAR: Columns = {
    "preset": first("preset"),
    "data": first("data"),
    "test accuracy ± std": score("accuracy"),
    "linear model": mean("linear", factor=100),
    "seconds of training": mean("training_seconds", 0),
    "of which before the first step": mean("first_step_seconds", 0),
    "seconds in all": mean("seconds", 0),
    "card": first("device"),
}
SERVING: Columns = {
    "model": value("model"),
    "as": value("form"),
    "MB": optional("megabytes", ".1f"),
    "ms, one text": optional("milliseconds_1", ".1f"),
    "ms, 32 texts": optional("milliseconds_32", ".0f"),
    "labels as the SavedModel's": optional("same_labels", ".1%"),
    "texts a second": optional("texts_per_second", ",.0f"),
}
DIAGNOSIS: Columns = {
    "run": value("run"),
    "is": value("kind"),
    "told first": lambda entry: ": ".join(filter(None, (entry["level"], entry["verdict"]))),
    "right": lambda entry: "yes" if entry["right"] else "no",
    "seconds": value("seconds"),
}
FIGURES = dict.fromkeys(("what", "measured"), str)  # rows are written out


def tables() -> dict[str, str]:
    """Return every table of the README by its name there."""
    quality = [group for group in groups("quality") if group[0]["preset"] == "textcnn/default"]
    quality = [group for group in quality if "floor" in group[0]]
    return {
        "quality": table(QUALITY, [*quality, *_mean_of_sets(quality)]),
        "fidelity": table(FIDELITY, groups("fidelity")),
        "pretrained": pretrained(),
        "several_labels": several_labels(),
        "few": FEW_ROWS.section(),
        "few_images": FEW_IMAGES.section(),
        "serving": table(SERVING, load("serving")),
        "speed": table(SPEED, load("speed")),
        "encoder_speed": table(ENCODER_SPEED, load("encoder_speed")),
        "startup": table(FIGURES, _waiting_and_memory()),
        "perplexity": table(PERPLEXITY, groups("perplexity")),
        "language_speed": table(LANGUAGE_SPEED, load("language_speed")),
        "images": table(IMAGES, groups("images")),
        "image_speed": table(IMAGE_SPEED, map(_image_speed, _speed_of_images())),
        "gpu": table(GPU, (entry for entry in load("gpu") if entry["size"] == "full")),
        "gpu_cifar": table(GPU_CIFAR, groups("gpu_cifar")),
        "diagnosis": table(DIAGNOSIS, load("diagnosis")),
        "scale": table(FIGURES, _scale()),
    }


def _mean_of_sets(quality: list[Entries]) -> Iterator[tuple[str, ...]]:
    if quality:
        sets = [
            [mean_of(group, key) for group in quality] for key in ("accuracy", "linear", "floor")
        ]
        ours, linear, floor = (f"{100 * statistics.mean(scores):.1f}" for scores in sets)
        yield f"**mean of {len(quality)} sets**", f"**{ours}**", linear, floor


def _waiting_and_memory() -> Iterator[tuple[str, str]]:
    for entry in load("startup"):
        yield entry["id"], f"{entry['seconds']:.2f} s"
    for entry in load("memory"):
        if "ratio" in entry:
            yield "peak memory, 2,000,000 rows / 200,000 rows", f"{entry['ratio']:.3f}"
        else:
            yield f"peak memory, {entry['id']}", f"{entry['peak_megabytes']:.0f} MB"
    for entry in load("language_memory"):
        ratio = "ratio" in entry
        peak = f"{entry['ratio']:.2f}" if ratio else f"{entry['peak_megabytes']:.0f} MB"
        yield f"peak memory, language model, {entry['id']}", peak


def _speed_of_images() -> Entries:
    return [*load("image_speed"), *load("efficientnet_speed")]


def _image_speed(entry: Entry) -> Entry | tuple[str, str]:
    if "zoo_peak_megabytes" in entry:
        peers = ("zoo", "keras", "pytorch_last")
        peaks = (f"{peer} {entry[f'{peer}_peak_megabytes']:,.0f} MB" for peer in peers)
        return entry["id"], ", ".join(peaks)
    if "times_training" in entry:
        times = f"({entry['times_training']:.1f} times the training)"
        return entry["id"], f"{entry['per_second']:,.0f} {times}"
    layouts = entry["pytorch_first_per_second"], entry["pytorch_last_per_second"]
    return {**entry, "pytorch_per_second": max(layouts)}


def _scale() -> Iterator[tuple[str, str]]:
    """Yield what several workers, the training model and checkpoints cost."""
    for entry in load("distribution"):
        what = entry["id"].split(", ", 1)[1]
        if "largest_difference" in entry:
            yield (
                f"largest difference of a score, two workers / one process, {what}",
                f"{entry['largest_difference']:.2g}",
            )
        else:
            yield (
                f"examples/s of two workers with a core each / one process with two cores, {what}",
                f"{entry['times_one_process']:.2f}",
            )
    for entry in load("overhead"):
        if "times_keras" in entry:
            what, ratio = f"plain Keras, {entry['id']}", entry["times_keras"]
        else:
            what = "the same without `recipe.deterministic`"
            ratio = entry["times_not_deterministic"]
        yield f"step on one device / {what}", f"{ratio:.2f}"
    for entry in load("resume"):
        if "kills" in entry:
            what = f"runs that end bit-equal after {entry['kills']} `kill -9`"
            yield what, f"{entry['runs_bit_equal']} of {entry['runs']}"
        else:
            yield "share of a run spent on checkpoints", f"{entry['share']:.1%}"
