"""Several devices and several machines: which strategy, who writes, what each one reads."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context

from zoo.cluster import Cluster, from_tf_config, slurm_tasks, wait_for_others
from zoo.errors import ZooError
from zoo.finding import Finding
from zoo.gpu import count_gpus, grow_memory, why_unused
from zoo.preset.override import leaves
from zoo.quiet import tell

DIGEST_BYTES = 16  # of what the workers compare before they start
LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
)


def strategy_for(devices: str = "auto") -> tf.distribute.Strategy:
    """Return the strategy for what `--devices` says; call it before anything else of TensorFlow.

    Args:
        devices: `auto` is every machine that `TF_CONFIG` or Slurm names, else every GPU of this
            one, else its CPU. `cpu`, `gpu`, `gpu:0,1` or `cpu:0,1` (a CPU as two logical devices,
            to try things out) choose the devices of this machine.

    Raises:
        ZooError: there are no such devices; or TensorFlow was already in use.
    """
    grow_memory()
    if _several_machines():
        if devices != "auto":
            raise ZooError(
                f"--devices {devices} cannot be combined with several workers: each takes all of "
                "its GPUs, or its CPU. Choose with CUDA_VISIBLE_DEVICES."
            )
        return _several_workers()
    return _one_machine(devices)


@functools.cache  # a second strategy on the same devices would use the first one's collectives
def _one_machine(devices: str) -> tf.distribute.Strategy:
    kind, _, listed = devices.partition(":")
    if kind not in ("auto", "cpu", "gpu") or (kind == "auto" and listed):
        raise ZooError(f"--devices {devices}: is not one of auto, cpu, gpu, gpu:0,1 and cpu:0,1.")
    try:
        numbers = [int(number) for number in listed.split(",")] if listed else None
    except ValueError as error:
        raise ZooError(f"--devices {devices}: {listed!r} is not a list of numbers.") from error
    if kind == "cpu":
        return _cpus(numbers)
    gpus = tf.config.list_physical_devices("GPU")
    unused = "" if gpus else why_unused()
    if kind == "auto" and not gpus:
        if unused:
            tell(f"zoo: training on the CPU: {unused}")
        return tf.distribute.get_strategy()
    chosen = range(len(gpus)) if numbers is None else numbers
    if not gpus or not set(chosen) <= set(range(len(gpus))) or len(set(chosen)) < len(chosen):
        count = "no GPU" if not gpus else f"{len(gpus)} GPU{'s' * (len(gpus) > 1)}, from 0"
        raise ZooError(f"--devices {devices}: {unused or f'this machine has {count}.'}")
    if len(chosen) == 1:
        return tf.distribute.OneDeviceStrategy(f"GPU:{chosen[0]}")
    return tf.distribute.MirroredStrategy([f"GPU:{number}" for number in chosen])


def unused_gpus() -> list[Finding]:
    """Return a finding where this machine has a GPU that TensorFlow cannot use."""
    reason = "" if tf.config.list_physical_devices("GPU") else why_unused()
    if not reason:
        return []
    return [Finding("warning", f"trained on the CPU: {reason}.", {"gpus": count_gpus()})]


def _cpus(numbers: list[int] | None) -> tf.distribute.Strategy:
    if tf.config.get_visible_devices("GPU"):
        _before_start(lambda: tf.config.set_visible_devices([], "GPU"))
    if numbers is None or numbers == [0]:
        return tf.distribute.get_strategy()
    if numbers != list(range(len(numbers))):
        raise ZooError("logical CPU devices are counted from 0: --devices cpu:0,1")
    cpu = tf.config.list_physical_devices("CPU")[0]
    if len(tf.config.get_logical_device_configuration(cpu) or [0]) != len(numbers):
        pieces = [tf.config.LogicalDeviceConfiguration() for _ in numbers]
        _before_start(lambda: tf.config.set_logical_device_configuration(cpu, pieces))
    return tf.distribute.MirroredStrategy([f"CPU:{number}" for number in numbers])


def _before_start(configure: Callable[[], None]) -> None:
    try:
        configure()
    except RuntimeError as error:
        raise ZooError(
            "the devices cannot be changed any more: TensorFlow is already in use in this process. "
            "Choose them before building a model."
        ) from error


# --- several workers -----------------------------------------------------------------------------


def _several_machines() -> bool:
    if "TF_CONFIG" in os.environ:
        return from_tf_config(os.environ["TF_CONFIG"]) is not None
    return slurm_tasks(os.environ) > 1


@functools.cache
def _several_workers() -> tf.distribute.Strategy:
    resolver, cluster = _resolved()
    if context.context()._initialized:  # TensorFlow 2.21 would say it after the waiting
        raise ZooError(
            "workers cannot be joined any more: TensorFlow is already in use in this process. "
            "Choose the devices before building a model."
        )
    wait_for_others(cluster, tell)
    try:
        return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
    except tf.errors.OpError as error:
        raise ZooError(
            f"this worker cannot join the others ({_reason(error)}). Is its port in use, and can "
            "it reach the addresses in TF_CONFIG?"
        ) from error


def _resolved() -> tuple[tf.distribute.cluster_resolver.ClusterResolver, Cluster]:
    if "TF_CONFIG" in os.environ:
        cluster = from_tf_config(os.environ["TF_CONFIG"])
        resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
        return resolver, cast(Cluster, cluster)
    try:
        resolver = _slurm()
        addresses = resolver.cluster_spec().as_dict()["worker"]
    except (ValueError, RuntimeError) as error:
        raise ZooError(f"the variables of Slurm name no cluster: {error}.") from error
    return resolver, Cluster(tuple(addresses), int(os.environ["SLURM_PROCID"]))


def _slurm() -> tf.distribute.cluster_resolver.ClusterResolver:
    if tf.config.list_physical_devices("GPU"):
        return tf.distribute.cluster_resolver.SlurmClusterResolver()
    # TensorFlow 2.21 counts GPUs with nvidia-smi, and each task must have some.
    return tf.distribute.cluster_resolver.SlurmClusterResolver(
        gpus_per_node=slurm_tasks(os.environ), gpus_per_task=1, auto_set_gpu=False
    )


def workers(strategy: tf.distribute.Strategy) -> int:
    """Return the number of worker processes; 1 on one machine."""
    resolver = strategy.cluster_resolver
    if resolver is None or not resolver.cluster_spec():
        return 1
    spec = resolver.cluster_spec()
    return sum(spec.num_tasks(kind) for kind in spec.jobs)


def worker(strategy: tf.distribute.Strategy) -> int:
    """Return the number of this worker process, from 0; the chief is 0."""
    if workers(strategy) == 1:
        return 0
    resolver = strategy.cluster_resolver
    before = 1 if resolver.task_type == "worker" and "chief" in resolver.cluster_spec().jobs else 0
    return int(resolver.task_id) + before


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Return whether this process writes the run."""
    return worker(strategy) == 0


def gathered(strategy: tf.distribute.Strategy, row: Any) -> list[Any]:
    """Return the rows `(1, n)` of all workers in their order; all must ask for it."""
    if workers(strategy) == 1:
        return [row[0]]
    local = strategy.num_replicas_in_sync // workers(strategy)
    return list(gathered_rows(strategy, row)[::local])


def gathered_rows(strategy: tf.distribute.Strategy, rows: Any) -> Any:
    """Return the rows of all replicas, one after the other, as an array; all must ask for it.

    Args:
        strategy: that of the training.
        rows: `(rows, ...)`, as many as a worker likes.
    """
    return _gather(strategy)(tf.convert_to_tensor(rows)).numpy()


@functools.cache  # TensorFlow warns of functions that are made anew
def _gather(strategy: tf.distribute.Strategy) -> Callable[[tf.Tensor], tf.Tensor]:
    @tf.function
    def gather(rows: tf.Tensor) -> tf.Tensor:
        return strategy.gather(strategy.run(tf.identity, args=(rows,)), axis=0)

    return gather


def wait_for_all(strategy: tf.distribute.Strategy) -> None:
    """Return when every worker has called this."""
    gathered(strategy, [[0]])


def gathered_texts(strategy: tf.distribute.Strategy, text: str) -> list[str]:
    """Return the texts of all workers in their order; all must ask for it."""
    own = np.frombuffer(text.encode(), np.uint8).astype(np.int32)
    lengths = [int(row[0]) for row in gathered(strategy, [[len(own)]])]
    padded = np.zeros((1, max([*lengths, 1])), np.int32)
    padded[0, : len(own)] = own
    rows = gathered(strategy, padded)
    return [
        bytes(np.asarray(row)[:length].astype(np.uint8)).decode()
        for row, length in zip(rows, lengths, strict=True)
    ]


@contextmanager
def raise_on_all(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Raise what goes wrong on any worker on all of them: in full on the first, the chief.

    The block must not wait for the other workers; all of them must come to it.

    Raises:
        ZooError: a worker raised it in the block.
    """
    message = ""
    try:
        yield
    except ZooError as error:
        if workers(strategy) == 1:
            raise
        message = str(error)
    if workers(strategy) == 1:
        return
    numbers: dict[str, list[str]] = {}
    for number, text in enumerate(gathered_texts(strategy, message)):
        numbers.setdefault(text, []).append(str(number))
    if list(numbers) == [""]:
        return
    if len(numbers) > 1:
        message = "; ".join(
            f"worker {', '.join(who)}: {text}" for text, who in numbers.items() if text
        )
    raise _alike(strategy, message)


def _alike(strategy: tf.distribute.Strategy, message: str) -> ZooError:
    """Return an error that all workers raise, with the message that the first one shows."""
    return ZooError(message if is_chief(strategy) else "worker 0 says why training does not begin.")


def check_agreement(strategy: tf.distribute.Strategy, facts: Mapping[str, Any]) -> None:
    """Compare what must be equal on all workers before they train together.

    Args:
        strategy: that of the training.
        facts: a name and a value of JSON types for each, the same names on all workers.

    Raises:
        ZooError: a worker has another value; the first one names what differs and how.
    """
    own = json.dumps(facts, sort_keys=True)
    digest = hashlib.blake2b(own.encode(), digest_size=DIGEST_BYTES).digest()
    rows = gathered(strategy, np.frombuffer(digest, np.uint8).astype(np.int32).reshape(1, -1))
    if all((row == rows[0]).all() for row in rows):
        return
    first, *others = (dict(leaves(json.loads(text))) for text in gathered_texts(strategy, own))
    for number, other in enumerate(others, 1):
        differing = [key for key in {**first, **other} if first.get(key) != other.get(key)]
        if differing:
            values = "; ".join(
                f"{key} is {first.get(key)!r} on worker 0 and {other.get(key)!r} on worker {number}"
                for key in differing
            )
            raise _alike(
                strategy,
                f"the workers differ: {values}. Start all with the same code, command and data.",
            )


@contextmanager
def report_lost_workers(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Turn the errors that the loss of a worker causes into one readable message.

    Raises:
        ZooError: another worker has ended or cannot be reached.
    """
    try:
        yield
    except LOST as error:
        if workers(strategy) == 1:
            raise
        raise ZooError(
            f"worker {worker(strategy)} lost another worker, which has ended or cannot be reached "
            f"({_reason(error)}). Start all again with --resume."
        ) from error


def _reason(error: Exception) -> str:
    """Return the line of TensorFlow's message that says most."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if "aborted" in line or "onnect" in line]
    return (telling or lines or [type(error).__name__])[0][:200].rstrip(".: ")


# --- data ----------------------------------------------------------------------------------------


def distributed(
    strategy: tf.distribute.Strategy,
    make: Callable[[range, int], tf.data.Dataset],
) -> tf.data.Dataset | tf.distribute.DistributedDataset:
    """Return a dataset whose global batches are shared out to the replicas by row.

    Args:
        strategy: that of the training.
        make: from the ids of this worker's replicas and the number of all to a dataset that yields,
            for each global batch, the rows of each of these replicas in turn. All workers
            must make the same global batches.
    """
    total = strategy.num_replicas_in_sync
    if total == 1:
        return make(range(1), 1)

    if total == workers(strategy):
        return OwnBatches(make(range(worker(strategy), worker(strategy) + 1), total))

    def of_this_worker(context: tf.distribute.InputContext) -> tf.data.Dataset:
        local = total // context.num_input_pipelines
        first = local * context.input_pipeline_id
        return make(range(first, first + local), total)

    dataset = strategy.distribute_datasets_from_function(of_this_worker)
    # Every replica gets a piece of every batch, so that nobody has to ask the others at each step
    # whether they have one, which is what TensorFlow 2.21 does on several machines.
    dataset._enable_get_next_as_optional = False
    # Its length in batches, so that Keras does not try for one more: of a step without data,
    # replicas would still do what needs none, such as counting it.
    if dataset._cardinality > 0:
        dataset._cardinality //= total // workers(strategy)
    return dataset


class OwnBatches(tf.distribute.DistributedDataset):
    """What the one replica of this worker reads, as it is.

    TensorFlow 2.21 would hand each batch through two more threads.

    Args:
        dataset: yields the pieces of this replica.
    """

    def __init__(self, dataset: tf.data.Dataset):
        self._dataset = dataset

    def __iter__(self) -> Iterator[Any]:
        """Begin to read."""
        return iter(self._dataset)

    @property
    def cardinality(self) -> int:
        """Number of batches; below 0 when it is not known."""
        return int(self._dataset.cardinality())

    @property
    def element_spec(self) -> Any:
        """Shapes and types of a batch."""
        return self._dataset.element_spec

    def reduce(self, initial_state: Any, reduce_func: Any) -> Any:
        """Reduce the batches of this replica to one value."""
        return self._dataset.reduce(initial_state, reduce_func)
