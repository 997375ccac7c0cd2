"""Labelled texts: read, checked, split and sampled; tokenizer and classes of the training part."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from zoo.data.classes import (
    check_classes,
    class_order,
    classified,
    given_parts,
    labelled_rows,
    rows_of_classes,
    rows_of_part,
)
from zoo.data.columns import ColumnRequest, Columns, regression_hint
from zoo.data.epochs import EpochCursor
from zoo.data.label_sets import label_counts, strata
from zoo.data.labels import (
    alike_labels,
    label_order,
    measurements,
    several_labels,
    whole_labels,
)
from zoo.data.parts import (
    PARTS,
    SCORED,
    existing_part,
    part_sources,
    parts_of,
    scored_source,
)
from zoo.data.split import sample_rows, split_rows
from zoo.data.store import Split, Store
from zoo.data.tables import read_rows, table_paths
from zoo.errors import ZooError
from zoo.finding import Finding
from zoo.tasks.classifiers import read_kind
from zoo.tasks.label_kind import LabelKind
from zoo.tasks.one_label import OneLabel
from zoo.tasks.request import Request
from zoo.tasks.text_classification import checks
from zoo.tasks.text_classification.batches import batches, fixed_lengths
from zoo.tasks.text_classification.settings import (
    Contrastive,
    ContrastivePairs,
    NotContrastive,
    TextData,
)
from zoo.tasks.text_classification.token_ids import TokenizedSplit
from zoo.tasks.text_classification.tokenizer import tokenizer_of
from zoo.text.tokenizers import TextTokenizer
from zoo.text.vocabulary import small_vocabulary
from zoo.training.contrastive_pairs import pair_batches, pairs_per_row

ONE = OneLabel()
ONE_BY_ONE = NotContrastive()
StoredRows = tuple[Store, np.ndarray]  # a store, and positions there


@dataclasses.dataclass(frozen=True)
class Data:
    """Train, validation and test parts with the facts the data decide; a context manager.

    Args:
        train: the training part.
        validation: the validation part.
        test: the test part, or None.
        classes: the label of each class id: integers where all labels are, else strings.
        kind: one label a row or several.
        tokenizer: learned from the training part.
        findings: on the data.
        fingerprint: differs where contents, split or sample do.
        settings: the preset's data block.
        seed: of the order of epochs.
        contrastive: the recipe's block: `pairs` trains on pairs of rows.
    """

    train: TokenizedSplit
    validation: TokenizedSplit
    test: TokenizedSplit | None
    classes: list[Any]
    kind: LabelKind
    tokenizer: TextTokenizer
    findings: list[Finding]
    fingerprint: str
    settings: TextData
    seed: int
    contrastive: Contrastive = ONE_BY_ONE

    def dataset(
        self,
        part: str,
        cursor: EpochCursor | None = None,
        replica_ids: range = range(1),
        replicas: int = 1,
    ) -> tf.data.Dataset:
        """Return the batches of `train`, `validation` or `test`; see `batches`.

        Only the training part is shuffled and balanced, or made into contrastive pairs. On several
        replicas, give this to `zoo.distribute.distributed`.

        The arguments are those of `zoo.tasks.task.Data.dataset`.

        Raises:
            ZooError: there is no such part.
        """
        split = existing_part(self, part)
        training, fixed = part == "train", self.settings.pad_to == "fixed"
        common: dict[str, Any] = {
            "batch_size": self.settings.batch_size,
            "lengths": fixed_lengths(self.settings.max_length) if fixed else (),
            "cursor": cursor,
            "replica_ids": replica_ids,
            "replicas": replicas,
        }
        if training and isinstance(self.contrastive, ContrastivePairs):
            per_row = pairs_per_row(self.contrastive.pairs_per_row, len(split))
            return pair_batches(split, per_row=per_row, seed=self.seed, **common)
        balance = self.settings.balance if training else "none"
        return batches(split, seed=self.seed if training else None, balance=balance, **common)

    @property
    def columns(self) -> Columns | None:
        """Which columns of a table the training part was read from."""
        return self.train.store.columns

    def close(self) -> None:
        """Remove the temporary files of the rows and their ids."""
        for split in parts_of(self).values():
            split.close()

    def __enter__(self) -> Data:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def load_data(
    request: Request,
    settings: TextData,
    vocabulary_size: int,
    tokenizer: TextTokenizer | None = None,
) -> Data:
    """Read, check and split text data, and learn the tokenizer.

    Args:
        request: the data; what is accepted says `zoo.data.tables.read_rows`.
        settings: the preset's data block.
        vocabulary_size: number of token ids at the most.
        tokenizer: one that was learned before from the same data; None learns it.

    Returns:
        The data; `close` it.

    Raises:
        ZooError: the data cannot be read or trained on. What can be read but not trained on is
            among the findings, at level `error`.
    """
    seed, fraction = request.seed, request.fraction
    stores: dict[str, Store] = {}
    findings: list[Finding] = []
    with contextlib.ExitStack() as opened:
        sources = part_sources(
            request.data, request.validation, request.test, table_paths, findings
        )
        for name, data in sources.items():
            columns = ColumnRequest(request.text, request.label, texts=settings.texts)
            source_rows = read_rows(data, columns)
            several = settings.labels.name == "several"
            stores[name] = opened.enter_context(Store(source_rows, several))
        for name, store in stores.items():
            if not len(store):
                raise ZooError(f"the data of the {name} part hold no rows.")
            whole_labels(store, findings)
            findings += checks.reading(store)
        findings += checks.pairs(stores, settings.texts)
        kind = read_kind(stores, settings, request.fixed, findings)
        parts = _used_rows(given_parts(stores, findings), request, findings)
        split_here = "validation" not in parts
        for name, (store, rows) in parts.items():
            findings += checks.empty_texts(store, rows)
            called = "the data" if split_here and name == "train" else name
            copies_stay = split_here and name == "train"
            findings += checks.repeated_texts(store, rows, called, copies_stay)
        findings += label_order(stores["train"])
        findings += alike_labels(*parts["train"])
        findings += checks.image_paths(*parts["train"])
        findings += several_labels(*parts["train"])
        findings += measurements(*parts["train"])
        _set_apart(parts, settings, seed, fraction)
        del rows  # of some million rows: learning the tokenizer needs the memory
        whole = _tokenized(
            parts, kind, findings, settings, vocabulary_size, seed, tokenizer, split_here
        )
        opened.pop_all()  # the data close them
    return whole


def load_split(
    request: Request,
    classes: list[Any],
    *,
    kind: LabelKind = ONE,
    texts: str = "one",
    trained: Columns | None = None,
    findings: list[Finding] | None = None,
) -> Split:
    """Return data with labels as one split, for scoring; it is a context manager.

    Of files that are parts by their names the test part is read, and of a table with a column that
    says the parts the test rows.

    Args:
        request: the data; what is accepted says `zoo.data.tables.read_rows`.
        classes: the labels of the run.
        kind: one label a row or several, as in the run.
        texts: `one` text a row or a `pair`, as in the run.
        trained: the columns of the run, read where none are named.
        findings: findings on what is read are appended to it.

    Raises:
        ZooError: the data cannot be read, or hold a label that is not among the classes.
    """
    findings = [] if findings is None else findings
    source = scored_source(request.data, table_paths, findings)
    with contextlib.ExitStack() as opened:
        column_request = ColumnRequest(request.text, request.label, trained=trained, texts=texts)
        several = kind.name == "several"
        store = opened.enter_context(Store(read_rows(source, column_request), several))
        whole_labels(store, findings, classes)
        kind.read(store)
        rows = rows_of_part(store, SCORED, findings)
        rows = labelled_rows(store, rows, request.drop_missing, findings)
        if not len(rows):
            raise ZooError("the data hold no rows with a label.")
        findings += checks.reading(store, trained)
        checks.pairs({"data": store}, texts)
        split, unknown_rows, labels = classified(store, rows, kind.targets(classes))
        if len(unknown_rows):
            finding = checks.unknown_labels(store, unknown_rows, labels, "the data", classes)
            raise ZooError(str(finding))
        opened.pop_all()  # the split closes it
    return split


def bundled_texts() -> Path:
    """Return the path of the messages that come with the package."""
    return Path(__file__).parent / "bundled" / "sms_spam.csv.gz"


def _used_rows(
    given: dict[str, StoredRows], request: Request, findings: list[Finding]
) -> dict[str, StoredRows]:
    classes = request.classes
    used: dict[str, StoredRows] = {}
    if classes is not None:
        check_classes(given["train"][0], classes)
    for name, (store, rows) in given.items():
        rows = labelled_rows(store, rows, request.drop_missing, findings)
        if classes is not None:
            rows = rows_of_classes(store, rows, classes)
        if not len(rows):
            raise ZooError(f"{store.file}: no row with a label is left ({name}).")
        used[name] = (store, rows)
    checks.check_trainable(*used["train"])
    return used


def _set_apart(
    parts: dict[str, StoredRows], settings: TextData, seed: int, fraction: float
) -> None:
    """Set a validation part apart if there is none, and take a sample of the training part."""
    store, train = parts["train"]
    if "validation" not in parts:
        kept, held_out = split_rows(
            store.hashes[train], strata(store, train), settings.validation_fraction, seed
        )
        if not len(held_out):
            raise ZooError(
                f"{store.file}: no class has two different texts, so none can be set aside "
                f"to validate. Give more rows, or --validation.{regression_hint(store.names)}"
            )
        parts["validation"] = (store, train[held_out])
        train = train[kept]
    if fraction < 1.0:
        train = train[sample_rows(strata(store, train), fraction, seed)]
    parts["train"] = (store, train)


def _tokenized(
    parts: dict[str, StoredRows],
    kind: LabelKind,
    findings: list[Finding],
    settings: TextData,
    vocabulary_size: int,
    seed: int,
    tokenizer: TextTokenizer | None,
    split_here: bool,
) -> Data:
    classes = class_order(list(label_counts(*parts["train"])))
    targets = kind.targets(classes)
    targets.check_balance(settings.balance)
    splits: dict[str, Split] = {}
    for name in (part for part in PARTS if part in parts):
        store, rows = parts[name]
        splits[name], unknown_rows, labels = classified(store, rows, targets)
        if len(unknown_rows):
            findings.append(checks.unknown_labels(store, unknown_rows, labels, name, classes))
    tokenizer = tokenizer_of(splits["train"], settings, vocabulary_size, seed, tokenizer)
    findings += checks.part_findings(splits, classes, tokenizer, settings, seed, split_here)
    findings += small_vocabulary(tokenizer.vocabulary_size, vocabulary_size)
    fingerprint = _fingerprint(splits)
    for store, _ in parts.values():
        store.drop_hashes()
    tokenized = {
        name: TokenizedSplit(split, tokenizer, settings.max_length)
        for name, split in splits.items()
    }
    return Data(
        train=tokenized["train"],
        validation=tokenized["validation"],
        test=tokenized.get("test"),
        classes=classes,
        kind=kind,
        tokenizer=tokenizer,
        findings=findings,
        fingerprint=fingerprint,
        settings=settings,
        seed=seed,
    )


def _fingerprint(splits: dict[str, Split]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name, split in splits.items():
        digest.update(name.encode())
        digest.update(split.store.digest())
        digest.update(np.ascontiguousarray(split.rows).data)
    return digest.hexdigest()
