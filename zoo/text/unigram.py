"""The sentencepiece unigram model of XLM-R and mT5, made to order: which piece has which id."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import sentencepiece

from zoo.errors import ZooError
from zoo.text.subwords import rule

Pieces = Sequence[tuple[str, float]]


def _messages() -> Any:
    """Return the module of sentencepiece's messages.

    It is loaded here, for protobuf refuses one that was made for a later protobuf: sentencepiece
    0.2.3 wants 7.36, TensorFlow 2.21 takes 6 as well. Only making a model needs it, and the rule
    of one that is read: sentencepiece has no call for either. A saved tokenizer loads without.

    Raises:
        ZooError: protobuf is too old for it.
    """
    from google.protobuf.runtime_version import VersionError

    try:
        return importlib.import_module("sentencepiece.sentencepiece_model_pb2")
    except (ImportError, VersionError) as error:
        raise ZooError(
            f"this tokenizer needs a newer protobuf than is installed: {error} "
            "Run: pip install --upgrade protobuf"
        ) from error


def unigram_model(
    pieces: Pieces, *, unknown: int, control: Sequence[int], charsmap: bytes | None = None
) -> bytes:
    """Return a serialised sentencepiece model whose ids are those of a list of pieces.

    Args:
        pieces: piece and log probability, in the order of their ids.
        unknown: id of what no piece covers.
        control: ids of marks such as `<s>`, which no text holds.
        charsmap: the compiled rule by which texts are normalised; None for NFKC.

    Raises:
        ZooError: protobuf is too old.
    """
    protobuf = _messages()
    model = protobuf.ModelProto()
    types = protobuf.ModelProto.SentencePiece.Type
    for index, (piece, score) in enumerate(pieces):
        entry = model.pieces.add(piece=piece, score=score)
        if index == unknown:
            entry.type = types.UNKNOWN
        elif index in control:
            entry.type = types.CONTROL
    model.trainer_spec.model_type = protobuf.TrainerSpec.UNIGRAM
    model.trainer_spec.vocab_size = len(pieces)
    model.trainer_spec.unk_id = unknown
    model.trainer_spec.unk_piece = pieces[unknown][0]
    model.trainer_spec.bos_id = model.trainer_spec.eos_id = model.trainer_spec.pad_id = -1
    model.normalizer_spec.CopyFrom(_normalizer(charsmap))
    content: bytes = model.SerializeToString()
    return content


def read_unigram(content: bytes) -> Any:
    """Return a serialised sentencepiece model, parsed and checked.

    Raises:
        ZooError: it is none, or not a unigram model; or protobuf is too old.
    """
    from google.protobuf.message import DecodeError

    protobuf = _messages()
    try:
        model = protobuf.ModelProto.FromString(content)
    except DecodeError as error:
        raise ZooError(f"is not a sentencepiece model: {error}.") from error
    if model.trainer_spec.model_type != protobuf.TrainerSpec.UNIGRAM:
        raise ZooError("is a sentencepiece model of another kind than unigram.")
    if not model.pieces:
        raise ZooError("is not a sentencepiece model: it holds no pieces.")
    return model


def _normalizer(charsmap: bytes | None) -> Any:
    """Return a rule for normalising texts; sentencepiece itself has the compiled NFKC."""
    protobuf = _messages()
    if charsmap is not None:
        return protobuf.NormalizerSpec(
            precompiled_charsmap=charsmap,
            add_dummy_prefix=True,
            remove_extra_whitespaces=True,
            escape_whitespaces=True,
        )
    normalizer = sentencepiece.SentencePieceNormalizer(rule_name=rule(lowercase=False))
    return protobuf.NormalizerSpec.FromString(normalizer.serialized_normalizer_spec())
