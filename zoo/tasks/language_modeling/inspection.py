"""A look at a corpus before training."""

from __future__ import annotations

from typing import Any

from zoo.data.parts import parts_of
from zoo.tasks.corpora.token_ids import blocks
from zoo.tasks.inspection import SAMPLE_CHARACTERS, SAMPLES, Inspection, Line, Table
from zoo.tasks.language_modeling.data import load_corpus
from zoo.tasks.language_modeling.settings import CarriedWindows, SeparateWindows
from zoo.tasks.request import Request
from zoo.text.corpus_tokenizer import END, CorpusTokenizer

SAMPLE_TOKENS = 2000
FIRST_TOKENS = 20


def inspect_corpus(
    request: Request,
    settings: CarriedWindows | SeparateWindows,
    vocabulary_size: int,
    tokenizer: CorpusTokenizer | None = None,
) -> Inspection:
    """Return a summary of a corpus and the findings, as training would make them.

    Args:
        request: the corpus; what is accepted says `load_corpus`.
        settings: the data block of the preset.
        vocabulary_size: number of token ids at the most.
        tokenizer: of pretrained weights; None learns one.

    Returns:
        Its summary has the keys `parts` (name to `lines`, `tokens` and `unknown_share`),
        `vocabulary` (`size`, `tokenizer` and its `first` tokens) and `samples` (first lines of the
        training part).

    Raises:
        ZooError: the corpus cannot be read or trained on.
    """
    corpus = load_corpus(request, settings, vocabulary_size, tokenizer)
    parts = parts_of(corpus)
    lines = {
        name: sum(int((block == END).sum()) for block in blocks(part.ids))
        for name, part in parts.items()
    }
    pieces = corpus.tokenizer.pieces
    start = corpus.tokenizer.decode(corpus.train.ids[:SAMPLE_TOKENS]).split("\n")
    summary = {
        "parts": {
            name: {
                "lines": lines[name],
                "tokens": len(part),
                "unknown_share": part.unknown_share,
            }
            for name, part in parts.items()
        },
        "vocabulary": {
            "size": len(pieces),
            "tokenizer": settings.tokenizer,
            "first": pieces[2 : 2 + FIRST_TOKENS],
        },
        "samples": [line[:SAMPLE_CHARACTERS] for line in start if line.strip()][:SAMPLES],
    }
    return Inspection(summary, corpus.findings, _shown(summary))


def _shown(summary: dict[str, Any]) -> list[Table | Line]:
    rows = [
        (name, f"{part['lines']:,}", f"{part['tokens']:,}", f"{100 * part['unknown_share']:.2f} %")
        for name, part in summary["parts"].items()
    ]
    vocabulary = summary["vocabulary"]
    learned = (
        f"vocabulary: {vocabulary['size']:,} {vocabulary['tokenizer']}, learned from the training "
        f"part; the most frequent: {' '.join(vocabulary['first'])}"
    )
    samples = [Line(f"  {line[:100]}") for line in summary["samples"]]
    return [Table(("part", "lines", "tokens", "unknown"), rows), Line(learned), *samples]
