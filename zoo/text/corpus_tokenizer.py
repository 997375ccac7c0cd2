"""The tokenizer of language models: lines of text to ids and back, with `<eos>` and `<unk>`."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece

from zoo.errors import ZooError, unknown
from zoo.files import read_json, write_json
from zoo.text.subwords import learn_sentencepiece
from zoo.text.vocabulary import (
    KINDS,
    UNKNOWN,
    check_vocabulary,
    most_frequent,
    sentencepiece_pieces,
)

FILE = "vocabulary.json"
END = 0
SPECIAL = ("<eos>", "<unk>")
SPECIALS = re.compile(f"({'|'.join(SPECIAL)})")
# Rare words are forgotten when there are more different ones: memory does not grow with the corpus.
MOST_COUNTED = 4_000_000


class CorpusTokenizer:
    """Lines to token ids and back; `learn_corpus_tokenizer` makes it.

    Id 0 is `<eos>`, the end of every line; id 1 is `<unk>`. `words` splits at blanks. It and
    `sentencepiece` take these two in a text for what they say: so the published corpora are
    written. `characters` keeps every character. Nothing is normalised but case, if `lowercase`;
    what sentencepiece learned normalises by its own rule (NFKC).

    Args:
        kind: `words`, `sentencepiece` or `characters`.
        lowercase: whether case is folded.
        pieces: what each id stands for; of sentencepiece, what its model says.
        model: the serialised sentencepiece model.

    Attributes:
        vocabulary_size: number of ids, 0 and 1 included.

    Raises:
        ZooError: the kind is unknown, or the pieces are no vocabulary.
    """

    def __init__(self, kind: str, *, lowercase: bool, pieces: Sequence[str], model: bytes = b""):
        if kind not in KINDS:
            raise unknown("tokenizer", kind, KINDS)
        self.kind, self.lowercase, self._model = kind, lowercase, model
        self.pieces = list(pieces)
        self.vocabulary_size = len(self.pieces)
        if tuple(self.pieces[:2]) != SPECIAL or len(set(self.pieces)) < len(self.pieces):
            raise ZooError(
                f"is no vocabulary: it must begin with {', '.join(SPECIAL)} and hold nothing twice."
            )
        self._ids = {piece: index for index, piece in enumerate(self.pieces)}
        if kind == "sentencepiece":
            self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)

    @property
    def digest(self) -> str:
        """A text that differs where the vocabulary does."""
        facts = json.dumps([self.kind, self.lowercase, self.pieces]).encode()
        return hashlib.blake2b(facts + self._model, digest_size=16).hexdigest()

    def encode(self, lines: Sequence[str]) -> np.ndarray:
        """Return the int32 ids of lines, each with `<eos>` behind it."""
        if self.lowercase:
            lines = [line.lower() for line in lines]
        if self.kind == "words":
            words = f" {SPECIAL[END]} ".join([*lines, ""]).split()  # faster all at once
            ids: Iterable[int] = map(self._ids.get, words, repeat(UNKNOWN))
        elif self.kind == "characters":
            get = self._ids.get
            ids = chain.from_iterable(
                [*[get(character, UNKNOWN) for character in line], END] for line in lines
            )
        else:
            ids = chain.from_iterable([*line, END] for line in self._subwords(lines))
        return np.fromiter(ids, np.int32)

    def _subwords(self, lines: Sequence[str]) -> Iterator[list[int]]:
        """Yield the ids of each line; `<unk>` and `<eos>` in it are these tokens."""
        if not any(special in line for line in lines for special in SPECIAL):
            yield from self._processor.encode(list(lines))
            return
        for line in lines:
            ids: list[int] = []
            for part in SPECIALS.split(line):
                known = part in SPECIAL
                ids += [self._ids[part]] if known else self._processor.encode(part)
            yield ids

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids; `<eos>` is a line break."""
        rows: list[list[int]] = [[]]
        for token in ids:
            if token == END:
                rows.append([])
            else:
                rows[-1].append(int(token))
        return "\n".join(map(self._line, rows))

    def continue_text(self, prompt: str, ids: Sequence[int]) -> str:
        """Return a prompt with the text of ids behind it."""
        text = self.decode(ids)
        apart = self.kind == "words" or (
            self.kind == "sentencepiece" and bool(ids) and self.pieces[ids[0]].startswith("▁")
        )
        blank = " " if apart and prompt and not prompt[-1].isspace() and text[:1] != "\n" else ""
        return prompt + blank + text

    def save(self, folder: Path) -> None:
        """Write `vocabulary.json` into a folder.

        Raises:
            ZooError: it cannot be written.
        """
        write_json(
            Path(folder) / FILE,
            {
                "kind": self.kind,
                "lowercase": self.lowercase,
                "digest": self.digest,
                "pieces": self.pieces,
                "model": self._model.hex(),
            },
        )

    def _line(self, ids: list[int]) -> str:
        if self.kind == "sentencepiece":
            return str(self._processor.decode(ids))
        pieces = [self.pieces[token] for token in ids]
        return (" " if self.kind == "words" else "").join(pieces)


def learn_corpus_tokenizer(
    kind: str, lines: Iterable[str], *, vocabulary_size: int, lowercase: bool
) -> CorpusTokenizer:
    """Learn the tokenizer of a language model from the lines of a corpus.

    Words and characters are taken by frequency (ties in code point order).

    Args:
        kind: `words`, `sentencepiece` or `characters`.
        lines: read once.
        vocabulary_size: most ids, `<eos>` and `<unk>` included.
        lowercase: whether case is folded.

    Raises:
        ZooError: the kind is unknown, the size is below 4, or there is nothing but blanks.
    """
    check_vocabulary(kind, vocabulary_size, SPECIAL)
    if kind == "sentencepiece":
        plain = (SPECIALS.sub(" ", line) for line in lines)
        model = learn_sentencepiece(plain, vocabulary_size=vocabulary_size, lowercase=lowercase)
        pieces = sentencepiece_pieces(model, SPECIAL)
        return CorpusTokenizer(kind, lowercase=lowercase, pieces=pieces, model=model)
    counts: Counter[str] = Counter()
    for line in lines:
        folded = line.lower() if lowercase else line
        counts.update(folded.split() if kind == "words" else folded)
        if len(counts) > MOST_COUNTED:
            counts = Counter(dict(counts.most_common(MOST_COUNTED // 2)))
    for special in SPECIAL:
        counts.pop(special, None)
    if not counts:
        raise ZooError("the vocabulary cannot be learned: every line is empty or blank.")
    pieces = most_frequent(counts, vocabulary_size, SPECIAL)
    return CorpusTokenizer(kind, lowercase=lowercase, pieces=pieces)


def load_corpus_tokenizer(folder: Path) -> CorpusTokenizer:
    """Read what `CorpusTokenizer.save` wrote.

    Raises:
        ZooError: the file is missing, or was changed after it was written.
    """
    path = Path(folder) / FILE
    facts: Any = read_json(path)
    try:
        tokenizer = CorpusTokenizer(
            facts["kind"],
            lowercase=bool(facts["lowercase"]),
            pieces=facts["pieces"],
            model=bytes.fromhex(facts["model"]),
        )
        if tokenizer.digest != facts["digest"]:
            raise ZooError("was changed after it was written.")
    except (KeyError, TypeError, ValueError, RuntimeError, ZooError) as error:
        raise ZooError(f"{path}: is damaged: {error} Copy the folder again.") from error
    return tokenizer
