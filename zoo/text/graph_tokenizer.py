"""A tokenizer that runs in the TensorFlow graph: the same op in `tf.data` and in a SavedModel."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from zoo.errors import ZooError, unknown
from zoo.files import read_json
from zoo.host import on_host
from zoo.text.counting import CHUNK, count_tokens
from zoo.text.cutting import beginning
from zoo.text.sampling import sample_texts
from zoo.text.sentence_pieces import SentencePieces
from zoo.text.splitting import normalize, split_characters, split_words
from zoo.text.subwords import learn_sentencepiece
from zoo.text.tokenizer_files import load_content, save_content
from zoo.text.vocabulary import (
    KINDS,
    UNKNOWN,
    check_vocabulary,
    most_frequent,
    sentencepiece_pieces,
)

PADDING = 0
SPECIAL = ("<pad>", "<unk>")
# A vocabulary of some ten thousand pieces does not change any more with more texts than this, and
# counting them takes seconds; a single huge text must not crowd out the others.
SAMPLE_TEXTS = 200_000
SAMPLE_CHARACTERS = 20_000_000
TEXT_CHARACTERS = 20_000
FILES = {
    "sentencepiece": "sentencepiece.model",
    "words": "vocabulary.txt",
    "characters": "vocabulary.txt",
}


class GraphTokenizer(tf.Module):
    """Strings to token ids, as a graph op; `learn_tokenizer` makes it.

    Texts are brought to Unicode NFKC, and case folded when `lowercase`. Id 0 is padding and never
    comes out of a call; id 1 is an unknown piece, and the whole of a text without any token.

    Args:
        kind: `sentencepiece`, `words` or `characters`.
        lowercase: whether case is folded.
        content: the serialised sentencepiece model, or the pieces one a line in UTF-8.

    Attributes:
        vocabulary_size: number of ids, 0 and 1 included.

    Raises:
        ZooError: the kind is unknown or the content is not such a model or list.
    """

    @on_host
    def __init__(self, kind: str, *, lowercase: bool, content: bytes):
        super().__init__(name="tokenizer")
        if kind not in KINDS:
            raise unknown("tokenizer", kind, KINDS)
        self.kind = kind
        self.lowercase = lowercase
        self.content = content
        pieces = _pieces(kind, content)
        self.vocabulary_size = len(pieces)
        # Resources must be attributes made here: made in the call they would belong to a scratch
        # graph, and a SavedModel would not find them.
        if kind == "sentencepiece":
            self._subwords = SentencePieces(content)
        elif kind == "words":
            self._table = tf.lookup.StaticHashTable(
                tf.lookup.KeyValueTensorInitializer(
                    tf.constant(pieces), tf.range(len(pieces), dtype=tf.int64)
                ),
                default_value=UNKNOWN,
            )
        else:
            self._ids = tf.constant(_code_point_ids(pieces))

    @on_host
    def __call__(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Return int32 ids `(batch, None)` of strings `(batch,)`; every row has at least one."""
        return _without_empty_rows(self._tokenize(texts))

    @on_host
    def encode(self, texts: tf.Tensor, max_length: int) -> tf.RaggedTensor:
        """Return int32 ids `(batch, None)`, at most `max_length` of each text.

        Only the first `TOKEN_CHARACTERS * max_length` characters of a text are looked at.
        """
        return self(beginning(texts, max_length))[:, :max_length]

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
        """Return how many tokens each text has, int64.

        A text of more than `PIECE_CHARACTERS` is counted in pieces, so that it may come out a token
        longer for each of them.
        """
        return count_tokens(self, texts)

    @property
    def pieces(self) -> list[str]:
        """What each id stands for; 0 is `<pad>`, 1 is `<unk>`."""
        return _pieces(self.kind, self.content)

    @on_host
    def unknown_characters(self, texts: Sequence[str]) -> dict[str, int]:
        """Return the characters that become the unknown id, with how often they occur.

        For words these are the characters that no word of the vocabulary contains. Sorted by
        falling count; blanks do not count.
        """
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(unicodedata.normalize("NFKC", text))
        characters = sorted(character for character in counts if not character.isspace())
        if not characters:
            return {}
        if self.kind == "words":
            known = set("".join(self.pieces[2:]))
            folded = normalize(tf.constant(characters), self.lowercase).numpy()
            unknown_ones = [not set(text.decode()) <= known for text in folded]
        else:
            ids = self._tokenize(tf.constant(characters))
            unknown_ones = tf.reduce_any(ids == UNKNOWN, axis=1).numpy()
        pairs = zip(characters, unknown_ones, strict=True)
        rare = {character: counts[character] for character, is_unknown in pairs if is_unknown}
        return dict(sorted(rare.items(), key=lambda item: (-item[1], item[0])))

    def save(self, folder: Path) -> None:
        """Write `tokenizer.json` and the model or vocabulary beside it into a folder.

        Raises:
            ZooError: a file cannot be written.
        """
        facts = {
            "kind": self.kind,
            "lowercase": self.lowercase,
            "vocabulary_size": self.vocabulary_size,
        }
        save_content(Path(folder), FILES[self.kind], self.content, facts)

    def _tokenize(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Return int32 ids `(batch, None)`; rows may be empty."""
        texts = tf.ensure_shape(tf.convert_to_tensor(texts, tf.string), [None])
        if self.kind == "sentencepiece":
            return self._subwords(texts)
        texts = normalize(texts, self.lowercase)
        if self.kind == "words":
            words = split_words(texts)
            return words.with_flat_values(tf.cast(self._table.lookup(words.flat_values), tf.int32))
        points = split_characters(texts)
        last = tf.size(self._ids) - 1  # stands for every code point beyond the table
        return points.with_flat_values(tf.gather(self._ids, tf.minimum(points.flat_values, last)))


def learn_tokenizer(
    kind: str,
    texts: Iterable[str],
    *,
    vocabulary_size: int,
    lowercase: bool,
    seed: int = 0,
) -> GraphTokenizer:
    """Learn a tokenizer in seconds from a bounded sample of the texts.

    Words and characters are taken by frequency (ties in code point order); sentencepiece learns a
    unigram model. The same texts and seed give the same tokenizer, byte for byte.

    Args:
        kind: `sentencepiece`, `words` (whitespace and punctuation, see
            `zoo.text.splitting.split_words`) or `characters`.
        texts: strings, read once; empty ones are ignored.
        vocabulary_size: most ids, padding and unknown included; small data give fewer.
        lowercase: whether case is folded.
        seed: of the sample, where there are more texts than are needed.

    Raises:
        ZooError: the kind is unknown, the size is below 4, something is not a string, or every
            text is empty.
    """
    check_vocabulary(kind, vocabulary_size, SPECIAL)
    sample = sample_texts(
        texts,
        count=SAMPLE_TEXTS,
        characters=SAMPLE_CHARACTERS,
        longest=TEXT_CHARACTERS,
        seed=seed,
    )
    if kind == "sentencepiece":
        content = learn_sentencepiece(sample, vocabulary_size=vocabulary_size, lowercase=lowercase)
    else:
        counts = _count(kind, sample, lowercase)
        if not counts:
            raise ZooError(
                "the tokenizer cannot be learned: every text is empty or blank. "
                "Check that the right text column is read."
            )
        content = "\n".join(most_frequent(counts, vocabulary_size, SPECIAL)).encode()
    return GraphTokenizer(kind, lowercase=lowercase, content=content)


def load_graph_tokenizer(folder: Path) -> GraphTokenizer:
    """Read what `GraphTokenizer.save` wrote; nothing in the files is ever executed.

    Raises:
        ZooError: a file is missing, is not what it should be, or was changed after it was written.
    """
    folder = Path(folder)
    path = folder / "tokenizer.json"
    facts = read_json(path)
    if not isinstance(facts, dict) or facts.get("kind") not in KINDS:
        raise ZooError(f"{path}: is not a tokenizer: `kind` must be one of {', '.join(KINDS)}.")
    if not isinstance(facts.get("lowercase"), bool):
        raise ZooError(f"{path}: `lowercase` must be true or false.")
    path = folder / FILES[facts["kind"]]
    content = load_content(path, facts)
    try:
        return GraphTokenizer(facts["kind"], lowercase=facts["lowercase"], content=content)
    except ZooError as error:
        raise ZooError(f"{path}: {error}") from error


def _without_empty_rows(ids: tf.RaggedTensor) -> tf.RaggedTensor:
    """Give every empty row the unknown id: recurrent layers on a GPU need one token a row."""
    empty = tf.cast(ids.row_lengths() == 0, tf.int64)
    unknowns = tf.fill([tf.reduce_sum(empty)], UNKNOWN)
    return tf.concat([ids, tf.RaggedTensor.from_row_lengths(unknowns, empty)], axis=1)


def _pieces(kind: str, content: bytes) -> list[str]:
    """Return the pieces that a model or vocabulary holds, after checking it."""
    if kind == "sentencepiece":
        return sentencepiece_pieces(content, SPECIAL)
    try:
        pieces = content.decode().split("\n")
    except UnicodeDecodeError as error:
        raise ZooError(f"is not a vocabulary: not UTF-8 at byte {error.start}.") from error
    if tuple(pieces[:2]) != SPECIAL or len(pieces) < 3:
        raise ZooError(f"is not a vocabulary: it must begin with {' and '.join(SPECIAL)}.")
    if len(set(pieces)) < len(pieces) or "" in pieces:
        raise ZooError("is not a vocabulary: a piece is empty or there twice.")
    if kind == "characters" and any(len(piece) != 1 for piece in pieces[2:]):
        raise ZooError("is not a vocabulary of characters: a line holds more than one character.")
    return pieces


def _code_point_ids(pieces: list[str]) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Return a table from code point to id; its last entry is the unknown id."""
    points = [ord(piece) for piece in pieces[2:]]
    table = np.full(max(points) + 2, UNKNOWN, np.int32)
    table[points] = np.arange(2, len(pieces))
    return table


@on_host
def _count(kind: str, texts: list[str], lowercase: bool) -> Counter[str]:
    """Count words or characters, split by the very ops that will tokenize."""
    batches = (
        normalize(tf.constant(texts[start : start + CHUNK]), lowercase)
        for start in range(0, len(texts), CHUNK)
    )
    if kind == "characters":
        points = np.zeros(0x110000, np.int64)
        for batch in batches:
            points += np.bincount(split_characters(batch).flat_values, minlength=len(points))
        return Counter({chr(point): int(points[point]) for point in np.flatnonzero(points)})
    words: Counter[bytes] = Counter()
    for batch in batches:
        words.update(split_words(batch).flat_values.numpy().tolist())
    return Counter({word.decode(): count for word, count in words.items()})
