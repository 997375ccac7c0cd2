"""Whether texts are written with blanks between words."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from zoo.finding import Finding

LOOKED_AT = 1000  # texts
LONGEST_WORD = 10.0  # characters on average: English has 6, German 7, Chinese titles 14


def characters_a_word(texts: Iterable[str]) -> float:
    """Return the characters to each word between blanks, on average over the first texts."""
    first = list(islice(texts, LOOKED_AT))
    return sum(map(len, first)) / max(sum(len(text.split()) for text in first), 1)


def long_words(kind: str, characters: float) -> list[Finding]:
    """Return a finding when words are the tokens of texts that are written without blanks.

    Args:
        kind: of the tokenizer.
        characters: to each of its tokens, on average.
    """
    if kind != "words" or characters <= LONGEST_WORD:
        return []
    what = (
        f"a word has {characters:.0f} characters on average: the texts seem to be written without "
        "blanks, and most words are seen once."
    )
    advice = "Set data.tokenizer=sentencepiece or data.tokenizer=characters."
    return [Finding("warning", what, {"characters_a_word": characters}, advice)]
