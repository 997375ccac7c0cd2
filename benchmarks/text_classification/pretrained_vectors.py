"""Whether a network that starts from MiniLM gives the vectors that PyTorch computes from its files.

The vectors are the means of the last layer over a text's tokens. PyTorch reads model.safetensors
with its own reader and tokenizer.json with Hugging Face's `tokenizers`; here all of it is the
zoo's. A hundred sentences of four sets, one of them Chinese, in one padded batch. `weights` counts
those that the network takes over; the pooler, which only BERT's next-sentence task has used, is
left in the file.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.datasets import files, read_csv
from benchmarks.pytorch import pytorch

SETS = ("trec", "mr", "subj", "chnsenticorp")
EACH = 25
LENGTH = 128  # tokens
PAIRS = (
    ("a great film", "a wonderful movie"),
    ("a great film", "the stock market fell"),
)


def measure() -> Iterator[dict[str, Any]]:
    """Yield one entry: the largest difference of any component, and cosines of two pairs."""
    import keras

    import zoo
    from zoo.starts.resolve import resolve_start
    from zoo.wheels import installed_file

    with tempfile.TemporaryDirectory() as name:
        texts = [
            row[0]
            for data in SETS
            for row in read_csv(files(data, Path(name))["data"])[1 : EACH + 1]
        ]
    tokenizer = resolve_start("minilm").tokenizer
    model = zoo.transformer(init="minilm")
    network = keras.Model(model.input, model.get_layer("logits").input)

    def vectors(texts: list[str]) -> np.ndarray:
        return np.asarray(network(tokenizer.encode_dense(texts, LENGTH)))

    expected = _pytorch(installed_file("minilm").parent, texts)
    found = vectors(texts)
    logits = sum(variable.numpy().size for variable in model.get_layer("logits").weights)
    yield {
        "id": "minilm",
        "sentences": len(texts),
        "largest_difference": float(np.abs(found - expected).max()),
        "largest_component": float(np.abs(expected).max()),
        "weights": model.count_params() - logits,
        "cosines": {" / ".join(pair): _cosine(*vectors(list(pair))) for pair in PAIRS},
    }


def _cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def _pytorch(folder: Path, texts: list[str]) -> np.ndarray:
    """Return the means of the last layer `(texts, features)`, a text at a time."""
    torch = pytorch()
    from safetensors.torch import load_file
    from tokenizers import Tokenizer
    from torch.nn import functional

    config = json.loads((folder / "config.json").read_text())
    weights = load_file(folder / "model.safetensors")
    width, heads = config["hidden_size"], config["num_attention_heads"]

    def dense(x: Any, name: str) -> Any:
        return functional.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])

    def norm(x: Any, name: str) -> Any:
        scale, shift = weights[f"{name}.weight"], weights[f"{name}.bias"]
        return functional.layer_norm(x, (width,), scale, shift, config["layer_norm_eps"])

    def encode(ids: list[int]) -> Any:
        x = weights["embeddings.word_embeddings.weight"][ids]
        x = x + weights["embeddings.position_embeddings.weight"][: len(ids)]
        x = norm(x + weights["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        for i in range(config["num_hidden_layers"]):
            layer = f"encoder.layer.{i}"
            query, key, value = (
                dense(x, f"{layer}.attention.self.{part}").view(len(ids), heads, -1).transpose(0, 1)
                for part in ("query", "key", "value")
            )
            mixed = functional.scaled_dot_product_attention(query, key, value)
            mixed = dense(mixed.transpose(0, 1).reshape(x.shape), f"{layer}.attention.output.dense")
            x = norm(x + mixed, f"{layer}.attention.output.LayerNorm")
            hidden = functional.gelu(dense(x, f"{layer}.intermediate.dense"))
            x = norm(x + dense(hidden, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
        return x.mean(0)

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding(), tokenizer.enable_truncation(LENGTH)
    with torch.no_grad():
        return np.stack([encode(tokenizer.encode(text).ids).numpy() for text in texts])
