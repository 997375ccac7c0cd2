"""The one error that users of the zoo see, and the words it is made of."""

from __future__ import annotations

import difflib
import operator
from collections.abc import Iterable

LONGEST_REASON = 300  # characters


class ZooError(Exception):
    """Bad input or a failed operation, told in a message a person can act on.

    The message says where, what is wrong with which value, what is accepted and what to do.

    Attributes:
        exit_code: how the command ends.
    """

    exit_code = 1


class Interrupted(ZooError):
    """The process was asked to stop.

    Args:
        message: what is kept, and how to resume.
        number: the signal; the exit code is 128 and it, as shells have it: 130 for Ctrl-C, 143 for
            SIGTERM.
    """

    def __init__(self, message: str, number: int):
        super().__init__(message)
        self.exit_code = 128 + number


SEEDS = 2**32  # of Keras and numpy


def check_seed(seed: int) -> None:
    """Refuse a seed that Keras and numpy do not take.

    Raises:
        ZooError: it is not in [0, 2**32).
    """
    try:
        accepted = 0 <= operator.index(seed) < SEEDS
    except TypeError:
        accepted = False
    if not accepted:
        raise ZooError(f"`seed` must be a whole number in [0, {SEEDS:,}). Received: {seed!r}.")


def reason(error: Exception) -> str:
    """Return the beginning of another library's message, in one line."""
    return " ".join(str(error).split())[:LONGEST_REASON]


def did_you_mean(word: str, accepted: Iterable[str]) -> str:
    """Return `" Did you mean 'x'?"` for the nearest accepted word, or an empty string."""
    near = difflib.get_close_matches(str(word), list(accepted), n=1, cutoff=0.6)
    return f" Did you mean '{near[0]}'?" if near else ""


def unknown(kind: str, word: str, accepted: Iterable[str]) -> ZooError:
    """Return the error for a word that is not among the accepted ones.

    Args:
        kind: what the word names, such as `preset`.
        word: as it was given.
        accepted: words to choose from; the nearest is suggested.

    Example:
        >>> unknown("model", "texcnn", ["rcnn", "textcnn"])
        ZooError("unknown model 'texcnn'. Did you mean 'textcnn'? Accepted: rcnn, textcnn.")
    """
    accepted = list(accepted)
    return ZooError(
        f"unknown {kind} '{word}'.{did_you_mean(word, accepted)} Accepted: {', '.join(accepted)}."
    )
