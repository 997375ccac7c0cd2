"""Why a run was made, what it showed and what comes next (A27): the text of notes.yaml."""

from __future__ import annotations

import json

from zoo.finding import Finding


def notes(note: str, result: Finding) -> str:
    """Return the text of notes.yaml: why this run, what it showed, what next (A27)."""
    # a JSON string is a YAML string
    return (
        "# Why this run, what it showed, what next: yours to edit.\n"
        f"why: {json.dumps(note, ensure_ascii=False)}\n"
        f"showed: {json.dumps(result.what, ensure_ascii=False)}\n"
        f"next: {json.dumps(result.next, ensure_ascii=False)}\n"
    )
