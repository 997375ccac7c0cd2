"""Result files: one JSON a benchmark, each entry with versions, hardware, commit and command."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any

from zoo.environment import environment, training_code
from zoo.files import read_json, write_json
from zoo.preset.loading import load_preset
from zoo.preset.measured import values_digest

FOLDER = Path(__file__).parent / "results"


def load(name: str) -> list[dict[str, Any]]:
    """Return the entries of a benchmark, or none when it was never run."""
    path = FOLDER / f"{name}.json"
    return read_json(path)["entries"] if path.is_file() else []


def save(name: str, entry: dict[str, Any], command: str) -> None:
    """Write an entry at once, in place of the one with the same `id`."""
    about = environment()
    about["versions"] |= {
        peer: importlib.metadata.version(peer) for peer in ("torch",) if _installed(peer)
    }
    entry = entry | {key: about[key] for key in ("versions", "hardware", "commit", "date")}
    entry |= {"code": training_code(), "command": command}
    if about["gpu"]["used"]:
        entry["gpu"] = ", ".join(sorted(set(about["gpu"]["used"])))
    if "preset" in entry and "," not in entry["preset"]:  # a comma: a preset with a change
        preset = load_preset(*entry["preset"].split("/"))
        entry["values"] = values_digest(preset.model, preset.values())
    entries = [old for old in load(name) if old["id"] != entry["id"]] + [entry]
    entries.sort(key=lambda saved: saved["id"])
    FOLDER.mkdir(exist_ok=True)
    write_json(FOLDER / f"{name}.json", {"benchmark": name, "entries": entries})
    print(f"{name}: {entry['id']}: {_short(entry)}", flush=True)


def groups(*names: str) -> list[list[dict[str, Any]]]:
    """Return the entries of some benchmarks, those of one preset on one set together."""
    by_preset: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for entry in [entry for name in names for entry in load(name)]:
        by_preset.setdefault((entry["preset"], entry["data"]), []).append(entry)
    return [entries for _, entries in sorted(by_preset.items())]


def _installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _short(entry: dict[str, Any]) -> str:
    keys = [key for key, value in entry.items() if isinstance(value, float | int)]
    return ", ".join(f"{key} {entry[key]:.4g}" for key in keys)
