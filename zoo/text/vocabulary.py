"""What all tokenizers share: their kinds, special ids, and the pieces that each id stands for."""

from __future__ import annotations

from collections.abc import Mapping

import sentencepiece

from zoo.errors import ZooError, unknown
from zoo.finding import Finding

KINDS = ("sentencepiece", "words", "characters")
UNKNOWN = 1  # in every vocabulary; 0 is padding of classifiers, and the end of a line of others
SMALLEST = 4


def check_vocabulary(kind: str, vocabulary_size: int, special: tuple[str, str]) -> None:
    """Refuse a vocabulary that cannot be learned.

    Args:
        kind: of the tokenizer.
        vocabulary_size: most ids, the special ones included.
        special: what ids 0 and 1 stand for.

    Raises:
        ZooError: the kind is unknown, or the size is below 4.
    """
    if kind not in KINDS:
        raise unknown("tokenizer", kind, KINDS)
    if vocabulary_size < SMALLEST:
        raise ZooError(
            f"`vocabulary_size` must be at least {SMALLEST}. Received: {vocabulary_size}. "
            f"Ids 0 and 1 are {special[0]} and {special[1]}."
        )


def most_frequent(
    counts: Mapping[str, int], vocabulary_size: int, special: tuple[str, str]
) -> list[str]:
    """Return the special pieces and the most frequent others, ties in code point order.

    Args:
        counts: how often each piece occurs.
        vocabulary_size: most pieces, the special ones included.
        special: what ids 0 and 1 stand for.
    """
    by_frequency = sorted(counts, key=lambda piece: (-counts[piece], piece))
    return [*special, *by_frequency[: vocabulary_size - len(special)]]


def sentencepiece_pieces(model: bytes, special: tuple[str, str] | None = None) -> list[str]:
    """Return what each id of a serialised sentencepiece model stands for.

    Args:
        model: as `zoo.text.subwords.learn_sentencepiece` returns it.
        special: what ids 0 and 1 stand for; None for a model that has its own order of ids.

    Raises:
        ZooError: it is no such model, or has other special ids.
    """
    try:
        processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        pieces: list[str] = processor.id_to_piece(list(range(len(processor))))
    except (RuntimeError, UnicodeDecodeError) as error:
        raise ZooError(f"is not a sentencepiece model: {error}.") from error
    if not pieces:
        raise ZooError("is not a sentencepiece model: it holds no pieces.")
    if special is None:
        return pieces
    if processor.pad_id() != 0 or processor.unk_id() != UNKNOWN:
        raise ZooError(
            "is a sentencepiece model with other special ids: padding must be 0 and unknown 1. "
            f"Received: {processor.pad_id()} and {processor.unk_id()}."
        )
    return [*special, *pieces[2:]]


def small_vocabulary(size: int, asked: int) -> list[Finding]:
    """Return a finding when the texts gave fewer tokens than asked for."""
    if size >= asked:
        return []
    what = f"the vocabulary has {size:,} tokens of at most {asked:,}: the texts hold no more."
    return [Finding("info", what, {"vocabulary_size": size, "asked": asked})]
