"""Text data: read, check, split, sample; vocabulary and classes from the training part only."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from zoo.data import checks, content_checks
from zoo.data.classes import (
    check_classes,
    check_trainable,
    class_order,
    classified,
    labelled_rows,
    rows_of_classes,
)
from zoo.data.columns import ColumnRequest, Columns, regression_hint
from zoo.data.epochs import EpochCursor
from zoo.data.labels import absent_classes, alike_labels, unlabelled_classes, whole_labels
from zoo.data.parts import PARTS, SCORED, given_parts, part_sources, rows_of_part, scored_source
from zoo.data.split import sample_rows, split_rows
from zoo.data.store import Split, Store
from zoo.data.tables import read_rows, table_paths
from zoo.errors import ZooError, check_seed, unknown
from zoo.finding import Finding
from zoo.tasks.text_classification.batches import batches
from zoo.tasks.text_classification.settings import TextData
from zoo.tasks.text_classification.token_ids import TokenIds
from zoo.text.spacing import long_words
from zoo.text.tokenizers import SAMPLE_TEXTS, Tokenizer, learn_tokenizer, uncovered

Part = tuple[Store, np.ndarray]  # and its rows there
# Texts of each part whose lengths and characters are looked at: percentiles move little with more.
PROBE_TEXTS = 10_000
PROBE_BYTES = 2 << 20  # of long texts fewer are enough: half a second


@dataclasses.dataclass(frozen=True)
class Data:
    """Train, validation and test parts with the facts the data decide; a context manager.

    `classes[i]` is the label of class id `i`: integers where all labels are, else strings.
    `fingerprint` tells contents, split and sample apart.
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
    _ids: dict[str, TokenIds] = dataclasses.field(default_factory=dict, init=False, repr=False)

    def dataset(
        self,
        part: str,
        cursor: EpochCursor | None = None,
        replica_ids: range = range(1),
        replicas: int = 1,
    ) -> tf.data.Dataset:
        """Return the batches of `train`, `validation` or `test`; see `batches`.

        Only the training part is shuffled and balanced. On several replicas, give this to
        `zoo.distribute.distributed`.

        Args:
            part: name of the part.
            cursor: where a training that goes on begins.
            replica_ids: numbers of the replicas that are fed.
            replicas: number of all replicas.

        Raises:
            ZooError: there is no such part.
        """
        split = getattr(self, part) if part in PARTS else None
        if split is None:
            raise unknown("part", part, [p for p in PARTS if getattr(self, p) is not None])
        if part not in self._ids:
            self._ids[part] = TokenIds(split, self.tokenizer, self.settings.max_length)
        training = part == "train"
        return batches(
            self._ids[part],
            batch_size=self.settings.batch_size,
            seed=self.seed if training else None,
            balance=self.settings.balance if training else "none",
            num_classes=len(self.classes),
            cursor=cursor,
            replica_ids=replica_ids,
            replicas=replicas,
        )

    @property
    def columns(self) -> Columns | None:
        """Which columns of a table the training part was read from."""
        return self.train.store.columns

    def close(self) -> None:
        """Remove the temporary files of the rows and their ids."""
        for ids in self._ids.values():
            ids.close()
        for split in (self.train, self.validation, self.test):
            if split is not None:
                split.store.close()

    def __enter__(self) -> Data:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


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
    classes: Sequence[Any] | None = None,
    drop_missing: bool = False,
    tokenizer: Tokenizer | None = None,
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
        fraction: share of the training part to keep, stratified, in (0, 1] (A30).
        classes: labels to keep; None keeps all (A31).
        drop_missing: leave out rows without a label instead of refusing them.
        tokenizer: one that was learned before from the same data; None learns it.

    Returns:
        The data; `close` it.

    Raises:
        ZooError: the data cannot be read or trained on. What can be judged but not trained on is
            among the findings, at level `error`.
    """
    if not 0.0 < fraction <= 1.0:
        raise ZooError(f"`fraction` must be in (0, 1]. Received: {fraction}.")
    check_seed(seed)
    stores: dict[str, Store] = {}
    findings: list[Finding] = []
    try:
        sources = part_sources(source, validation, test, table_paths, findings)
        for name, each in sources.items():
            stores[name] = Store(read_rows(each, ColumnRequest(text, label)))
        for name, store in stores.items():
            if not len(store):
                raise ZooError(f"the data of the {name} part hold no rows.")
            whole_labels(store, findings)
            findings += checks.reading(store)
        parts = _used_rows(given_parts(stores, findings), classes, drop_missing, findings)
        split_here = "validation" not in parts
        for name, (store, rows) in parts.items():
            findings += checks.empty_texts(store, rows)
            called = "the data" if split_here and name == "train" else name
            copies_stay = split_here and name == "train"
            findings += checks.repeated_texts(store, rows, called, copies_stay)
        findings += checks.label_order(stores["train"])
        findings += alike_labels(*parts["train"])
        findings += content_checks.image_paths(*parts["train"])
        findings += content_checks.several_labels(*parts["train"])
        findings += content_checks.measurements(*parts["train"])
        _set_apart(parts, settings, seed, fraction)
        del rows  # of some million rows: learning the tokenizer needs the memory
        return _finished(parts, findings, settings, vocabulary_size, seed, tokenizer, split_here)
    except BaseException:
        for store in stores.values():
            store.close()
        raise


def load_split(
    source: Any,
    *,
    classes: list[Any],
    text: str | None = None,
    label: str | None = None,
    trained: Columns | None = None,
    drop_missing: bool = False,
    findings: list[Finding] | None = None,
) -> Split:
    """Return data with labels as one split, for scoring; it is a context manager.

    Of files that are parts by their names the test part is read, and of a table with a column that
    says the parts the test rows.

    Args:
        source: what is accepted says `zoo.data.tables.read_rows`.
        classes: the labels of the run.
        text: text column, or several separated by commas.
        label: label column.
        trained: the columns of the run, read where none are named.
        drop_missing: leave out rows without a label instead of refusing them.
        findings: what there is to say is added to it.

    Raises:
        ZooError: the data cannot be read, or hold a label that is not among the classes.
    """
    findings = [] if findings is None else findings
    source = scored_source(source, table_paths, findings)
    store = Store(read_rows(source, ColumnRequest(text, label, trained=trained)))
    try:
        whole_labels(store, findings, classes)
        rows = rows_of_part(store, SCORED, findings)
        rows = labelled_rows(store, rows, drop_missing, findings)
        if not len(rows):
            raise ZooError("the data hold no rows with a label.")
        findings += checks.reading(store, trained)
        split, unknown_rows, labels = classified(store, rows, classes)
        if len(unknown_rows):
            stranger = checks.unknown_labels(store, unknown_rows, labels, "the data", classes)
            raise ZooError(str(stranger))
    except BaseException:
        store.close()
        raise
    return split


def bundled(model: str) -> Path:
    """Return the path of the data that come with the package for a text classifier."""
    del model  # all text classifiers share one set
    return Path(__file__).parent / "bundled" / "sms_spam.csv.gz"


def probe(split: Split, seed: int) -> np.ndarray:
    """Return positions of a random sample of a split, bounded in texts and bytes."""
    generator = np.random.default_rng(seed)
    positions = generator.choice(len(split), min(len(split), PROBE_TEXTS), replace=False)
    filled = np.cumsum(split.store.sizes(split.rows[positions]))
    return positions[: max(1, int(np.searchsorted(filled, PROBE_BYTES)))]


def _used_rows(
    given: dict[str, Part],
    classes: Sequence[Any] | None,
    drop_missing: bool,
    findings: list[Finding],
) -> dict[str, Part]:
    used: dict[str, Part] = {}
    if classes is not None:
        check_classes(given["train"][0], classes)
    for name, (store, rows) in given.items():
        rows = labelled_rows(store, rows, drop_missing, findings)
        if classes is not None:
            rows = rows_of_classes(store, rows, classes)
        if not len(rows):
            raise ZooError(f"{store.file}: no row with a label is left ({name}).")
        used[name] = (store, rows)
    check_trainable(*used["train"])
    return used


def _set_apart(parts: dict[str, Part], settings: TextData, seed: int, fraction: float) -> None:
    """Set a validation part apart if there is none, and take a sample of the training part."""
    store, train = parts["train"]
    if "validation" not in parts:
        kept, held_out = split_rows(
            store.hashes[train], store.labels[train], settings.validation_fraction, seed
        )
        if not len(held_out):
            raise ZooError(
                f"{store.file}: no class has two different texts, so none can be set aside "
                f"to validate. Give more rows, or --validation.{regression_hint(store.names)}"
            )
        parts["validation"] = (store, train[held_out])
        train = train[kept]
    if fraction < 1.0:
        train = train[sample_rows(store.labels[train], fraction, seed)]
    parts["train"] = (store, train)


def _finished(
    parts: dict[str, Part],
    findings: list[Finding],
    settings: TextData,
    vocabulary_size: int,
    seed: int,
    tokenizer: Tokenizer | None,
    split_here: bool,
) -> Data:
    store, rows = parts["train"]
    present = np.flatnonzero(np.bincount(store.labels[rows]))
    classes = class_order([store.names[label] for label in present])
    splits: dict[str, Split] = {}
    for name in (part for part in PARTS if part in parts):
        each, some = parts[name]
        splits[name], unknown_rows, labels = classified(each, some, classes)
        if len(unknown_rows):
            findings.append(checks.unknown_labels(each, unknown_rows, labels, name, classes))
    if tokenizer is None:
        tokenizer = _learn(splits["train"], settings, vocabulary_size, seed)
    findings += _judged(splits, classes, tokenizer, settings, seed, split_here)
    findings += checks.small_vocabulary(tokenizer.vocabulary_size, vocabulary_size)
    fingerprint = _fingerprint(splits)
    for store, _ in parts.values():
        store.drop_hashes()
    return Data(
        train=splits["train"],
        validation=splits["validation"],
        test=splits.get("test"),
        classes=classes,
        tokenizer=tokenizer,
        findings=findings,
        fingerprint=fingerprint,
        settings=settings,
        seed=seed,
    )


def _learn(train: Split, settings: TextData, vocabulary_size: int, seed: int) -> Tokenizer:
    rows = train.rows
    if len(rows) > SAMPLE_TEXTS:  # more would not be kept, so they need not be read
        generator = np.random.default_rng(seed)
        rows = np.sort(generator.choice(rows, SAMPLE_TEXTS, replace=False))
    return learn_tokenizer(
        settings.tokenizer,
        train.store.iter_inputs(rows),
        vocabulary_size=vocabulary_size,
        lowercase=settings.lowercase,
        seed=seed,
    )


def _judged(
    splits: dict[str, Split],
    classes: list[Any],
    tokenizer: Tokenizer,
    settings: TextData,
    seed: int,
    split_here: bool,
) -> list[Finding]:
    found: list[Finding] = []
    for one, other in itertools.combinations(splits, 2):
        if not split_here or (one, other) != ("train", "validation"):  # of ours none is on both
            name = "training" if one == "train" else one
            found += checks.shared_texts(splits[one], splits[other], name, other)
    for name in splits:
        if name == "test" or (name == "validation" and not split_here):
            found += absent_classes(splits[name].labels, classes, name, "row")
    found += unlabelled_classes(classes)
    train = splits["train"]
    if settings.balance == "none":
        counts = np.bincount(train.labels, minlength=len(classes)).tolist()
        found += checks.rare_classes(dict(zip(classes, counts, strict=True)), settings.batch_size)
    texts = {name: split.inputs(probe(split, seed)) for name, split in splits.items() if len(split)}
    lengths = tokenizer.count(texts["train"])
    found += checks.text_lengths(lengths, settings.max_length, len(train))
    found += long_words(tokenizer.kind, sum(map(len, texts["train"])) / max(lengths.sum(), 1))
    missing: Counter[str] = Counter()
    for some in texts.values():
        missing.update(uncovered(tokenizer, some))
    looked_at = sum(map(len, texts.values()))
    found += checks.uncovered_characters(missing, looked_at, tokenizer.kind)
    return found


def _fingerprint(splits: dict[str, Split]) -> str:
    found = hashlib.blake2b(digest_size=16)
    for name, split in splits.items():
        found.update(name.encode())
        found.update(split.store.digest())
        found.update(np.ascontiguousarray(split.rows).data)
    return found.hexdigest()
