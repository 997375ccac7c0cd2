"""Pairs of texts as one text, so that rows with a pair are kept as those with one text are."""

from __future__ import annotations

from typing import Any

from zoo.errors import ZooError

# Record separator. A single text that holds one is no pair: whoever reads rows says what they are.
PAIR = "\x1e"


def pair_text(first: str, second: str) -> str:
    """Return two texts as one; an empty text where both are blank.

    Example:
        >>> split_pair(pair_text("a", "b"))
        ('a', 'b')
    """
    first, second = first.replace(PAIR, " "), second.replace(PAIR, " ")
    return f"{first}{PAIR}{second}" if first.strip() or second.strip() else ""


def split_pair(text: str) -> tuple[str, str]:
    """Return the two texts of a pair; the second is empty where there is none."""
    first, _, second = text.partition(PAIR)
    return first, second


def shown_pair(text: str) -> str:
    """Return a text as a person reads it, with a bar between the texts of a pair."""
    return text.replace(PAIR, " | ")


def line_pair(line: str, where: str) -> str:
    """Return the pair of a line: two texts with a tab between them.

    Args:
        line: as it was read.
        where: its file and number, for the message.

    Raises:
        ZooError: there is no tab, or several.
    """
    texts = line.split("\t")
    if len(texts) != 2:
        raise ZooError(
            f"{where}: two texts with a tab between them are expected, for a run on pairs. "
            f"Received {len(texts)}: {line[:80]!r}."
        )
    return pair_text(*texts)


def value_pair(value: Any) -> tuple[Any, Any] | None:
    """Return the two values of a tuple or list of two; None of anything else."""
    if isinstance(value, tuple | list) and len(value) == 2:
        return value[0], value[1]
    return None
