"""A bounded, seeded sample of a stream of texts; pure Python."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterable

from zoo.errors import ZooError


def sample_texts(
    texts: Iterable[str],
    *,
    count: int,
    characters: int,
    longest: int,
    seed: int = 0,
) -> list[str]:
    """Return a uniform sample of the texts that are not empty, in random order.

    Every text gets a random key and the smallest keys stay, so one pass is enough and memory is
    bounded however many texts come and however long they are.

    Args:
        texts: any number of strings, read once.
        count: most texts to keep.
        characters: most characters to keep, over all texts.
        longest: most characters of one text that are read.
        seed: the same texts and seed give the same sample in the same order.

    Raises:
        ZooError: something among the texts is not a string, or not a valid one.
    """
    draw = random.Random(seed).random
    kept: list[tuple[float, int, str]] = []  # a heap of (-key, -position, text): largest key first
    total = 0
    limit = 1.0  # keys at or above it were thrown out once, so the sample stays uniform
    for position, text in enumerate(texts):
        key = draw()
        if not isinstance(text, str):
            raise ZooError(
                f"text number {position} is not a string but {type(text).__name__}: {text!r:.80}. "
                "Turn every text into a str first."
            )
        if key >= limit or not text or text.isspace():
            continue
        text = text[:longest]
        _check_unicode(text, position)
        heapq.heappush(kept, (-key, -position, text))
        total += len(text)
        while len(kept) > count or (total > characters and len(kept) > 1):
            worst, _, dropped = heapq.heappop(kept)
            limit = -worst
            total -= len(dropped)
    return [text for _, _, text in sorted(kept, reverse=True)]


def _check_unicode(text: str, position: int) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ZooError(
            f"text number {position} is not valid Unicode: half a surrogate pair at character "
            f"{error.start}. Decode the file as UTF-8, or drop that character."
        ) from error
