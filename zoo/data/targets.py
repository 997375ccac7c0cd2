"""What a network is to say of a row: its class, or each of its labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
from scipy.sparse import csr_matrix

from zoo.data.epochs import class_weights, inverse_frequencies
from zoo.data.label_text import MARK, labels_in, shown_labels
from zoo.data.store import MISSING
from zoo.errors import ZooError


class Targets(Protocol):
    """What the ids of a `Split` stand for.

    Attributes:
        classes: the labels in the order of the logits.
    """

    classes: list[Any]

    def ids(self, texts: Sequence[str]) -> np.ndarray:
        """Return the id of each text of labels, int32; -1 where a label is none of the classes."""

    def unknown(self, texts: Sequence[str]) -> list[str]:
        """Return the labels of some texts that are none of the classes."""

    def shown(self, id: int) -> Any:
        """Return the label of an id, or several as a person reads them."""

    def counts(self, ids: np.ndarray) -> np.ndarray:
        """Return how many rows have each class, of the ids of the rows."""

    def sizes(self, ids: np.ndarray) -> np.ndarray:
        """Return how many classes each row has, of the ids of the rows."""

    def first_rows(self, ids: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Return the position of the first row of each of some classes.

        Args:
            ids: of the rows.
            classes: numbers of classes that occur.
        """

    def batch(self, ids: tf.Tensor) -> tf.Tensor:
        """Return what the loss takes, of ids `(batch,)`."""

    def shares(self, ids: tf.Tensor) -> tf.Tensor:
        """Return float32 `(batch, classes)`: 1 for each class that a row has."""

    def weigher(self, ids: np.ndarray) -> Callable[[tf.Tensor], tf.Tensor]:
        """Return the weights of ids `(batch,)` in the loss, of the ids of all rows."""

    def check_balance(self, balance: str) -> None:
        """Refuse a remedy for rare classes that is not for such rows.

        Raises:
            ZooError: the message names those that are.
        """


class ClassTargets:
    """One class a row; an id is that of the class.

    Args:
        classes: the labels in the order of the logits.
    """

    def __init__(self, classes: Sequence[Any]):
        self.classes = list(classes)

    def ids(self, texts: Sequence[str]) -> np.ndarray:
        """Return the class of each text, int32; -1 where it is none."""
        ids = {str(name): position for position, name in enumerate(self.classes)}
        return np.array([ids.get(text, MISSING) for text in texts], np.int32)

    def unknown(self, texts: Sequence[str]) -> list[str]:
        """Return the texts that are none of the classes."""
        return [shown_labels(text) for text in texts]

    def shown(self, id: int) -> Any:
        """Return the label of a class."""
        return self.classes[id]

    def counts(self, ids: np.ndarray) -> np.ndarray:
        """Return how many rows have each class."""
        return np.bincount(ids, minlength=len(self.classes))

    def sizes(self, ids: np.ndarray) -> np.ndarray:
        """Return 1 for each row."""
        return np.ones(len(ids), np.int64)

    def first_rows(self, ids: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Return the position of the first row of each of some classes."""
        first = [np.flatnonzero(ids == label)[0] for label in classes]
        return np.array(first, np.int64)

    def batch(self, ids: tf.Tensor) -> tf.Tensor:
        """Return the ids."""
        return ids

    def shares(self, ids: tf.Tensor) -> tf.Tensor:
        """Return the ids one-hot, float32 `(batch, classes)`."""
        return tf.one_hot(ids, len(self.classes))

    def weigher(self, ids: np.ndarray) -> Callable[[tf.Tensor], tf.Tensor]:
        """Return the weights of classes, float32 `(batch,)`."""
        weights = class_weights(ids, len(self.classes))  # of the graph that takes them
        return lambda batch: tf.gather(weights, batch)

    def check_balance(self, balance: str) -> None:
        """Accept all."""


class SetTargets:
    """A set of labels a row; an id is that of a set, which are numbered as they come.

    Args:
        classes: the labels in the order of the logits.
    """

    def __init__(self, classes: Sequence[Any]):
        self.classes = list(classes)
        self._class_ids = {str(name): position for position, name in enumerate(self.classes)}
        self._ids: dict[tuple[int, ...], int] = {}

    def ids(self, texts: Sequence[str]) -> np.ndarray:
        """Return the set of each text, int32; -1 where a label is none of the classes."""
        ids = []
        for text in texts:
            labels = [self._class_ids.get(label, MISSING) for label in labels_in(text)]
            known = MISSING not in labels
            ids.append(self._ids.setdefault(tuple(sorted(labels)), len(self._ids)) if known else -1)
        return np.array(ids, np.int32)

    def unknown(self, texts: Sequence[str]) -> list[str]:
        """Return the labels of some texts that are none of the classes."""
        labels = dict.fromkeys(label for text in texts for label in labels_in(text))
        return [label for label in labels if label not in self._class_ids]

    def shown(self, id: int) -> Any:
        """Return the labels of a set as a person reads them."""
        return self.shown_set(list(self._ids)[id])

    def shown_set(self, labels: Sequence[int]) -> str:
        """Return labels as a person reads them, of their numbers."""
        return shown_labels(MARK + MARK.join(str(self.classes[label]) for label in labels))

    def indicator(self, ids: np.ndarray) -> csr_matrix:
        """Return which labels rows have, bool `(rows, classes)`."""
        sizes = np.array([0, *map(len, self._ids)])
        members = np.array([label for labels in self._ids for label in labels], np.int32)
        sets = csr_matrix(
            (np.ones(len(members), bool), members, np.cumsum(sizes)),
            shape=(len(self._ids), len(self.classes)),
        )
        return sets[ids]

    def sizes(self, ids: np.ndarray) -> np.ndarray:
        """Return how many labels each row has."""
        return np.array([*map(len, self._ids)], np.int64)[ids]

    def counts(self, ids: np.ndarray) -> np.ndarray:
        """Return how many rows have each label."""
        return self.indicator(ids).astype(np.int64).sum(axis=0).A1

    def first_rows(self, ids: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Return the position of the first row of each of some labels."""
        members = self.indicator(ids).tocsc()
        return members.indices[members.indptr[classes]].astype(np.int64)

    def batch(self, ids: tf.Tensor) -> tf.Tensor:
        """Return 1 for each label that a row has, float32 `(batch, classes)`."""
        return self.shares(ids)

    def shares(self, ids: tf.Tensor) -> tf.Tensor:
        """Return 1 for each label that a row has, float32 `(batch, classes)`."""
        sets = list(self._ids) or [()]
        padded = np.full((len(sets), max(1, *map(len, sets))), MISSING, np.int32)
        for position, labels in enumerate(sets):
            padded[position, : len(labels)] = labels
        members = tf.gather(tf.constant(padded), ids)
        return tf.reduce_sum(tf.one_hot(members, len(self.classes)), axis=1)

    def weigher(self, ids: np.ndarray) -> Callable[[tf.Tensor], tf.Tensor]:
        """Return the weights of the labels that a row has, and 1 of the others.

        Float32 `(batch, classes)`: all rows of a label weigh as much as those of another.
        """
        weights = inverse_frequencies(self.counts(ids), len(ids))
        return lambda batch: 1.0 + self.shares(batch) * (weights - 1.0)

    def check_balance(self, balance: str) -> None:
        """Refuse to repeat rows: what is rare of one of their labels is not of another.

        Raises:
            ZooError: the message names what is accepted.
        """
        if balance not in ("none", "class-weights"):
            raise ZooError(
                f"data.balance={balance} is for one label a row, and these have several: with a "
                "row its frequent labels would be repeated, too. Accepted: none, class-weights."
            )
