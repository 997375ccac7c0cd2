"""Text data: read, check, split, sample; vocabulary and classes from the training part only."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from zoo.data import checks
from zoo.data.pipeline import batches
from zoo.data.split import sample_rows, split_rows
from zoo.data.store import MISSING, Split, Store
from zoo.data.tables import read_rows
from zoo.errors import ZooError, did_you_mean
from zoo.finding import Finding
from zoo.preset import TextData
from zoo.text.tokenizers import Tokenizer, learn_tokenizer, uncovered

PROBE = 10_000  # texts whose lengths and characters are looked at
EMPTY_HASH = int.from_bytes(hashlib.blake2b(b"", digest_size=8).digest(), "little")


@dataclasses.dataclass(frozen=True)
class Data:
    """Train, validation and test parts with the facts the data decide.

    `classes[i]` is the label of class id `i`: integers where all labels are, else strings.
    """

    train: Split
    validation: Split | None
    test: Split | None
    classes: list[Any]
    tokenizer: Tokenizer
    findings: list[Finding]
    fingerprint: str
    settings: TextData
    seed: int

    def dataset(self, part: str) -> tf.data.Dataset:
        """Return the batches of `train`, `validation` or `test`; see `zoo.data.pipeline.batches`.

        Only the training part is shuffled and balanced.
        """
        training = part == "train"
        return batches(
            getattr(self, part),
            self.tokenizer,
            max_length=self.settings.max_length,
            batch_size=self.settings.batch_size,
            seed=self.seed if training else None,
            balance=self.settings.balance if training else "none",
            num_classes=len(self.classes),
        )

    def close(self) -> None:
        """Remove the temporary files of the rows."""
        for split in (self.train, self.validation, self.test):
            if split is not None:
                split.store.close()


def load_data(
    source: Any,
    *,
    settings: TextData,
    vocabulary_size: int,
    validation: Any = None,
    test: Any = None,
    text: str | None = None,
    label: str | None = None,
    seed: int = 0,
    fraction: float = 1.0,
    classes: list[str] | None = None,
    drop_missing: bool = False,
) -> Data:
    """Read, check and split text data, and learn the tokenizer.

    Args:
        source: the training data; what is accepted says `zoo.data.tables.read_rows`.
        settings: the preset's data block.
        vocabulary_size: number of token ids at the most.
        validation: validation data; else a part of `source`.
        test: test data, or None.
        text: text column, or several separated by commas.
        label: label column.
        seed: seed of split, sample, tokenizer and order.
        fraction: share of the training part to keep, stratified, in (0, 1].
        classes: labels to keep; None keeps all.
        drop_missing: leave out rows without a label instead of refusing them.

    Returns:
        The data; `close` it.

    Raises:
        ZooError: the data cannot be read or trained on. What can be judged but not trained on is
            among the findings, at level `error`.
    """
    if not 0.0 < fraction <= 1.0:
        raise ZooError(f"`fraction` must be in (0, 1]. Received: {fraction}.")
    stores: list[Store] = []
    findings: list[Finding] = []
    try:
        for each in (source, validation, test):
            if each is not None:
                stores.append(Store(read_rows(each, text=text, label=label)))
        rows = [_labelled(store, drop_missing, findings) for store in stores]
        if classes is not None:
            kept = [_kept(store, some, classes) for store, some in zip(stores, rows, strict=True)]
            rows = kept
        _refuse_nothing(stores[0], rows[0])
        parts: dict[str, tuple[Store, np.ndarray]] = {"train": (stores[0], rows[0])}
        if validation is not None:
            parts["validation"] = (stores[1], rows[1])
        else:
            first = stores[0]
            train, held_out = split_rows(
                first.hashes[rows[0]], first.labels[rows[0]], settings.validation_fraction, seed
            )
            parts["train"] = (first, rows[0][train])
            if len(held_out):
                parts["validation"] = (first, np.sort(rows[0][held_out]))
        if test is not None:
            parts["test"] = (stores[-1], rows[-1])
        return _finished(parts, findings, settings, vocabulary_size, seed, fraction)
    except BaseException:
        for store in stores:
            store.close()
        raise


def load_split(
    source: Any, *, classes: list[Any], text: str | None = None, label: str | None = None
) -> Split:
    """Return data with labels as one split, for scoring; it is a context manager.

    Raises:
        ZooError: the data cannot be read, or hold a label that is not among the classes.
    """
    store = Store(read_rows(source, text=text, label=label))
    try:
        rows = _labelled(store, False, [])
        split, unknown = _mapped(store, rows, {str(name): i for i, name in enumerate(classes)})
        if unknown is not None:
            raise ZooError(str(checks.unknown_labels(store, *unknown, name="the data")))
    except BaseException:
        store.close()
        raise
    return split


def inspect_data(
    source: Any,
    *,
    settings: TextData,
    vocabulary_size: int,
    text: str | None = None,
    label: str | None = None,
    drop_missing: bool = False,
) -> tuple[dict[str, Any], list[Finding]]:
    """Return a summary of data (rows, classes, lengths in tokens, samples) and the findings.

    Raises:
        ZooError: the data cannot be read or trained on.
    """
    data = load_data(
        source, settings=settings, vocabulary_size=vocabulary_size, text=text, label=label,
        drop_missing=drop_missing,
    )  # fmt: skip
    try:
        store = data.train.store
        counts = np.bincount(data.train.labels, minlength=len(data.classes))
        if data.validation is not None:
            counts = counts + np.bincount(data.validation.labels, minlength=len(data.classes))
        lengths = next(f.evidence for f in data.findings if "max_length" in f.evidence)
        samples = [
            {"label": data.classes[data.train.labels[i]], "text": text}
            for i, text in enumerate(
                data.train.texts(np.arange(min(checks.SHOWN, len(data.train))))
            )
        ]
        summary = {
            "rows": len(store),
            "classes": {
                name: int(n)
                for name, n in sorted(
                    zip(data.classes, counts, strict=True), key=lambda each: -each[1]
                )
            },
            "lengths": {
                key: value
                for key, value in lengths.items()
                if key not in ("max_length", "cut_share", "texts")
            },
            "samples": samples,
        }
        return summary, data.findings
    finally:
        data.close()


def bundled(model: str) -> Path:
    """Return the path of the data that come with the package for a text classifier."""
    del model  # all four text classifiers share one set
    return Path(__file__).parent / "bundled" / "sms_spam.csv.gz"


def _labelled(store: Store, drop_missing: bool, findings: list[Finding]) -> np.ndarray:
    missing = np.flatnonzero(store.labels == MISSING)
    if not len(missing):
        return np.arange(len(store))
    count = "1 row has" if len(missing) == 1 else f"{len(missing):,} rows have"
    if not drop_missing:
        raise ZooError(
            f"{count} no label: {store.named(missing)}. Fill them, or pass drop_missing=True "
            "(--drop-missing)."
        )
    evidence = {"count": len(missing)}
    findings.append(
        Finding("info", f"{count} no label and are left out: {store.named(missing)}.", evidence)
    )
    return np.flatnonzero(store.labels != MISSING)


def _kept(store: Store, rows: np.ndarray, classes: list[str]) -> np.ndarray:
    wanted = []
    for name in classes:
        if str(name) not in store.names:
            raise ZooError(
                f"--classes: no row has the label '{name}'.{did_you_mean(str(name), store.names)} "
                f"Labels: {', '.join(store.names[:20])}."
            )
        wanted.append(store.names.index(str(name)))
    return rows[np.isin(store.labels[rows], wanted)]


def _refuse_nothing(store: Store, rows: np.ndarray) -> None:
    if not len(rows):
        raise ZooError("no row is left to train on.")
    where = store.place(0)[0]
    if (store.hashes[rows] == np.uint64(EMPTY_HASH)).all():
        raise ZooError(f"{where}: all texts are empty.")
    labels = np.unique(store.labels[rows])
    if len(labels) < 2:
        raise ZooError(
            f"{where}: all {len(rows):,} rows have the one class '{store.names[labels[0]]}'. A "
            "classifier needs two."
        )
    if len(np.unique(store.hashes[rows])) < 4:
        raise ZooError(f"{where}: fewer than four different texts: too few to train and validate.")


def _finished(
    parts: dict[str, tuple[Store, np.ndarray]],
    findings: list[Finding],
    settings: TextData,
    vocabulary_size: int,
    seed: int,
    fraction: float,
) -> Data:
    store, rows = parts["train"]
    if fraction < 1.0:
        rows = rows[sample_rows(store.labels[rows], fraction, seed)]
        parts["train"] = (store, rows)
    names = [store.names[label] for label in np.unique(store.labels[rows])]
    classes = _class_order(names)
    ids = {str(name): index for index, name in enumerate(classes)}
    splits: dict[str, Split] = {}
    for name, (each, some) in parts.items():
        splits[name], unknown = _mapped(each, some, ids)
        if unknown is not None:
            findings.append(checks.unknown_labels(each, *unknown, name=name))
    train = splits["train"]
    order = np.random.default_rng(seed).permutation(len(train))
    tokenizer = learn_tokenizer(
        settings.tokenizer,
        _shuffled(train, order),
        vocabulary_size=vocabulary_size,
        lowercase=settings.lowercase,
    )
    findings += _judged(splits, classes, tokenizer, settings, vocabulary_size, order)
    digests = [each.digest() for each in dict.fromkeys(each for each, _ in parts.values())]
    rows_digest = b"".join(split.rows.tobytes() for split in splits.values())
    fingerprint = hashlib.blake2b(b"".join(digests) + rows_digest, digest_size=16).hexdigest()
    return Data(
        train=train,
        validation=splits.get("validation"),
        test=splits.get("test"),
        classes=classes,
        tokenizer=tokenizer,
        findings=findings,
        fingerprint=fingerprint,
        settings=settings,
        seed=seed,
    )


def _judged(
    splits: dict[str, Split],
    classes: list[Any],
    tokenizer: Tokenizer,
    settings: TextData,
    vocabulary_size: int,
    order: np.ndarray,
) -> list[Finding]:
    train = splits["train"]
    found: list[Finding] = []
    for store in dict.fromkeys(split.store for split in splits.values()):
        name = next(name for name, split in splits.items() if split.store is store)
        found += checks.empty_texts(store, EMPTY_HASH)
        found += checks.repeated_texts(store, "the file" if name == "train" else name)
    for name in ("validation", "test"):
        if name in splits and splits[name].store is not train.store:
            found += checks.shared_texts(train, splits[name], name)
    counts = np.bincount(train.labels, minlength=len(classes))
    if settings.balance == "none":
        found += checks.rare_classes(
            dict(zip(classes, counts.tolist(), strict=True)), settings.batch_size
        )
    found += checks.label_order(train.store)
    probe = train.texts(order[:PROBE])
    lengths = tokenizer(tf.constant(probe)).row_lengths().numpy()
    found += checks.text_lengths(lengths, settings.max_length)
    found += checks.uncovered_characters(
        Counter(uncovered(tokenizer, probe)), len(probe), tokenizer.kind
    )
    found += checks.small_vocabulary(tokenizer.vocabulary_size, vocabulary_size)
    return found


def _mapped(
    store: Store, rows: np.ndarray, ids: dict[str, int]
) -> tuple[Split, tuple[np.ndarray, list[str]] | None]:
    """Return the rows with class ids, and those whose label is not among them."""
    table = np.array([ids.get(name, MISSING) for name in store.names] or [MISSING], np.int32)
    labels = table[store.labels[rows]]
    unknown = rows[labels == MISSING]
    if not len(unknown):
        return Split(store, rows, labels), None
    names = [store.names[label] for label in np.unique(store.labels[unknown])]
    return Split(store, rows[labels != MISSING], labels[labels != MISSING]), (unknown, names)


def _class_order(names: list[str]) -> list[Any]:
    """Return classes in numeric order, as integers, where all are; else in alphabetical order."""
    try:
        numbers = [int(name) for name in names]
    except ValueError:
        return sorted(names)
    if [str(number) for number in numbers] == names:
        return sorted(numbers)
    return sorted(names)


def _shuffled(train: Split, order: np.ndarray) -> Iterator[str]:
    for part in train.store.iter_raw(train.rows[order]):
        for text in part:
            yield text.decode("utf-8", "replace")
