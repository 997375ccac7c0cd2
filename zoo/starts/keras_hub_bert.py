"""BERT as KerasHub keeps it: config.json, model.weights.h5 and the assets of a tokenizer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import ZooError
from zoo.files import read_json
from zoo.starts.hdf5 import WEIGHTS, Arrays, read_arrays
from zoo.starts.pretrained import Pretrained, Reader, Weights
from zoo.starts.transformers import MODEL, SPARE, start_values
from zoo.starts.vocabularies import BERT_MARKS, Vocabulary
from zoo.wheels import file_sha256

TOKENIZER = "keras_hub>BertTokenizer"
VOCABULARY = "assets/tokenizer/vocabulary.txt"
SIZES = {
    "hidden_dim": "hidden_dim",
    "num_layers": "num_layers",
    "num_heads": "num_heads",
    "feed_forward_dim": "intermediate_dim",
    "max_positions": "max_sequence_length",
}


def read_bert(folder: Path, own: Mapping[str, Any], source: str) -> Pretrained:
    """Return the encoder of a preset folder.

    Args:
        folder: with config.json, model.weights.h5, tokenizer.json and its assets.
        own: the `config` in config.json.
        source: how the folder was named.

    Raises:
        ZooError: its parts are damaged or do not fit together.
    """
    path = folder / "config.json"
    sizes: dict[str, Any] = {}
    for key, theirs in SIZES.items():
        value = own.get(theirs)
        if type(value) is not int or value < 1:
            raise ZooError(f"{path}: '{theirs}' must be a whole number. Received: {value!r}.")
        sizes[key] = value
    # What KerasHub's network has without a setting: BERT's own code has this GELU, too.
    sizes |= {"norm": "post", "norm_epsilon": 1e-12, "activation": "gelu_tanh"}
    sizes["position_offset"] = 0
    arrays = read_arrays(folder / WEIGHTS)
    vocabulary = _vocabulary(folder)
    tokenizer, theirs_of = vocabulary.tokenizer(folder / VOCABULARY)
    variables = _variables(arrays, sizes, theirs_of, folder)
    segments = int(arrays.shapes["segment_embedding/vars/0"][0])
    return Pretrained(
        source=source,
        origin=f"the KerasHub preset {folder}",
        model=MODEL,
        values=start_values(sizes, tokenizer, segments=segments),
        weights=Weights(variables),
        tokenizer=tokenizer,
        longest=sizes["max_positions"],
        sha256=file_sha256(folder / WEIGHTS),
    )


def _vocabulary(folder: Path) -> Vocabulary:
    path = folder / "tokenizer.json"
    document = read_json(path)
    if not isinstance(document, dict) or document.get("registered_name") != TOKENIZER:
        raise ZooError(f"{path}: is no {TOKENIZER}, which is the one that is read.")
    settings = document.get("config")
    lowercase = bool(isinstance(settings, dict) and settings.get("lowercase"))
    try:
        text = (folder / VOCABULARY).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ZooError(f"{folder / VOCABULARY}: cannot be read: {error}.") from error
    return Vocabulary("wordpiece", text.removesuffix("\n").split("\n"), lowercase, BERT_MARKS)


def _variables(
    arrays: Arrays, sizes: Mapping[str, Any], theirs: np.ndarray, folder: Path
) -> dict[str, Reader]:
    """Return what reads each variable of the zoo's network, after checking every shape."""
    width, inner, heads = sizes["hidden_dim"], sizes["feed_forward_dim"], sizes["num_heads"]
    part = width // heads
    words = arrays.reader("token_embedding/vars/0", -1, width)
    rows = arrays.shapes["token_embedding/vars/0"][0]
    if not 0 <= rows - len(theirs) <= rows // SPARE:
        raise ZooError(
            f"{folder / VOCABULARY}: has {len(theirs):,} pieces, and the table of words {rows:,} "
            "rows: it is the vocabulary of other weights."
        )

    def norm(own: str, name: str) -> dict[str, Reader]:
        pair = zip(("gamma", "beta"), (0, 1), strict=True)
        return {f"{own}/{key}": arrays.reader(f"{name}/vars/{n}", width) for key, n in pair}

    def dense(own: str, name: str, inputs: int, units: int) -> dict[str, Reader]:
        return {
            f"{own}/kernel": arrays.reader(f"{name}/vars/0", inputs, units),
            f"{own}/bias": arrays.reader(f"{name}/vars/1", units),
        }

    variables: dict[str, Reader] = {
        "embedding/embeddings": lambda: words()[theirs],
        "position_embedding/embeddings": arrays.reader(
            "position_embedding/vars/0", sizes["max_positions"], width
        ),
        "segment_embedding/embeddings": arrays.reader("segment_embedding/vars/0", -1, width),
        **norm("embedding_norm", "embeddings_layer_norm"),
    }
    for i in range(sizes["num_layers"]):
        layer, name = f"layer_{i}", f"transformer_layer_{i}"
        attention = f"{name}/_self_attention_layer"
        variables |= _attention(arrays, f"{layer}/attention", attention, width, heads, part)
        variables |= norm(f"{layer}/attention_norm", f"{name}/_self_attention_layer_norm")
        for own, dense_name, inputs, units in (
            ("inner", "_feedforward_intermediate_dense", width, inner),
            ("outer", "_feedforward_output_dense", inner, width),
        ):
            variables |= dense(f"{layer}/feed_forward/{own}", f"{name}/{dense_name}", inputs, units)
        variables |= norm(f"{layer}/feed_forward_norm", f"{name}/_feedforward_layer_norm")
    return variables


def _attention(
    arrays: Arrays, own: str, name: str, width: int, heads: int, part: int
) -> dict[str, Reader]:
    """Return the readers of an attention layer, whose kernels KerasHub keeps a head each."""
    names = [f"{name}/{projection}_dense" for projection in ("query", "key", "value")]
    kernels = [arrays.reader(f"{projection}/vars/0", width, heads, part) for projection in names]
    biases = [arrays.reader(f"{projection}/vars/1", heads, part) for projection in names]
    output = arrays.reader(f"{name}/output_dense/vars/0", heads, part, width)
    return {
        f"{own}/qkv/kernel": lambda: np.concatenate([k().reshape(width, -1) for k in kernels], 1),
        f"{own}/qkv/bias": lambda: np.concatenate([bias().reshape(-1) for bias in biases]),
        f"{own}/output/kernel": lambda: output().reshape(-1, width),
        f"{own}/output/bias": arrays.reader(f"{name}/output_dense/vars/1", width),
    }
