"""Encoders of BERT's kind in Hugging Face's names: their sizes, and where each variable is."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import ZooError
from zoo.starts.pretrained import Reader
from zoo.starts.tensors import Tensors

# Keras' names of what Hugging Face calls otherwise; its gelu is the exact one, as there.
ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
    "tanh": "tanh",
}


@dataclasses.dataclass(frozen=True)
class HeadNames:
    """How the head that tells masked tokens is named; its table is that of the words.

    Args:
        dense: of the dense layer.
        norm: of the norm behind it.
        biases: of the logits: a file has the first or the second, which are one tensor.
    """

    dense: str
    norm: str
    biases: tuple[str, ...]


LM_HEAD = HeadNames("lm_head.dense", "lm_head.layer_norm", ("lm_head.bias", "lm_head.decoder.bias"))


@dataclasses.dataclass(frozen=True)
class Names:
    """How a kind of encoder is named in its files.

    Args:
        prefixes: what may stand before every name, by how the weights were saved.
        layer: of a layer, with `{i}` for its number from 0.
        attention: of query, key, value and output projection, below the layer.
        attention_norm: of the norm behind the attention.
        inner: of the first dense layer.
        outer: of the second.
        feed_forward_norm: of the norm behind it.
        sizes: the zoo's names of sizes to the names in config.json.
        position_offset: row of the table of positions that the first token has.
        relative: of the table of biases by distance, below the prefix; empty where there is none.
        head: of the head that tells masked tokens, which no prefix is before.
    """

    prefixes: tuple[str, ...]
    layer: str
    attention: tuple[str, str, str, str]
    attention_norm: str
    inner: str
    outer: str
    feed_forward_norm: str
    sizes: Mapping[str, str]
    position_offset: int = 0
    relative: str = ""
    head: HeadNames = LM_HEAD


SIZES = {
    "hidden_dim": "hidden_size",
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "feed_forward_dim": "intermediate_size",
    "max_positions": "max_position_embeddings",
    "norm_epsilon": "layer_norm_eps",
    "activation": "hidden_act",
}
BERT = Names(
    prefixes=("", "bert."),
    layer="encoder.layer.{i}",
    attention=(
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
        "attention.output.dense",
    ),
    attention_norm="attention.output.LayerNorm",
    inner="intermediate.dense",
    outer="output.dense",
    feed_forward_norm="output.LayerNorm",
    sizes=SIZES,
    head=HeadNames(
        "cls.predictions.transform.dense",
        "cls.predictions.transform.LayerNorm",
        ("cls.predictions.bias", "cls.predictions.decoder.bias"),
    ),
)
# Positions begin behind that of padding, which is 1.
ROBERTA = dataclasses.replace(BERT, prefixes=("", "roberta."), position_offset=2, head=LM_HEAD)
DISTILBERT = Names(
    prefixes=("", "distilbert."),
    layer="transformer.layer.{i}",
    attention=("attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin"),
    attention_norm="sa_layer_norm",
    inner="ffn.lin1",
    outer="ffn.lin2",
    feed_forward_norm="output_layer_norm",
    sizes={
        "hidden_dim": "dim",
        "num_layers": "n_layers",
        "num_heads": "n_heads",
        "feed_forward_dim": "hidden_dim",
        "max_positions": "max_position_embeddings",
        "activation": "activation",
    },
    head=HeadNames("vocab_transform", "vocab_layer_norm", ("vocab_projector.bias",)),
)
MPNET = dataclasses.replace(
    ROBERTA,
    prefixes=("", "mpnet."),
    attention=("attention.attn.q", "attention.attn.k", "attention.attn.v", "attention.attn.o"),
    attention_norm="attention.LayerNorm",
    sizes=SIZES | {"relative_buckets": "relative_attention_num_buckets"},
    relative="encoder.relative_attention_bias",
)
BUCKETS = 32  # of distances: MPNet's own code has them whatever config.json says
ENCODERS = {
    "bert": BERT,
    "roberta": ROBERTA,
    "xlm-roberta": ROBERTA,
    "camembert": dataclasses.replace(ROBERTA, prefixes=("", "roberta.", "camembert.")),
    "distilbert": DISTILBERT,
    "mpnet": MPNET,
}
TYPES: dict[str, type] = {"a name": str, "a number": float, "a whole number": int}
EPSILON = 1e-12  # where config.json has none: DistilBERT's, and BERT's


def encoder_sizes(names: Names, config: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return the values of the zoo's architecture block that a config.json decides.

    Args:
        names: of its kind.
        config: the document.
        path: of the file, for messages.

    Raises:
        ZooError: a size is missing or no number, or the network is one that the zoo does not have.
    """
    missing = [name for own, name in names.sizes.items() if own != "norm_epsilon"]
    missing = [name for name in missing if name not in config]
    if missing:
        raise ZooError(f"{path}: has no '{missing[0]}', which a {config['model_type']} has.")
    values: dict[str, Any] = {}
    for own, name in names.sizes.items():
        value: Any = config.get(name, EPSILON)
        expected = {"activation": "a name", "norm_epsilon": "a number"}.get(own, "a whole number")
        number = value if isinstance(value, int | float) else 1
        if type(value) is not TYPES[expected] or not number > 0:
            raise ZooError(f"{path}: '{name}' must be {expected}. Received: {value!r}.")
        values[own] = value
    if names.relative and values["relative_buckets"] != BUCKETS:
        raise ZooError(
            f"{path}: '{names.sizes['relative_buckets']}' must be {BUCKETS}, as MPNet's code has "
            f"it. Received: {values['relative_buckets']}."
        )
    kind = config.get("position_embedding_type", "absolute")
    if kind != "absolute":
        raise ZooError(f"{path}: position_embedding_type '{kind}': the zoo has 'absolute' alone.")
    if values["activation"] not in ACTIVATIONS:
        raise ZooError(
            f"{path}: the activation '{values['activation']}' is not one of the zoo's: "
            f"{', '.join(ACTIVATIONS)}."
        )
    values["activation"] = ACTIVATIONS[values["activation"]]
    return values | {"norm": "post", "position_offset": names.position_offset}


def encoder_variables(
    names: Names,
    sizes: Mapping[str, Any],
    tensors: Tensors,
    rows: np.ndarray,
    segments: bool,
) -> dict[str, Reader]:
    """Return what reads each variable of the zoo's network, after checking every shape.

    Args:
        names: of its kind.
        sizes: as `encoder_sizes` returns them.
        tensors: of its files.
        rows: row of the file's table of words for each of the zoo's token ids.
        segments: whether the network has a table of segments; otherwise every token is in the
            first, whose vector is added to those of the positions.

    Raises:
        ZooError: a tensor is missing, or has another shape than config.json says.
    """
    width, inner = sizes["hidden_dim"], sizes["feed_forward_dim"]
    table = "embeddings.word_embeddings.weight"
    prefix = next((p for p in names.prefixes if p + table in tensors.shapes), names.prefixes[0])

    def tensor(name: str, *shape: int) -> Reader:
        return _tensor(tensors, prefix + name, *shape)

    def norm(name: str) -> dict[str, Reader]:
        return _norm(tensors, width, prefix + name)

    def dense(units: int, width: int, *layers: str) -> dict[str, Reader]:
        return _dense(tensors, units, width, *(prefix + name for name in layers))

    words = tensor(table, -1, width)
    positions = tensor("embeddings.position_embeddings.weight", sizes["max_positions"], width)
    groups: dict[str, Mapping[str, Reader]] = {
        "embedding": {"embeddings": lambda: words()[rows]},
        "embedding_norm": norm("embeddings.LayerNorm"),
    }
    kinds = f"{prefix}embeddings.token_type_embeddings.weight"
    if kinds in tensors.shapes:
        segment = tensor("embeddings.token_type_embeddings.weight", -1, width)
        if segments:
            groups["segment_embedding"] = {"embeddings": segment}
            groups["position_embedding"] = {"embeddings": positions}
        else:
            groups["position_embedding"] = {"embeddings": lambda: positions() + segment()[0]}
    else:
        groups["position_embedding"] = {"embeddings": positions}
    if names.relative:
        shape = sizes["relative_buckets"], sizes["num_heads"]
        groups["relative_bias"] = {"embeddings": tensor(f"{names.relative}.weight", *shape)}
    for i in range(sizes["num_layers"]):
        layer = names.layer.format(i=i)
        query, key, value, output = (f"{layer}.{name}" for name in names.attention)
        groups[f"layer_{i}/attention/qkv"] = dense(width, width, query, key, value)
        groups[f"layer_{i}/attention/output"] = dense(width, width, output)
        groups[f"layer_{i}/attention_norm"] = norm(f"{layer}.{names.attention_norm}")
        groups[f"layer_{i}/feed_forward/inner"] = dense(inner, width, f"{layer}.{names.inner}")
        groups[f"layer_{i}/feed_forward/outer"] = dense(width, inner, f"{layer}.{names.outer}")
        groups[f"layer_{i}/feed_forward_norm"] = norm(f"{layer}.{names.feed_forward_norm}")
    return _by_path(groups)


def head_variables(
    names: Names, sizes: Mapping[str, Any], tensors: Tensors, rows: np.ndarray
) -> dict[str, Reader]:
    """Return what reads the head of a masked language model, where the files have a whole one.

    Args:
        names: of its kind.
        sizes: as `encoder_sizes` returns them.
        tensors: of its files.
        rows: row of the file's table of words for each of the zoo's token ids.

    Raises:
        ZooError: a tensor has another shape than config.json says.
    """
    head, width = names.head, sizes["hidden_dim"]
    bias = next((name for name in head.biases if name in tensors.shapes), None)
    needed = {f"{head.dense}.weight", f"{head.dense}.bias"}
    needed |= {f"{head.norm}.{theirs}" for theirs in _norm_names(tensors, head.norm)}
    if bias is None or not needed <= tensors.shapes.keys():
        return {}
    logits = _tensor(tensors, bias, -1)
    return _by_path(
        {
            "transform": _dense(tensors, width, width, head.dense),
            "transform_norm": _norm(tensors, width, head.norm),
            "embedding": {"bias": lambda: logits()[rows]},
        }
    )


def _tensor(tensors: Tensors, name: str, *shape: int) -> Reader:
    tensors.shape(name, *shape)
    return partial(tensors.read, name)


def _norm_names(tensors: Tensors, layer: str) -> tuple[str, str]:
    old = f"{layer}.gamma" in tensors.shapes  # of files written before 2019
    return ("gamma", "beta") if old else ("weight", "bias")


def _norm(tensors: Tensors, width: int, layer: str) -> dict[str, Reader]:
    return {
        own: _tensor(tensors, f"{layer}.{theirs}", width)
        for own, theirs in zip(("gamma", "beta"), _norm_names(tensors, layer), strict=True)
    }


def _dense(tensors: Tensors, units: int, width: int, *layers: str) -> dict[str, Reader]:
    """Return the readers of dense layers as one: their units side by side."""
    kernels = [_tensor(tensors, f"{name}.weight", units, width) for name in layers]
    biases = [_tensor(tensors, f"{name}.bias", units) for name in layers]
    return {
        "kernel": lambda: np.concatenate([kernel().T for kernel in kernels], axis=1),
        "bias": lambda: np.concatenate([bias() for bias in biases]),
    }


def _by_path(groups: Mapping[str, Mapping[str, Reader]]) -> dict[str, Reader]:
    return {
        f"{layer}/{variable}": reader
        for layer, variables in groups.items()
        for variable, reader in variables.items()
    }
