"""A look at data before training: a summary and the findings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.parts import PARTS
from zoo.finding import Finding
from zoo.tasks.image_classification.data import load_images
from zoo.tasks.image_classification.settings import ImageData
from zoo.tasks.image_classification.sheet import training_sheet
from zoo.tasks.language_modeling.data import load_corpus
from zoo.tasks.language_modeling.settings import CorpusData
from zoo.tasks.language_modeling.tokens import blocks
from zoo.tasks.text_classification.data import Data, load_data, probe
from zoo.tasks.text_classification.settings import TextData
from zoo.text.vocabulary import END

SAMPLES = 5
SAMPLE_CHARACTERS = 300
SAMPLE_TOKENS = 2000
FIRST_TOKENS = 20


def inspect_data(
    source: Any,
    *,
    settings: TextData,
    vocabulary_size: int,
    validation: Any = None,
    test: Any = None,
    text: str | None = None,
    label: str | None = None,
    seed: int = 0,
    drop_missing: bool = False,
) -> tuple[dict[str, Any], list[Finding]]:
    """Return a summary of data and the findings, as training would make them.

    Args:
        source: the data; what is accepted says `zoo.data.tables.read_rows`.
        settings: the data block of the preset whose `max_length` and so on are judged.
        vocabulary_size: number of token ids at the most.
        validation: validation data, or None.
        test: test data, or None.
        text: text column, or several separated by commas.
        label: label column.
        seed: seed of the sample rows.
        drop_missing: leave out rows without a label instead of refusing them.

    Returns:
        The summary with the keys `rows` (of `source`), `classes` (label to count, the largest
        first), `lengths` (tokens: `median`, `90 %`, `99 %`, `longest`) and `samples` (row, label
        and the beginning of the text); and the findings.

    Raises:
        ZooError: the data cannot be read or trained on.
    """
    with load_data(
        source, settings=settings, vocabulary_size=vocabulary_size, validation=validation,
        test=test, text=text, label=label, seed=seed, drop_missing=drop_missing,
    ) as data:  # fmt: skip
        return _summary(data, seed), data.findings


def inspect_corpus(
    source: Any,
    *,
    settings: CorpusData,
    vocabulary_size: int,
    validation: Any = None,
    test: Any = None,
    text: str | None = None,
) -> tuple[dict[str, Any], list[Finding]]:
    """Return a summary of a corpus and the findings, as training would make them.

    Args:
        source: the corpus; what is accepted says `zoo.tasks.language_modeling.data.load_corpus`.
        settings: the data block of the preset.
        vocabulary_size: number of token ids at the most.
        validation: validation data, or None.
        test: test data, or None.
        text: text column of a table.

    Returns:
        The summary with the keys `parts` (name to `lines`, `tokens` and `unknown_share`),
        `vocabulary` (`size`, `tokenizer` and its `first` tokens) and `samples` (first lines of the
        training part); and the findings.

    Raises:
        ZooError: the corpus cannot be read or trained on.
    """
    corpus = load_corpus(
        source, settings=settings, vocabulary_size=vocabulary_size, validation=validation,
        test=test, text=text,
    )  # fmt: skip
    parts = {name: getattr(corpus, name) for name in PARTS if getattr(corpus, name) is not None}
    lines = {
        name: sum(int((block == END).sum()) for block in blocks(part.ids))
        for name, part in parts.items()
    }
    pieces = corpus.vocabulary.pieces
    start = corpus.vocabulary.decode(corpus.train.ids[:SAMPLE_TOKENS]).split("\n")
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
    return summary, corpus.findings


def inspect_images(
    source: Any,
    *,
    settings: ImageData,
    image_size: int,
    path: str | None = None,
    label: str | None = None,
    seed: int = 0,
    drop_missing: bool = False,
    sheet: Path | None = None,
) -> tuple[dict[str, Any], list[Finding]]:
    """Return a summary of images and the findings, as training would make them.

    Args:
        source: the images; what is accepted says `sources.find.find_images`.
        settings: the data block of the preset.
        image_size: largest height and width that the network is to see.
        path: path column of a table.
        label: label column of a table.
        seed: of the augmentation.
        drop_missing: leave out what has no label or cannot be read.
        sheet: PNG file to write, of images as training sees them (A90); None for none.

    Returns:
        The summary with the keys `rows`, `parts` (part to count), `classes` (label to count in all
        parts, the largest first), `image_size` and `sheet`; and the findings.

    Raises:
        ZooError: the images cannot be read or trained on, or the sheet not be written.
    """
    with load_images(
        source, settings=settings, image_size=image_size, path=path, label=label, seed=seed,
        drop_missing=drop_missing,
    ) as data:  # fmt: skip
        if sheet is not None:
            training_sheet(data, sheet)
        parts = {
            name: getattr(data, name)
            for name in ("train", "validation", "test")
            if getattr(data, name) is not None
        }
        labels = np.concatenate([part.labels for part in parts.values()])
        counts = np.bincount(labels, minlength=len(data.classes))
        summary = {
            "rows": sum(map(len, parts.values())),
            "parts": {name: len(part) for name, part in parts.items()},
            "classes": {
                data.classes[position]: int(counts[position])
                for position in np.argsort(-counts, kind="stable")
            },
            "image_size": data.image_size,
            "sheet": None if sheet is None else str(sheet),
        }
        return summary, data.findings


def _summary(data: Data, seed: int) -> dict[str, Any]:
    parts = [part for part in (data.train, data.validation, data.test) if part is not None]
    here = [part.labels for part in parts if part.store is data.train.store]
    counts = np.bincount(np.concatenate(here), minlength=len(data.classes))
    lengths = next(f.evidence for f in data.findings if "max_length" in f.evidence)
    positions = probe(data.train, seed)[:SAMPLES]
    return {
        "rows": len(data.train.store),
        "classes": {
            data.classes[position]: int(counts[position])
            for position in np.argsort(-counts, kind="stable")
        },
        "lengths": {
            key: value
            for key, value in lengths.items()
            if key not in ("max_length", "cut_share", "texts")
        },
        "samples": [
            {
                "row": data.train.row_number(int(position)),
                "label": data.classes[data.train.labels[position]],
                "text": text[:SAMPLE_CHARACTERS],
            }
            for position, text in zip(positions, data.train.inputs(positions), strict=True)
        ],
    }
