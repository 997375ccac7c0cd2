"""Tokenizers that come with pretrained weights: special tokens and pairs, in the graph."""

from __future__ import annotations

import dataclasses
import json
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from zoo.errors import ZooError
from zoo.host import on_host
from zoo.text.byte_pairs import BytePairs
from zoo.text.counting import count_tokens
from zoo.text.cutting import beginning, cut_pairs
from zoo.text.sentence_pieces import SentencePieces
from zoo.text.tokenizer_files import load_content, save_content
from zoo.text.vocabulary import sentencepiece_pieces
from zoo.text.wordpiece import WordPiece

PADDING = 0
ALGORITHMS = {  # of each the file that its content is kept in
    "wordpiece": "vocabulary.txt",
    "sentencepiece": "sentencepiece.model",
    "byte-pairs": "merges.json",
}
FORM = "pretrained"  # tells these from tokenizers that are learned, in the same file


@dataclasses.dataclass(frozen=True)
class Marks:
    """The ids that no text holds.

    Args:
        start: begins every row, as `[CLS]` and `<s>` do.
        end: ends every text, as `[SEP]` and `</s>` do.
        unknown: stands for what no piece covers.
        mask: hides a token from a masked language model; None where there is none.
        doubled: whether two ends stand between the texts of a pair, as RoBERTa has it.
    """

    start: int
    end: int
    unknown: int
    mask: int | None = None
    doubled: bool = False


class PretrainedTokenizer(tf.Module):
    """Strings to the token ids that pretrained weights know, as a graph op.

    A row is `[CLS] a [SEP]`, a pair `[CLS] a [SEP] b [SEP]`. Id 0 is padding, also of models that
    have another: their ids and the rows of their table are swapped when they are read.

    Args:
        kind: `wordpiece` (BERT), `sentencepiece` (XLM-R) or `byte-pairs` (RoBERTa).
        lowercase: whether case is folded.
        content: the pieces one a line; the serialised model; or `{"pieces": [...], "merges":
            [[left, right], ...]}` as JSON. All in UTF-8, and in the order of the ids.
        marks: the special tokens.

    Attributes:
        vocabulary_size: number of ids, 0 included.

    Raises:
        ZooError: the content is not what the kind asks for.

    Source: Devlin 2019, https://arxiv.org/abs/1810.04805, section 3.
    """

    @on_host
    def __init__(self, kind: str, *, lowercase: bool, content: bytes, marks: Marks):
        super().__init__(name="tokenizer")
        self.kind, self.lowercase, self.marks = kind, lowercase, marks
        self.content = content
        self._pieces, merges = _read(kind, content)
        self.vocabulary_size = len(self._pieces)
        _check_marks(marks, self.vocabulary_size)
        # Resources must be attributes made here: a SavedModel would not find others.
        self._words: Callable[[tf.Tensor], tf.RaggedTensor]
        if kind == "wordpiece":
            unknown = self._pieces[marks.unknown]
            self._words = WordPiece(self._pieces, lowercase=lowercase, unknown=unknown)
        elif kind == "byte-pairs":
            ids = {piece: index for index, piece in enumerate(self._pieces)}
            self._words = BytePairs(ids, merges)
        else:
            self._words = SentencePieces(content)

    @on_host
    def __call__(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Return int32 ids `(batch, None)` of strings `(batch,)`, special tokens included."""
        return self._framed(self._tokenize(texts))

    @on_host
    def encode(self, texts: tf.Tensor, max_length: int) -> tf.RaggedTensor:
        """Return int32 ids `(batch, None)`, at most `max_length` of each text, the last an end.

        Only the first `TOKEN_CHARACTERS * max_length` characters of a text are looked at.

        Raises:
            ZooError: nothing of a text fits beside its special tokens.
        """
        room = self._room(max_length, 2)
        return self._framed(self._tokenize(beginning(texts, max_length))[:, :room])

    @on_host
    def encode_pairs(self, first: tf.Tensor, second: tf.Tensor, max_length: int) -> tf.RaggedTensor:
        """Return int32 ids `(batch, None)` of pairs of texts, at most `max_length` of each pair.

        The longer text is cut first, until both are equally long.

        Args:
            first: strings `(batch,)`.
            second: strings `(batch,)`.
            max_length: tokens of a pair, special ones included.

        Raises:
            ZooError: nothing of the texts fits beside their special tokens.
        """
        room = self._room(max_length, 4 if self.marks.doubled else 3)
        left = self._tokenize(beginning(first, max_length))
        right = self._tokenize(beginning(second, max_length))
        left, right = cut_pairs(left, right, room)
        rows = left.nrows()
        between = self._repeated(self.marks.end, rows)
        between = [between, between] if self.marks.doubled else [between]
        return self._framed(tf.concat([left, *between, right], axis=1))

    @on_host
    def encode_dense(self, texts: tf.Tensor, max_length: int) -> tf.Tensor:
        """Return int32 ids `(batch, time)` as `encode`, padded with 0 at the right."""
        return self.encode(texts, max_length).to_tensor(PADDING)

    @on_host
    def encode_rows(
        self, texts: Sequence[str] | Sequence[bytes], max_length: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the ids of texts as `encode`, one text after the other, and their lengths.

        Args:
            texts: strings, or UTF-8.
            max_length: tokens of a text that are read.

        Returns:
            int32 `(tokens,)` and int64 `(rows,)`.
        """
        ids = self.encode(tf.constant(texts, tf.string), max_length)
        return ids.flat_values.numpy(), ids.row_lengths().numpy()

    @on_host
    def count(self, texts: Sequence[str]) -> np.ndarray:
        """Return how many tokens each text has, special ones included, int64.

        A very long text is counted in pieces, so that it may come out some tokens longer.
        """
        return count_tokens(self, texts)

    @property
    def pieces(self) -> list[str]:
        """What each id stands for."""
        return list(self._pieces)

    @on_host
    def unknown_characters(self, texts: Sequence[str]) -> dict[str, int]:
        """Return the characters that become the unknown id, with how often they occur.

        Sorted by falling count; blanks do not count.
        """
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(text)
        shown = sorted(
            character
            for character in counts
            if not character.isspace() and unicodedata.category(character)[0] != "C"
        )
        if not shown:
            return {}
        ids = self._tokenize(tf.constant(shown))
        unknown = tf.reduce_any(ids == self.marks.unknown, axis=1).numpy()
        rare = {c: counts[c] for c, is_unknown in zip(shown, unknown, strict=True) if is_unknown}
        return dict(sorted(rare.items(), key=lambda item: (-item[1], item[0])))

    def save(self, folder: Path) -> None:
        """Write `tokenizer.json` and its content beside it into a folder.

        Raises:
            ZooError: a file cannot be written.
        """
        facts = {
            "form": FORM,
            "kind": self.kind,
            "lowercase": self.lowercase,
            "vocabulary_size": self.vocabulary_size,
            "marks": dataclasses.asdict(self.marks),
        }
        save_content(Path(folder), ALGORITHMS[self.kind], self.content, facts)

    def _room(self, max_length: int, marks: int) -> int:
        if max_length <= marks:
            raise ZooError(
                f"`max_length` must be more than {marks}, the special tokens of a row. "
                f"Received: {max_length}. Set data.max_length."
            )
        return max_length - marks

    def _framed(self, ids: tf.RaggedTensor) -> tf.RaggedTensor:
        rows = ids.nrows()
        start, end = (self._repeated(mark, rows) for mark in (self.marks.start, self.marks.end))
        return tf.concat([start, ids, end], axis=1)

    def _repeated(self, mark: int, rows: tf.Tensor) -> tf.Tensor:
        return tf.fill(tf.stack([tf.cast(rows, tf.int32), 1]), tf.constant(mark, tf.int32))

    def _tokenize(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Return int32 ids `(batch, None)` without special tokens; rows may be empty."""
        texts = tf.ensure_shape(tf.convert_to_tensor(texts, tf.string), [None])
        return self._words(texts)


def load_pretrained_tokenizer(folder: Path, facts: Mapping[str, Any]) -> PretrainedTokenizer:
    """Read what `PretrainedTokenizer.save` wrote; nothing in the files is ever executed.

    Args:
        folder: with `tokenizer.json` and the file beside it.
        facts: the document of `tokenizer.json`.

    Raises:
        ZooError: a file is missing, is not what it should be, or was changed after it was written.
    """
    path = folder / "tokenizer.json"
    if facts.get("kind") not in ALGORITHMS:
        raise ZooError(f"{path}: `kind` must be one of {', '.join(ALGORITHMS)}.")
    try:
        marks = Marks(**facts["marks"])
        lowercase = bool(facts["lowercase"])
    except (KeyError, TypeError) as error:
        raise ZooError(f"{path}: is damaged: {error}.") from error
    content_path = folder / ALGORITHMS[facts["kind"]]
    content = load_content(content_path, facts)
    try:
        return PretrainedTokenizer(facts["kind"], lowercase=lowercase, content=content, marks=marks)
    except ZooError as error:
        raise ZooError(f"{content_path}: {error}") from error


def byte_pair_content(pieces: Sequence[str], merges: Sequence[tuple[str, str]]) -> bytes:
    """Return the content of a tokenizer of byte pairs."""
    return json.dumps({"pieces": list(pieces), "merges": [list(pair) for pair in merges]}).encode()


def _read(kind: str, content: bytes) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the pieces, and the merges of byte pairs."""
    if kind == "sentencepiece":
        return sentencepiece_pieces(content), []
    try:
        if kind == "byte-pairs":
            document = json.loads(content)
            pieces = [str(piece) for piece in document["pieces"]]
            return pieces, [(str(left), str(right)) for left, right in document["merges"]]
        pieces = content.decode().split("\n")
    except (ValueError, KeyError, TypeError) as error:
        raise ZooError(f"is no vocabulary: {error}.") from error
    if len(set(pieces)) < len(pieces) or "" in pieces:
        raise ZooError("is no vocabulary: a piece is empty or there twice.")
    return pieces, []


def _check_marks(marks: Marks, size: int) -> None:
    ids = [marks.start, marks.end, marks.unknown, *([] if marks.mask is None else [marks.mask])]
    wrong = [index for index in ids if not PADDING < index < size]
    if wrong:
        raise ZooError(f"the id of a special token must be in [1, {size}). Received: {wrong[0]}.")
