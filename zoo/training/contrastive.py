"""Contrastive training of a classifier: pairs of rows first, then logistic regression.

Source: Tunstall 2022, https://arxiv.org/abs/2209.11055 (SetFit); the loss is that of Reimers 2019,
https://arxiv.org/abs/1908.10084.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from sklearn.linear_model import LogisticRegression

from zoo.errors import ZooError
from zoo.training import batches
from zoo.training.compiled import in_xla
from zoo.training.contrastive_pairs import (
    IdsInMemory,
    LabelledIds,
    pair_batches,
    pairs_per_row,
    rows_of_batch,
)
from zoo.training.features import HEAD
from zoo.training.logistic_head import head_of, regressions
from zoo.training.model import TrainingModel

ROWS = 64  # embedded at a time


@keras.saving.register_keras_serializable(package="zoo")
class ContrastiveModel(TrainingModel):
    """A classifier that `fit` trains on pairs of rows, and its head by logistic regression.

    The cosine of the vectors of two rows is to be 1 where their labels are alike, else 0; the loss
    is the squared error. The head takes no part in it. It is fitted to the vectors of the training
    rows before each validation, whose scores are those of the classifier, and at the end.
    """

    @functools.cached_property
    def encoder(self) -> keras.Model:
        """The network without its head: token ids to float32 `(batch, features)` of length 1."""
        return keras.Model(self.input, self.get_layer(HEAD).input, name=f"{self.name}_encoder")

    def _forward(
        self, x: Any, y: Any, weights: Any, training: bool
    ) -> tuple[Any, tf.Tensor, tf.Tensor]:
        """Return cosines, mean loss over these pairs, and their number; of rows, the logits."""
        if not training:
            return super()._forward(x, y, weights, training)
        count = batches.count_rows(x)
        if self._in_parts:
            x, y = batches.never_empty((x, y))
        rows = tf.reshape(x, [-1, tf.shape(x)[-1]])
        if self._in_parts and not in_xla():
            rows = batches.without_padding(rows)
        vectors = self.encoder(rows, training=True)
        cosines = ops.sum(vectors[0::2] * vectors[1::2], axis=-1)
        loss = ops.mean(ops.square(cosines - y))
        self._loss_tracker.update_state(loss, sample_weight=count)
        return cosines[:count], loss, count

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        """Return the metrics so far; of pairs there is nothing but the loss."""
        if x.shape.rank == 3:
            return {"loss": self._loss_tracker.result()}
        metrics: dict[str, Any] = super().compute_metrics(x, y, y_pred, sample_weight)
        return metrics

    def _get_metrics_result_or_logs(self, logs: Any) -> Any:
        if set(logs or ("loss",)) != {"loss"}:
            return super()._get_metrics_result_or_logs(logs)
        return {"loss": self.get_metrics_result()["loss"]}  # of all replicas

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int | None = None,
        verbose: Any = "auto",
        callbacks: Sequence[Any] | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Train on pairs, then fit the head; arguments as in `TrainingModel.fit`.

        Args:
            x: ids `(rows, time)`, or a dataset of batches of them with their classes; or a dataset
                of pairs as of `pair_batches`, beside a `FitHead` among the callbacks.
            y: classes, int `(rows,)`; None for a dataset.
            batch_size: pairs a step; the preset's unless given.
            epochs: passes over the pairs; the recipe's unless given.
            verbose: as in Keras.
            callbacks: run beside the recipe's own.
            validation_split: share of the rows held out, the last ones.
            validation_data: ids and classes that are scored after each epoch.
            **kwargs: passed on.

        Returns:
            Keras' history; its `loss` is that of pairs.

        Raises:
            ZooError: as `TrainingModel.fit`, or the rows have no pairs.
        """
        recipe: Any = self.recipe  # of texts
        if recipe is None or _are_pairs(x):
            return super().fit(
                x, y, batch_size=batch_size, epochs=epochs, verbose=verbose, callbacks=callbacks,
                validation_split=validation_split, validation_data=validation_data, **kwargs,
            )  # fmt: skip
        rows = _read_rows(x, y)
        held_out = int(np.ceil(validation_split * len(rows)))
        if held_out:
            validation_data = x[-held_out:], y[-held_out:]
            rows = IdsInMemory(rows.ids[:-held_out], rows.labels[:-held_out])
        check_classes(rows.labels)
        pairs = pair_batches(
            rows,
            per_row=pairs_per_row(recipe.contrastive.pairs_per_row, len(rows)),
            batch_size=batch_size or self.batch_size or 16,
            seed=int(np.random.randint(2**31)),  # follows keras.utils.set_random_seed
        )
        given = keras.tree.flatten(callbacks) if callbacks else []
        return super().fit(
            pairs, epochs=epochs, verbose=verbose, callbacks=[*given, FitHead(rows)],
            validation_data=validation_data, **kwargs,
        )  # fmt: skip

    def embed(self, rows: LabelledIds) -> np.ndarray:
        """Return the vectors of rows, float32 `(rows, features)`."""
        _, sizes = rows.token_ids(np.arange(len(rows)))
        order = np.argsort(sizes, kind="stable")
        vectors: list[np.ndarray] = []
        for start in range(0, len(order), ROWS):
            flat, lengths = rows.token_ids(order[start : start + ROWS])
            ids = tf.RaggedTensor.from_row_lengths(flat, lengths).to_tensor()
            vectors.append(np.asarray(self.encoder(ids, training=False), np.float32))
        return np.concatenate(vectors)[np.argsort(order)]

    def fit_head(self, rows: LabelledIds) -> LogisticRegression:
        """Fit the head to the vectors of rows by logistic regression, and return that."""
        (regression,) = regressions(self.embed(rows), rows.labels)
        head = self.get_layer(HEAD)
        head_of(regression, head.units).put_into(head)
        return regression


class FitHead(keras.callbacks.Callback):
    """Fit the head of a `ContrastiveModel` before its rows are scored, and at the end.

    Args:
        rows: the training rows.
    """

    reads_logs_rarely = True  # see `zoo.training.step_callbacks`

    def __init__(self, rows: LabelledIds):
        super().__init__()
        self.rows = rows
        self._fitted = False

    def on_train_begin(self, logs: Any = None) -> None:
        """Forget an earlier run."""
        self._fitted = False

    def on_test_begin(self, logs: Any = None) -> None:
        """Fit the head to the weights that are validated, those averaged among them."""
        self.model.fit_head(self.rows)
        self._fitted = True

    def on_train_end(self, logs: Any = None) -> None:
        """Fit the head where nothing was validated; else it is that of the kept epoch."""
        if not self._fitted:
            self.model.fit_head(self.rows)

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs to resume."""
        return {"fitted": self._fitted}

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from a state."""
        self._fitted = bool(state["fitted"])


def contrastive_model(network: keras.Model) -> ContrastiveModel:
    """Return a classifier as the model that trains on pairs; it shares all weights but the head's.

    Its head is a new one, on vectors of length 1, which is all that cosines see.

    Args:
        network: from token ids to the logits of a dense layer of that name.

    Raises:
        ZooError: its logits are not those of its features alone.
    """
    head = network.get_layer(HEAD)
    if head.output is not network.output:
        raise ZooError(
            f"recipe.contrastive.name=pairs: {network.name} adds other logits to those of its "
            "features, such as n-grams', and pairs train the features alone. Leave these out "
            "(architecture.ngram_sizes=[], architecture.ngram_buckets=0), or set "
            "recipe.contrastive.name=none."
        )
    vectors = keras.layers.UnitNormalization(dtype="float32", name="unit_vectors")(head.input)
    own_head = keras.layers.Dense.from_config(head.get_config() | {"trainable": False})
    return ContrastiveModel(network.input, own_head(vectors), name=network.name)


def check_classes(labels: np.ndarray) -> None:
    """Refuse rows without pairs.

    Raises:
        ZooError: all are of one class.
    """
    if len(np.unique(labels)) < 2:
        raise ZooError(
            f"recipe.contrastive.name=pairs: {len(labels)} rows of one class have no unlike pairs. "
            "Give rows of two classes at least."
        )


def _are_pairs(x: Any) -> bool:
    """Whether data are a dataset of pairs, `(pairs, 2, time)`."""
    if not isinstance(x, tf.data.Dataset | tf.distribute.DistributedDataset):
        return False
    ids = keras.tree.flatten(batches.symbolic(x.element_spec))[0]
    return len(ids.shape) == 3


def _read_rows(x: Any, y: Any) -> IdsInMemory:
    """Return the rows that `fit` was given.

    Raises:
        ZooError: they are not ids with one class each.
    """
    batched: Iterator[Any] | list[Any]
    if isinstance(x, tf.data.Dataset):
        batched = x.as_numpy_iterator()
    elif isinstance(x, keras.utils.PyDataset):
        batched = [x[number] for number in range(len(x))]
    else:
        batched = [(x, y)]
    rows: list[tuple[np.ndarray, int]] = []
    for ids, labels, *_ in batched:
        if np.ndim(ids) != 2 or np.ndim(labels) != 1:
            raise ZooError(
                "recipe.contrastive.name=pairs: fit takes ids (rows, time) and classes (rows,). "
                f"Received: shapes {np.shape(ids)} and {np.shape(labels)}. Of several labels a "
                "row, set recipe.contrastive.name=none."
            )
        rows += rows_of_batch(ids, labels)
    ids, labels = zip(*rows, strict=True)
    return IdsInMemory(ids, np.array(labels))
