"""Findings about texts before training, each with counts and row numbers (A25, A26, A107)."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo.data.checks import PROBED, SHARED, SUSPECT, columns_read, on_rows, paths_in, row_numbers
from zoo.data.columns import Columns, quoted
from zoo.data.label_sets import has_sets, label_counts
from zoo.data.labels import absent_classes, looks_like, rare_classes, unlabelled_classes
from zoo.data.rows import BATCH_ROWS
from zoo.data.store import EMPTY_HASH, NAMED_ROWS, Split, Store
from zoo.errors import ZooError
from zoo.finding import Finding, counted
from zoo.tasks.text_classification.settings import TextData
from zoo.text.spacing import long_words
from zoo.text.tokenizers import TextTokenizer

PERCENTILES = {"median": 50, "90 %": 90, "99 %": 99}
MUCH_CUT = 0.1  # share of cut texts from which it is worth a warning
FEWEST_TEXTS = 4  # two classes, each with one text to learn from and one to validate
# Texts of each part whose lengths and characters are looked at: percentiles move little with more.
PROBE_TEXTS = 10_000
PROBE_BYTES = 2 << 20  # of long texts fewer are enough: half a second


def check_trainable(store: Store, rows: np.ndarray) -> None:
    """Refuse rows that no classifier can learn from.

    Raises:
        ZooError: no rows, all texts empty, one class, or fewer than four different texts.
    """
    if not len(rows):
        raise ZooError("no row is left to train on.")
    where = store.file
    if (store.hashes[rows] == EMPTY_HASH).all():
        raise ZooError(f"{where}: all texts are empty.")
    labels = list(label_counts(store, rows))
    if len(labels) < 2:
        what = f"all {len(rows):,} rows have the one class '{labels[0]}'" if labels else "no label"
        raise ZooError(f"{where}: {what}. A classifier needs two.")
    if _few_texts(store, rows):
        raise ZooError(f"{where}: fewer than four different texts: too few to train and validate.")


def _few_texts(store: Store, rows: np.ndarray) -> bool:
    seen: set[int] = set()
    for start in range(0, len(rows), BATCH_ROWS):
        seen.update(store.hashes[rows[start : start + BATCH_ROWS]].tolist())
        if len(seen) >= FEWEST_TEXTS:
            return False
    return True


def reading(store: Store, trained: Columns | None = None) -> list[Finding]:
    """Return findings on how a file was read: columns left out, rows that look wrong.

    Args:
        store: what was read.
        trained: the columns of the run that it is scored with, if any.
    """
    hint = "" if trained else "Several text columns are joined with --text title,body."
    findings = columns_read(store.file, store.columns, trained=trained, hint=hint)
    findings += store.findings
    for fault, rows in store.suspect.items():
        findings.append(on_rows("warning", store, rows, *SUSPECT[fault]))
    if store.surrogates:
        what = "{count} held half a surrogate pair, read as U+FFFD"
        advice = "The texts were cut inside an emoji. Nothing need be done."
        findings.append(on_rows("warning", store, store.surrogates, what, advice))
    return findings


def pairs(stores: Mapping[str, Store], asked: str) -> list[Finding]:
    """Return a finding where rows are pairs of texts.

    Args:
        stores: the parts.
        asked: `one`, `pair` or `auto`, the preset's `data.texts`.

    Raises:
        ZooError: some parts hold pairs and others do not, or it is not what is asked for.
    """
    held = {name: store.pairs for name, store in stores.items()}
    wanted = {"pair": True, "one": False}.get(asked, next(iter(held.values())))
    for name, store in stores.items():
        if store.pairs != wanted:
            kinds = ("pairs of texts", "single texts")
            found, expected = kinds if store.pairs else kinds[::-1]
            raise ZooError(
                f"{store.file}: holds {found} where {expected} are expected ({name}). Name two "
                "columns with --text FIRST,SECOND and set data.texts=pair, or one and "
                "data.texts=one; in Python a pair is a tuple."
            )
    store = next(iter(stores.values()))
    if not wanted or asked == "pair":
        return []
    columns = f" ({quoted(store.columns.inputs)})" if store.columns else ""
    what = f"{store.file}: the rows are pairs of texts{columns}."
    hint = "data.texts=one joins the two columns." if store.columns else ""
    return [Finding("info", what, {"pairs": True}, hint)]


def image_paths(store: Store, rows: np.ndarray) -> list[Finding]:
    """Return a finding when the texts are the paths of images."""
    return paths_in(store.file, list(store.iter_inputs(rows[:PROBED])))


def empty_texts(store: Store, rows: np.ndarray) -> list[Finding]:
    """Return a finding when texts hold nothing but space."""
    empty = rows[store.hashes[rows] == EMPTY_HASH]
    if not len(empty):
        return []
    hint = "They are read as one unknown token. Fill them or leave the rows out."
    return [on_rows("warning", store, empty, "{count} {are} empty", hint)]


def repeated_texts(store: Store, rows: np.ndarray, name: str, split_here: bool) -> list[Finding]:
    """Return findings on texts that occur more than once, and on those with two labels.

    Args:
        store: where the rows are.
        rows: those that are used, in rising order.
        name: what they are called.
        split_here: whether they are split into training and validation by us.
    """
    hashes = store.hashes[rows]
    rows = rows[np.argsort(hashes, kind="stable")]
    hashes = store.hashes[rows]
    same = np.zeros(len(rows), bool)
    same[1:] = (hashes[1:] == hashes[:-1]) & (hashes[1:] != EMPTY_HASH)
    del hashes
    copies = np.sort(rows[same])
    if not len(copies):
        return []
    hint = "Copies of a text stay on one side of the split." if split_here else ""
    what = f"{{count}} of {name} repeat{{s}} an earlier text"
    findings = [on_rows("info", store, copies, what, hint)]
    start = np.flatnonzero(~same)
    labels = store.labels[rows]
    conflicting = np.minimum.reduceat(labels, start) != np.maximum.reduceat(labels, start)
    if conflicting.any():
        first = np.sort(rows[start[conflicting]])
        several = has_sets(store)
        one = "the same labels for all copies" if several else "one label"
        hint = f"No model can be right on all of them. Decide on {one}."
        different = "different labels" if several else "two labels"
        what = f"{{count}} of {name} {{have}} {different}"
        findings.append(on_rows("warning", store, first, what, hint))
    return findings


def shared_texts(one: Split, other: Split, one_name: str, other_name: str) -> list[Finding]:
    """Return a finding when the other part holds texts of the one.

    Args:
        one: a part.
        other: another one, whose scores count.
        one_name: what the first is called.
        other_name: what the other is called.
    """
    known = np.unique(one.store.hashes[one.rows])
    hashes = other.store.hashes[other.rows]
    rows = np.sort(other.rows[np.isin(hashes, known) & (hashes != EMPTY_HASH)])
    if not len(rows):
        return []
    share = len(rows) / len(other)
    return [
        on_rows(
            "warning",
            other.store,
            rows,
            f"{{count}} of {other_name} ({100 * share:.1f} %) {{are}} also in {one_name}",
            f"The {other_name} scores are too good by what was learned by heart: remove them from "
            "one of the two.",
            {"share": share},
            SHARED,
        )
    ]


def length_summary(lengths: np.ndarray) -> dict[str, int]:
    """Return median, 90th and 99th percentile and maximum of lengths."""
    values = np.percentile(lengths, list(PERCENTILES.values()), method="nearest")
    summary = {name: int(value) for name, value in zip(PERCENTILES, values, strict=True)}
    return summary | {"longest": int(lengths.max())}


def text_lengths(lengths: np.ndarray, max_length: int, texts: int) -> list[Finding]:
    """Return a finding that holds the lengths in tokens against `max_length`.

    Args:
        lengths: of a sample of the texts.
        max_length: tokens of a text that are read.
        texts: number of all texts.
    """
    cut = float((lengths > max_length).mean())
    summary = length_summary(lengths)
    shown = ", ".join(f"{name} {value:,}" for name, value in summary.items())
    sample = f" (in a sample of {len(lengths):,})" if len(lengths) < texts else ""
    evidence = {**summary, "max_length": max_length, "cut_share": cut, "texts": len(lengths)}
    longer = f"{100 * cut:.1f} % are longer than max_length {max_length}"
    what = f"tokens a text: {shown}{sample}; {longer}."
    if cut > MUCH_CUT:
        hint = "Their ends are not read: raise data.max_length."
        return [Finding("warning", what, evidence, hint)]
    return [Finding("info", what, evidence)]


def uncovered_characters(counts: Mapping[str, int], texts: int, tokens: str) -> list[Finding]:
    """Return a finding on characters that the tokenizer maps to the unknown token.

    Args:
        counts: how often each of them occurs.
        texts: number of the texts that were looked at.
        tokens: kind of the tokenizer.
    """
    if not counts:
        return []
    most = dict(sorted(counts.items(), key=lambda entry: -entry[1])[:NAMED_ROWS])
    shown = ", ".join(f"{c!r} ({n:,})" for c, n in most.items())
    times = sum(counts.values())
    subject = counted(len(counts), "character is", "characters are")
    return [
        Finding(
            "info",
            f"{subject} not covered by the {tokens} tokenizer ({counted(times, 'time')} in "
            f"{texts:,} texts): {shown}.",
            {"characters": len(counts), "count": times, "most": most},
            f"{'It is' if len(counts) == 1 else 'They are'} read as the unknown token.",
        )
    ]


def unknown_labels(
    store: Store, rows: np.ndarray, labels: list[str], name: str, classes: Sequence[Any]
) -> Finding:
    """Return the error for rows whose label training never saw.

    Args:
        store: where the rows are.
        rows: the rows.
        labels: the labels they have.
        name: what the data are called.
        classes: the labels of training.
    """
    return Finding(
        "error",
        f"{name} holds labels unknown to training: {quoted(labels[:NAMED_ROWS])} "
        f"({store.describe(rows)}).",
        {"count": len(rows), "labels": labels, "rows": row_numbers(store, rows)},
        looks_like(labels, classes) or "Add such rows to the training data, or remove them.",
    )


def part_findings(
    splits: Mapping[str, Split],
    classes: list[Any],
    tokenizer: TextTokenizer,
    settings: TextData,
    seed: int,
    split_here: bool,
) -> list[Finding]:
    """Return findings on the parts: shared texts, missing classes, lengths, characters.

    Args:
        splits: by name of the part.
        classes: the labels of training.
        tokenizer: learned from the training part.
        settings: the preset's data block.
        seed: of the sample of texts that are looked at.
        split_here: whether the validation part was split from the training data by us.
    """
    findings: list[Finding] = []
    for one, other in itertools.combinations(splits, 2):
        if not split_here or (one, other) != ("train", "validation"):  # our split shares none
            name = "training" if one == "train" else one
            findings += shared_texts(splits[one], splits[other], name, other)
    for name in splits:
        if name == "test" or (name == "validation" and not split_here):
            counts = splits[name].targets.counts(splits[name].labels)
            findings += absent_classes(counts, classes, name, "row")
    findings += unlabelled_classes(classes)
    train = splits["train"]
    texts = {name: split.inputs(probe(split, seed)) for name, split in splits.items() if len(split)}
    lengths = tokenizer.count(texts["train"])
    findings += text_lengths(lengths, settings.max_length, len(train))
    findings += long_words(tokenizer.kind, sum(map(len, texts["train"])) / max(lengths.sum(), 1))
    characters: Counter[str] = Counter()
    for part in texts.values():
        characters.update(tokenizer.unknown_characters(part))
    count = sum(map(len, texts.values()))
    return findings + uncovered_characters(characters, count, tokenizer.kind)


def classes_of_batches(train: Split, classes: list[Any], settings: TextData) -> list[Finding]:
    """Return a finding on classes that most batches of the training part lack.

    Args:
        train: the training part.
        classes: its labels.
        settings: the preset's data block.
    """
    if settings.balance != "none":
        return []
    of_class = dict(zip(classes, train.targets.counts(train.labels).tolist(), strict=True))
    return rare_classes(of_class, settings.batch_size, len(train))


def probe(split: Split, seed: int) -> np.ndarray:
    """Return positions of a random sample of a split, bounded in texts and bytes."""
    generator = np.random.default_rng(seed)
    positions = generator.choice(len(split), min(len(split), PROBE_TEXTS), replace=False)
    total = np.cumsum(split.store.sizes(split.rows[positions]))
    return positions[: max(1, int(np.searchsorted(total, PROBE_BYTES)))]
