"""What `fit` is given: batches, their parts by row, and how many there are.

A batch is a nest of tensors `(rows, ...)`: one, or tuples, lists and dicts of them. None in it
stays None.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.trainers.data_adapters.tf_dataset_adapter import TFDatasetAdapter

from zoo.distribute import OwnBatches
from zoo.errors import ZooError
from zoo.training.compiled import in_xla, tensors_of

COPIED = 2  # batches that wait on the device
DATASETS = tf.data.Dataset | tf.distribute.DistributedDataset | keras.utils.PyDataset


def map_tensors(function: Callable[..., Any], *batches: Any) -> Any:
    """Return a nest of what a function gives for the tensors of nests of one structure."""
    return keras.tree.map_structure(
        lambda *tensors: None if tensors[0] is None else function(*tensors), *batches
    )


def count_rows(batch: Any) -> tf.Tensor:
    """Return the number of rows of a batch, those of its first tensor; an int32 scalar."""
    return tf.shape(next(leaf for leaf in keras.tree.flatten(batch) if leaf is not None))[0]


def join_rows(batches: Sequence[Any]) -> Any:
    """Return batches of one structure as one, row after row."""
    if len(batches) == 1:
        return batches[0]
    return map_tensors(lambda *tensors: tf.concat(tensors, axis=0), *batches)


def micro_batch(number: int, count: int, batch: Any, after: Any) -> Any:
    """Return one of `count` near-equal pieces of a batch by row; a piece may be empty.

    Args:
        number: which piece, from 0.
        count: number of pieces.
        batch: nest of tensors `(rows, ...)`.
        after: nest of tensors to wait for, so that only one piece is in memory at a time.

    Returns:
        A nest of the same structure, of tensors `(about rows / count, ...)`.
    """
    if count == 1:
        return batch

    def piece(tensor: Any) -> Any:
        rows = tf.shape(tensor)[0]
        return tf.identity(tensor[rows * number // count : rows * (number + 1) // count])

    with tf.control_dependencies(tensors_of(after)):
        return map_tensors(piece, batch)


def standalone(model: keras.Model, x: Any, y: Any, weights: Any) -> tuple[Any, Any, Any]:
    """Return a part of a batch as it would be without the other parts: never empty, as short.

    Args:
        model: whose inputs they are.
        x: inputs.
        y: targets.
        weights: sample weights, or None.
    """
    x, y, weights = never_empty((x, y, weights))
    if in_xla():  # where no shape depends on ids
        return x, y, weights
    ids = all(
        tuple(tensor.shape[1:]) == (None,) and "int" in str(tensor.dtype) for tensor in model.inputs
    )
    # What is returned for each id must stay as long as its targets.
    pooled = all(None not in tensor.shape[1:] for tensor in model.outputs)
    return (without_padding(x) if ids and pooled else x), y, weights


def never_empty(batch: Any) -> Any:
    """Return a batch without rows with one of zeros, other batches as they are.

    A replica may get none of the last rows, and has to take part in the step all the same; what is
    averaged over no rows would be NaN (https://github.com/tensorflow/tensorflow/issues/41657).
    """

    def padded(tensor: tf.Tensor) -> tf.Tensor:
        missing = tf.cast(tf.shape(tensor)[0] == 0, tf.int32)
        return tf.pad(tensor, [[0, missing]] + [[0, 0]] * (tensor.shape.rank - 1))

    return map_tensors(padded, batch)


def without_padding(ids: Any) -> Any:
    """Return ids `(rows, time)`, or a nest of them, up to the end of the longest row of all.

    The random numbers of a batch, as in dropout, depend on its shape: those of a part are the same
    whether it was padded alone or with the others. Inputs of one length, such as ids and their
    segments, stay so.

    Args:
        ids: with 0 after the last id of each row.
    """

    def length(one: tf.Tensor) -> tf.Tensor:
        return tf.maximum(tf.reduce_max(tf.where(tf.reduce_any(one != 0, axis=0))) + 1, 1)

    lengths = [length(one) for one in tensors_of(ids)]
    longest = functools.reduce(tf.maximum, lengths)
    return map_tensors(lambda one: one[:, :longest], ids)


def symbolic(data: Any) -> Any:
    """Return a batch without values, a nest of `keras.KerasTensor`, for the specs of a dataset.

    Args:
        data: `element_spec` of a dataset, or a batch of arrays; on several replicas, the first's.
    """

    def tensor(spec: Any) -> Any:
        spec = getattr(spec, "_value_specs", (spec,))[0]
        if not hasattr(spec, "shape"):  # a None among arrays
            return None
        return keras.KerasTensor(tuple(spec.shape), keras.backend.standardize_dtype(spec.dtype))

    return keras.tree.map_structure(tensor, data)


class OnDevice(TFDatasetAdapter):
    """A dataset whose batches are copied to a device while the steps before are taken.

    Args:
        dataset: of tensors that the device can hold.
        device: such as `GPU:0`.
    """

    def __init__(self, dataset: tf.data.Dataset, device: str):
        super().__init__(dataset)
        self._device = device

    def get_tf_dataset(self) -> tf.data.Dataset:
        """Return it; its length is known to the adapter alone."""
        prefetch = tf.data.experimental.prefetch_to_device(self._device, COPIED)
        return self._dataset.apply(prefetch)


def adapted(data: Any, device: str | None = None) -> Any:
    """Return data as `fit` takes them; Keras 3.15.1 goes by the class of a dataset.

    Args:
        data: what `fit` was given.
        device: where batches of a `tf.data.Dataset` are copied to in advance, or None.
    """
    if isinstance(data, OwnBatches):
        return TFDatasetAdapter(data)
    if device is None or not isinstance(data, tf.data.Dataset):
        return data
    specs = tf.nest.flatten(data.element_spec)
    held = all(
        isinstance(spec, tf.TensorSpec) and spec.dtype.base_dtype not in (tf.string, tf.variant)
        for spec in specs
    )
    return OnDevice(data, device) if held else data


def is_iterator(data: Any) -> bool:
    """Return whether a step is given an iterator, as by `fit`, or something else."""
    return isinstance(data, tf.data.Iterator | tf.distribute.DistributedIterator)


def next_batch(iterator: Any, waited: tf.Variable | None) -> Any:
    """Return the next batch of an iterator; a graph op.

    Args:
        iterator: of `fit`.
        waited: takes the seconds that it took, before anything is done with the batch; or None.
    """
    if waited is None:
        return next(iterator)
    asked = tf.timestamp()
    with tf.control_dependencies([asked]):
        batch = next(iterator)
    with tf.control_dependencies(tensors_of(batch)):
        taken = waited.assign_add(tf.timestamp() - asked, read_value=False)

    def after(tensor: tf.Tensor | None) -> tf.Tensor | None:
        if tensor is None:
            return None
        with tf.control_dependencies([taken]), tf.device(tensor.device):
            return tf.identity(tensor)

    return tf.nest.map_structure(after, batch, expand_composites=True)


def count_steps(x: Any, batch_size: int | None, validation_split: float) -> int:
    """Return the steps of an epoch; a dataset that cannot tell is counted in one pass.

    Args:
        x: a dataset, or a nest of arrays `(rows, ...)`.
        batch_size: rows a step, of arrays; None is Keras' 32.
        validation_split: share of the arrays held out, in [0, 1).

    Raises:
        ZooError: there are no rows, or no telling how many steps.
    """
    if isinstance(x, tf.distribute.DistributedDataset):
        steps = int(x.cardinality)
        if steps < 1:
            raise ZooError("the distributed dataset cannot tell its steps: give steps_per_epoch.")
        return steps
    if isinstance(x, tf.data.Dataset):
        steps = int(x.cardinality())
        if steps == tf.data.INFINITE_CARDINALITY:
            raise ZooError("the dataset does not end: give steps_per_epoch.")
        if steps < 0:
            steps = int(x.reduce(np.int64(0), lambda count, *_: count + 1))
    elif isinstance(x, keras.utils.PyDataset):
        steps = len(x)
    else:
        arrays = [leaf for leaf in keras.tree.flatten(x) if hasattr(leaf, "__len__")]
        if not arrays:
            raise ZooError(
                f"fit takes arrays, a tf.data.Dataset or a keras PyDataset, not {type(x).__name__}."
            )
        rows = math.floor(len(arrays[0]) * (1.0 - validation_split))
        steps = math.ceil(rows / (batch_size or 32))
    if steps == 0:
        raise ZooError("there are no rows to train on.")
    return steps
