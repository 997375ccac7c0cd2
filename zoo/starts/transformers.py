"""Folders of Hugging Face's transformers: encoders of texts with their vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.errors import ZooError, did_you_mean
from zoo.starts.encoders import ENCODERS, encoder_sizes, encoder_variables, head_variables
from zoo.starts.pretrained import Pretrained, Weights
from zoo.starts.tensors import Tensors, read_tensors, weight_files
from zoo.starts.vocabularies import read_vocabulary
from zoo.text.pretrained_tokenizer import PretrainedTokenizer
from zoo.wheels import file_sha256

MODEL = "transformer"
SPARE = 100  # a table may have one row in so many that no piece has: rounded up, or kept free


def read_encoder(folder: Path, config: Mapping[str, Any], source: str, origin: str) -> Pretrained:
    """Return the encoder of a folder, and its head if that tells masked tokens.

    Args:
        folder: with config.json and model.safetensors.
        config: the document of config.json.
        source: how the folder was named.
        origin: what it is; empty for its kind and path.

    Raises:
        ZooError: the encoder is of a kind that is not read, has its weights in a pickle, or its
            parts do not fit together.
    """
    path = folder / "config.json"
    kind = str(config.get("model_type"))
    if kind not in ENCODERS:
        raise ZooError(
            f"{path}: model_type '{kind}' is not read.{did_you_mean(kind, ENCODERS)} Accepted: "
            f"{', '.join(ENCODERS)}."
        )
    names = ENCODERS[kind]
    sizes = encoder_sizes(names, config, path)
    files = weight_files(folder)
    tensors = read_tensors(files, folder)
    vocabulary, file = read_vocabulary(folder)
    tokenizer, theirs = vocabulary.tokenizer(file)
    check_rows(tensors, names.prefixes, len(theirs), file)
    values = start_values(sizes, tokenizer, segments=_has_segments(tokenizer, tensors))
    segments = bool(values["architecture.num_segments"])
    variables = encoder_variables(names, sizes, tensors, theirs, segments)
    if config.get("tie_word_embeddings", True):  # otherwise its table is another
        variables |= head_variables(names, sizes, tensors, theirs)
    return Pretrained(
        source=source,
        origin=origin or f"the {kind} in {folder}",
        model=MODEL,
        values=values,
        weights=Weights(variables),
        tokenizer=tokenizer,
        longest=sizes["max_positions"] - sizes["position_offset"],
        sha256=file_sha256(files[0]),
    )


def start_values(
    sizes: Mapping[str, Any], tokenizer: PretrainedTokenizer, *, segments: int
) -> dict[str, Any]:
    """Return what an encoder decides of a preset, by dotted key.

    Args:
        sizes: its values of the architecture block.
        tokenizer: its own.
        segments: rows of its table of segments, 0 where all tokens are in one.
    """
    architecture = {
        "relative_buckets": 0,
        **sizes,
        "vocabulary_size": tokenizer.vocabulary_size,
        "num_segments": segments,
        "separator_id": tokenizer.marks.end if segments else 0,
    }
    data = {"tokenizer": tokenizer.kind, "lowercase": tokenizer.lowercase}
    blocks = {"architecture": architecture, "data": data}
    return {f"{block}.{key}": value for block, own in blocks.items() for key, value in own.items()}


def check_rows(tensors: Tensors, prefixes: tuple[str, ...], pieces: int, file: Path) -> None:
    """Refuse a table of words that is not that of the vocabulary.

    Args:
        tensors: of the weights.
        prefixes: of their names.
        pieces: of the vocabulary.
        file: of the vocabulary, for messages.

    Raises:
        ZooError: it has fewer rows than there are pieces, or far more.
    """
    tables = [f"{prefix}embeddings.word_embeddings.weight" for prefix in prefixes]
    name = next((table for table in tables if table in tensors.shapes), tables[0])
    rows = tensors.shape(name, -1, -1)[0]
    if not 0 <= rows - pieces <= rows // SPARE:
        raise ZooError(
            f"{file}: has {pieces:,} pieces, and the table of words {rows:,} rows: it is the "
            f"vocabulary of other weights than those in {tensors.where}."
        )


def _has_segments(tokenizer: PretrainedTokenizer, tensors: Tensors) -> int:
    """Return the rows of the table of segments, where pairs of texts are told apart by them."""
    shapes = [
        shape for name, shape in tensors.shapes.items() if "token_type_embeddings" in name
    ] + [(0, 0)]
    return 0 if tokenizer.marks.doubled or shapes[0][0] < 2 else shapes[0][0]
