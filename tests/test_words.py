"""The field's words and no others: what code, docstrings, presets and documents may not say."""

import re
from pathlib import Path

import pytest
from conftest import ROOT

FILES = sorted(
    path
    for pattern in (
        "zoo/**/*.py",
        "zoo/**/*.pyi",
        "tests/**/*.py",
        "benchmarks/**/*.py",
        "presets/**/*.yaml",
        "*.md",
    )
    for path in ROOT.glob(pattern)
    if path.name not in ("CHANGELOG.md", Path(__file__).name)
)
# Keys of presets written before are read under their old names.
OLD_KEYS = {
    "zoo/preset/renamed.py", "zoo/preset/loading.py", "tests/preset/test_renamed.py",
    "tests/preset/test_presets.py",
}  # fmt: skip
OLD_KEY_WORDS = ("allow_unclipped", "temporal_activation_penalty", "recipe.monitor")
BANNED = {
    r"(?<!\")[Pp]ictures?\b(?!\")": "image",  # in quotes a user's word, for a column
    r"\b[Yy]ardsticks?\b": "baseline",
    r"\b([Gg]o|[Gg]oes|[Gg]oing|[Gg]one|[Ww]ent) on with\b": "resume, continue",
    r"\b[Oo]ffer(s|ed|ing)?\b": "fast kernel, use_kernels",
    r"\bOps[(\].:]": "Kernels",
    r"\bdraws[.(]|\bas draws\b": "uniforms, random numbers",
    r"\bPlace[(\].:]|\bplace( =|[:=])": "EpochCursor, cursor, folder",
    r"\b(Looked|Found|Wanted|View|Center|Style|Plan|Start)\b(?=[(\[:])": "a noun of the thing",
    r"\bcut_short\b": "project_shortcut",
    r"\bto_features\b": "grad_features",
    r"\bof_inputs\b": "grad_inputs",
    r"\bwhole=": "keep_remainder",
    r"\bunclipped\b": "allow_unclipped",
    r"\bchange_penalty\b": "temporal_activation_penalty",
    r"\brecipe\.best\b": "recipe.monitor",
    r"\b(def|task)[ .](decided|judged|finish)\(": "facts_from_data, check_preset, ...",
    r"\b[Tt]orn\b": "conflicting labels",
    r"\b[Oo]ne on the other\b": "stacked",
    r"\bthe way out\b": "output projection",
    r"\b[Aa] training\b(?! (part|set|row|text|image|step|loss|run|corpus|split|batch|model|epoch))":
        "a training run, a run",
    r"\b[Tt]rainings\b": "training runs, runs",
    r"\bhere: range\b": "replica_ids",
    r"\bzoo/(jobs|trained)\b|\bshow\.py\b|\boffered\.py\b|\bdraws\.py\b": "the file's name today",
}  # fmt: skip


@pytest.mark.parametrize("word", BANNED)
def test_nothing_says(word: str) -> None:
    pattern = re.compile(word, flags=re.MULTILINE)
    lines = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in FILES
        if not (BANNED[word] in OLD_KEY_WORDS and str(path.relative_to(ROOT)) in OLD_KEYS)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if pattern.search(line)
    ]
    assert not lines, f"instead: {BANNED[word]}"
