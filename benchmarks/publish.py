"""Rewrite the README's tables and every `presets/<model>/measured.yaml` from the result files."""

from __future__ import annotations

import re
import statistics
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.published import PUBLISHED
from benchmarks.state import state, values_measured
from zoo.files import write_text
from zoo.plain_yaml import yaml_text
from zoo.preset.loading import load_preset
from zoo.preset.measured import values_digest

ROOT = Path(__file__).resolve().parent.parent


def publish() -> None:
    """Rewrite README.md and the scores of every model; print what was touched."""
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    for name, table in (
        ("quality", quality_table()),
        ("fidelity", fidelity_table()),
        ("speed", speed_table()),
        ("startup", startup_table()),
        ("perplexity", perplexity_table()),
        ("language_speed", language_speed_table()),
        ("images", images_table()),
        ("image_speed", image_speed_table()),
        ("scale", scale_table()),
    ):
        marks = rf"(<!-- {name}: written by python -m benchmarks publish -->\n).*?(<!-- end -->)"
        text = re.sub(marks, lambda m, t=table: m[1] + t + m[2], text, flags=re.DOTALL)
    write_text(readme, text)
    print(readme)
    for model, scores in measured().items():
        path = ROOT / "presets" / model / "measured.yaml"
        write_text(path, f"# Written by python -m benchmarks publish.\n{yaml_text(scores)}")
        print(path)


def measured() -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Return each model's scores by preset, of the values that the presets have today."""
    models: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(dict)
    groups = {**_groups(), **_groups("perplexity"), **_groups("images")}
    for (name, data), entries in groups.items():
        if "," in name:
            continue  # a preset with a change
        preset = load_preset(*name.split("/"))
        digest = values_digest(preset.model, preset.values())
        own = [entry for entry in entries if values_measured(entry) == digest]
        if own:
            scores = models[preset.model].setdefault(preset.name, [])
            scores.append(_measured(own, name, data, digest))
    return models


def _measured(entries: list[dict[str, Any]], preset: str, data: str, digest: str) -> dict[str, Any]:
    last = entries[-1]
    metric = "perplexity" if "perplexity" in last else "accuracy"
    baseline = "bigrams" if metric == "perplexity" else "linear"
    scores = [entry[metric] for entry in entries]
    codes = {entry.get("code") for entry in entries}
    return {
        "data": data,
        "split": "test",
        "metric": metric,
        "mean": round(statistics.mean(scores), 4),
        "std": round(statistics.stdev(scores), 4) if len(scores) > 1 else None,
        "seeds": len(entries),
        "baseline": round(statistics.mean(entry[baseline] for entry in entries), 4),
        "published": PUBLISHED.get((preset, data)),
        "minutes": round(statistics.mean(entry["minutes"] for entry in entries), 1),
        "parameters": last["parameters"],
        "hardware": last["hardware"],
        "versions": {
            name: last["versions"][name]
            for name in ("zoo", "keras", "tensorflow", "tensorflow-text", "sentencepiece")
        },
        "values": digest,
        "code": codes.pop() if len(codes) == 1 else None,
        "commit": last["commit"] or "unknown",
        "date": last["date"][:10],
        "command": last["command"],
    }


def quality_table() -> str:
    """Return the table of the default preset on every set, and the mean of the sets."""
    lines = [
        "| data | textcnn, mean ± std | linear model, same run | floor | minutes | measured at |",
        "|---|---|---|---|---|---|",
    ]
    sums: list[tuple[float, float, float]] = []
    for (preset, data), entries in _groups().items():
        if preset != "textcnn/default" or "floor" not in entries[0]:
            continue
        accuracy = statistics.mean(entry["accuracy"] for entry in entries)
        linear = statistics.mean(entry["linear"] for entry in entries)
        minutes = statistics.mean(entry["minutes"] for entry in entries)
        floor = entries[0]["floor"]
        sums.append((accuracy, linear, floor))
        lines.append(
            f"| {data} | {_score(entries, 'accuracy')} | {100 * linear:.1f} | "
            f"{100 * floor:.1f} | {minutes:.1f} | {state(entries)} |"
        )
    if sums:
        means = [100 * statistics.mean(column) for column in zip(*sums, strict=True)]
        lines.append(
            f"| **mean of {len(sums)} sets** | **{means[0]:.1f}** | {means[1]:.1f} | "
            f"{means[2]:.1f} | | |"
        )
    return "\n".join(lines) + "\n"


def fidelity_table() -> str:
    """Return the table of the presets taken from papers."""
    lines = [
        "| preset | data | mean ± std | published | linear model, same run | measured at |",
        "|---|---|---|---|---|---|",
    ]
    for (preset, data), entries in _groups().items():
        if preset == "textcnn/default":
            continue
        linear = statistics.mean(entry["linear"] for entry in entries)
        lines.append(
            f"| {preset} | {data} | {_score(entries, 'accuracy')} | "
            f"{_published(preset, data, 100)} | {100 * linear:.1f} | {state(entries)} |"
        )
    return "\n".join(lines) + "\n"


def speed_table() -> str:
    """Return the table of training speeds."""
    lines = [
        "| shape | zoo, ms a step | plain Keras | PyTorch | times plain Keras | times PyTorch |",
        "|---|---|---|---|---|---|",
    ]
    for entry in results.load("speed"):
        lines.append(
            f"| {entry['id']} | {entry['zoo_milliseconds']:.1f} | "
            f"{entry['keras_milliseconds']:.1f} | {entry['pytorch_milliseconds']:.1f} | "
            f"{entry['faster_than_keras']:.2f} | {entry['faster_than_pytorch']:.2f} |"
        )
    return "\n".join(lines) + "\n"


def startup_table() -> str:
    """Return the table of waiting times and memory."""
    lines = ["| what | measured |", "|---|---|"]
    for entry in results.load("startup"):
        lines.append(f"| {entry['id']} | {entry['seconds']:.2f} s |")
    for entry in results.load("memory"):
        if "ratio" in entry:
            lines.append(f"| peak memory, 2,000,000 rows / 200,000 rows | {entry['ratio']:.3f} |")
        else:
            lines.append(f"| peak memory, {entry['id']} | {entry['peak_megabytes']:.0f} MB |")
    for entry in results.load("language_memory"):
        found = f"{entry['ratio']:.2f}" if "ratio" in entry else f"{entry['peak_megabytes']:.0f} MB"
        lines.append(f"| peak memory, language model, {entry['id']} | {found} |")
    return "\n".join(lines) + "\n"


def perplexity_table() -> str:
    """Return the table of the language models' perplexities."""
    lines = [
        "| preset | data | test perplexity ± std | published | bigrams | minutes | measured at |",
        "|---|---|---|---|---|---|---|",
    ]
    for (preset, data), entries in _groups("perplexity").items():
        minutes = statistics.mean(entry["minutes"] for entry in entries)
        lines.append(
            f"| {preset} | {data} | {_score(entries, 'perplexity')} | "
            f"{_published(preset, data, 1)} | {entries[0]['bigrams']:.1f} | {minutes:.0f} | "
            f"{state(entries)} |"
        )
    return "\n".join(lines) + "\n"


def language_speed_table() -> str:
    """Return the table of the language models' training speeds."""
    lines = [
        "| layers x units | zoo, ms a step | in bfloat16 | plain Keras | PyTorch | times plain "
        "Keras (bfloat16) | times PyTorch (bfloat16) | share of the matrix rate |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for entry in results.load("language_speed"):
        peers = "zoo", "zoo_bfloat16", "keras", "pytorch"
        times = " | ".join(f"{entry[f'{peer}_milliseconds']:.0f}" for peer in peers)
        ratios = " | ".join(
            f"{entry[f'zoo_faster_than_{peer}']:.2f} "
            f"({entry[f'zoo_bfloat16_faster_than_{peer}']:.2f})"
            for peer in ("keras", "pytorch")
        )
        lines.append(
            f"| {entry['id']} | {times} | {ratios} | {100 * entry['share_of_matrix_rate']:.0f} % |"
        )
    return "\n".join(lines) + "\n"


def images_table() -> str:
    """Return the table of accuracies on images."""
    lines = [
        "| preset | data | test accuracy ± std | published | linear model | epochs | minutes of "
        "training | measured at |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for (preset, data), entries in _groups("images").items():
        linear = 100 * statistics.mean(entry["linear"] for entry in entries)
        minutes = statistics.mean(entry["training_minutes"] for entry in entries)
        lines.append(
            f"| {preset} | {data} | {_score(entries, 'accuracy')} | "
            f"{_published(preset, data, 100)} | {linear:.1f} | {entries[0]['epochs']} | "
            f"{minutes:.0f} | {state(entries)} |"
        )
    return "\n".join(lines) + "\n"


def image_speed_table() -> str:
    """Return the table of training speeds on images."""
    lines = [
        "| network | zoo, images/s (bfloat16) | plain Keras | PyTorch, best of two layouts | "
        "times plain Keras (bfloat16) | times PyTorch (bfloat16) |",
        "|---|---|---|---|---|---|",
    ]
    for entry in results.load("image_speed"):
        if "per_second" in entry:
            times = f" ({entry['times_training']:.1f} times the training)"
            lines.append(f"| {entry['id']} | {entry['per_second']:,.0f}{times} | | | | |")
            continue
        best = max(entry["pytorch_first_per_second"], entry["pytorch_last_per_second"])
        rates = [("zoo", entry["zoo_per_second"]), ("keras", entry["keras_per_second"])]
        cells = [
            f"{rate:.0f} ({entry[f'{peer}_bfloat16_per_second']:.0f})"
            for peer, rate in [*rates, ("pytorch", best)]
        ]
        cells += [
            f"{entry[f'zoo_faster_than_{peer}']:.2f} "
            f"({entry[f'zoo_bfloat16_faster_than_{peer}']:.2f})"
            for peer in ("keras", "pytorch")
        ]
        lines.append(f"| {entry['id']} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def scale_table() -> str:
    """Return the table of several workers, of resuming and of what the training model costs."""
    lines = ["| what | measured |", "|---|---|"]
    for entry in results.load("distribution"):
        if "largest_difference" in entry:
            what = "largest difference of a score, two workers / one process"
            lines.append(f"| {what}, {entry['id'].split(', ', 1)[1]} | {_small(entry)} |")
        else:
            what = "examples/s of two workers with a core each / one process with two cores"
            lines.append(f"| {what}, {entry['id'].split(', ')[1]} | {_times(entry)} |")
    for entry in results.load("overhead"):
        if "times_keras" in entry:
            what, ratio = f"plain Keras, {entry['id']}", entry["times_keras"]
        else:
            what, ratio = (
                "the same without `recipe.deterministic`",
                entry["times_not_deterministic"],
            )
        lines.append(f"| step on one device / {what} | {ratio:.2f} |")
    for entry in results.load("resume"):
        if "kills" in entry:
            lines.append(
                f"| runs that end bit-equal after {entry['kills']} `kill -9` | "
                f"{entry['runs_bit_equal']} of {entry['runs']} |"
            )
        else:
            lines.append(f"| share of a training spent on checkpoints | {entry['share']:.1%} |")
    return "\n".join(lines) + "\n"


def _small(entry: dict[str, Any]) -> str:
    return f"{entry['largest_difference']:.2g}"


def _times(entry: dict[str, Any]) -> str:
    return f"{entry['times_one_process']:.2f}"


def _groups(*names: str) -> dict[tuple[str, str], list[dict[str, Any]]]:
    groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for entry in [each for name in names or ("quality", "fidelity") for each in results.load(name)]:
        groups[entry["preset"], entry["data"]].append(entry)
    return dict(sorted(groups.items()))


def _score(entries: list[dict[str, Any]], metric: str) -> str:
    """Return mean and deviation over the seeds; one seed has no deviation."""
    factor = 1 if metric == "perplexity" else 100
    found = [factor * entry[metric] for entry in entries]
    if len(found) == 1:
        return f"{found[0]:.1f} (1 seed)"
    return f"{statistics.mean(found):.1f} ± {statistics.stdev(found):.1f} ({len(found)} seeds)"


def _published(preset: str, data: str, factor: int) -> str:
    found = PUBLISHED.get((preset, data))
    return "-" if found is None else f"{factor * found:.1f}"
