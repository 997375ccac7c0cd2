"""Test perplexity of the lstm_lm presets on PTB, WikiText-2 and tiny Shakespeare.

Options: preset=default data=ptb seeds=0; presets are parted by `;`, and may be `VARIANTS`
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.results import DATA

# Presets with a change, for what a choice is worth: tying alone, which Press and Wolf have between
# zaremba-small and press-wolf-small, and what half precision costs.
VARIANTS = {
    "zaremba-small, tied": {"architecture.tied": "true"},
    "zaremba-small, bfloat16": {"recipe.dtype_policy": "mixed_bfloat16"},
    "default, float32": {"recipe.dtype_policy": "float32"},
}


def measure(
    preset: str = "default", data: str = "ptb", seeds: str = "0"
) -> Iterator[dict[str, Any]]:
    """Yield one entry a preset, set and seed."""
    for name in preset.split(";"):
        for each in data.split(","):
            for seed in seeds.split(","):
                yield _trained(name, each, int(seed))


def _trained(preset: str, data: str, seed: int) -> dict[str, Any]:
    plain, changed, _ = preset.partition(",")
    changes = VARIANTS[preset] if changed else {}
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "run")
        command = [
            sys.executable, "-m", "zoo", "train", "lstm_lm", str(DATA / data), "--preset", plain,
            "--seed", str(seed), "--out", out, "--json",
        ]  # fmt: skip
        for key, value in changes.items():
            command += ["--set", f"{key}={value}"]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    document = json.loads(done.stdout)
    test, training = document["metrics"]["test"], document["training"]
    return {
        "id": f"lstm_lm/{preset} {data} {seed}",
        "preset": f"lstm_lm/{preset}",
        "data": data,
        "seed": seed,
        "perplexity": test["perplexity"],
        "loss": test["loss"],
        "validation_perplexity": document["metrics"]["validation"]["perplexity"],
        "bigrams": document["baseline"]["test"]["perplexity"],
        "epochs": training["epochs"],
        "best_epoch": training["best_epoch"],
        "parameters": training["parameters"],
        "tokens_per_second": training["examples_per_second"],
        "training_minutes": training["seconds"] / 60,
        "minutes": document["seconds"] / 60,
    }
