"""Rewrite the README's tables, the plots and every `measured.yaml` from the result files."""

from __future__ import annotations

import re
import statistics
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.few_tables import FEW_IMAGES, FEW_ROWS
from benchmarks.published import PUBLISHED
from benchmarks.results import FOLDER, groups
from benchmarks.state import values_measured
from benchmarks.tables import tables
from zoo.files import write_text
from zoo.plain_yaml import yaml_text
from zoo.preset.loading import load_preset
from zoo.preset.measured import values_digest

ROOT = Path(__file__).resolve().parent.parent


def publish() -> None:
    """Rewrite README.md, the plots and the scores of every model; print what was touched."""
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    for name, table in tables().items():
        marks = rf"(<!-- {name}: written by python -m benchmarks publish -->\n).*?(<!-- end -->)"
        text = re.sub(marks, lambda m, t=table: m[1] + t + m[2], text, flags=re.DOTALL)
    write_text(readme, text)
    print(readme)
    for few in (FEW_ROWS, FEW_IMAGES):
        if plot := few.plot():
            write_text(FOLDER / f"{few.name}.svg", plot)
            print(FOLDER / f"{few.name}.svg")
    for model, scores in measured().items():
        path = ROOT / "presets" / model / "measured.yaml"
        write_text(path, f"# Written by python -m benchmarks publish.\n{yaml_text(scores)}")
        print(path)


def measured() -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Return each model's scores by preset, of the values that the presets have today."""
    models: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(dict)
    for entries in groups("quality", "fidelity", "perplexity", "images"):
        name, data = entries[0]["preset"], entries[0]["data"]
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
    metric = next(key for key in ("perplexity", "micro_f1", "accuracy") if key in last)
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
