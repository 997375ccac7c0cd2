"""Vocabularies of language models: lines of text to ids and back, with `<eos>` and `<unk>`."""

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

KINDS = ("words", "sentencepiece", "characters")
END, UNKNOWN = 0, 1
SPECIAL = ("<eos>", "<unk>")
SPECIALS = re.compile(f"({'|'.join(SPECIAL)})")
# Rare words are forgotten when there are more different ones: memory does not grow with the corpus.
MOST_COUNTED = 4_000_000


class Vocabulary:
    """The tokens of a language model; made by `learn_vocabulary` and `load_vocabulary`.

    Id 0 is `<eos>`, the end of every line; id 1 is `<unk>`. `words` splits at blanks. It and
    `sentencepiece` take these two in a text for what they say: so the published corpora are
    written. `characters` keeps every character. Nothing is normalised but case, if `lowercase`;
    what sentencepiece learned normalises by its own rule (NFKC).

    Args:
        kind: `words`, `sentencepiece` or `characters`.
        lowercase: whether case is folded.
        pieces: what each id stands for; of sentencepiece, what its model says.
        model: the serialised sentencepiece model.

    Raises:
        ZooError: the kind is unknown, or the pieces are no vocabulary.
    """

    def __init__(self, kind: str, *, lowercase: bool, pieces: Sequence[str], model: bytes = b""):
        if kind not in KINDS:
            raise unknown("tokenizer", kind, KINDS)
        self.kind, self.lowercase, self._model = kind, lowercase, model
        self.pieces = list(pieces)
        if tuple(self.pieces[:2]) != SPECIAL or len(set(self.pieces)) < len(self.pieces):
            raise ZooError(
                f"is no vocabulary: it must begin with {', '.join(SPECIAL)} and hold nothing twice."
            )
        self._ids = {piece: index for index, piece in enumerate(self.pieces)}
        if kind == "sentencepiece":
            self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)

    def __len__(self) -> int:
        return len(self.pieces)

    @property
    def digest(self) -> str:
        """A text that differs where the vocabulary does."""
        facts = json.dumps([self.kind, self.lowercase, self.pieces]).encode()
        return hashlib.blake2b(facts + self._model, digest_size=16).hexdigest()

    def encode(self, lines: Sequence[str], end: bool = True) -> np.ndarray:
        """Return the int32 ids of lines, each with `<eos>` behind it unless `end` is false."""
        if self.lowercase:
            lines = [line.lower() for line in lines]
        last = [END] if end else []
        if self.kind == "words":
            between = f" {SPECIAL[END]} " if end else " "
            words = between.join([*lines, *[""] * end]).split()  # faster all at once
            found: Iterable[int] = map(self._ids.get, words, repeat(UNKNOWN))
        elif self.kind == "characters":
            get = self._ids.get
            found = chain.from_iterable(
                [*[get(character, UNKNOWN) for character in line], *last] for line in lines
            )
        else:
            found = chain.from_iterable([*ids, *last] for ids in self._subwords(lines))
        return np.fromiter(found, np.int32)

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
        for each in ids:
            if each == END:
                rows.append([])
            else:
                rows[-1].append(int(each))
        return "\n".join(map(self._line, rows))

    def continued(self, prompt: str, ids: Sequence[int]) -> str:
        """Return a prompt with the text of ids behind it."""
        found = self.decode(ids)
        apart = self.kind == "words" or (
            self.kind == "sentencepiece" and bool(ids) and self.pieces[ids[0]].startswith("▁")
        )
        blank = " " if apart and prompt and not prompt[-1].isspace() and found[:1] != "\n" else ""
        return prompt + blank + found

    def save(self, folder: Path) -> None:
        """Write `vocabulary.json` into a folder.

        Raises:
            ZooError: it cannot be written.
        """
        write_json(
            Path(folder) / "vocabulary.json",
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
        pieces = [self.pieces[each] for each in ids]
        return (" " if self.kind == "words" else "").join(pieces)


def learn_vocabulary(
    kind: str, lines: Iterable[str], *, vocabulary_size: int, lowercase: bool
) -> Vocabulary:
    """Learn a vocabulary from the lines of a corpus.

    Words and characters are taken by frequency (ties in code point order).

    Args:
        kind: `words`, `sentencepiece` or `characters`.
        lines: read once.
        vocabulary_size: most ids, `<eos>` and `<unk>` included.
        lowercase: whether case is folded.

    Raises:
        ZooError: the kind is unknown, the size is below 4, or there is nothing but blanks.
    """
    if kind not in KINDS:
        raise unknown("tokenizer", kind, KINDS)
    if vocabulary_size < 4:
        raise ZooError(f"`vocabulary_size` must be at least 4. Received: {vocabulary_size}.")
    if kind == "sentencepiece":
        known = (SPECIALS.sub(" ", line) for line in lines)
        model = learn_sentencepiece(known, vocabulary_size=vocabulary_size, lowercase=lowercase)
        return Vocabulary(kind, lowercase=lowercase, pieces=list(_pieces(model)), model=model)
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
    by_frequency = sorted(counts, key=lambda piece: (-counts[piece], piece))
    pieces = [*SPECIAL, *by_frequency[: vocabulary_size - 2]]
    return Vocabulary(kind, lowercase=lowercase, pieces=pieces)


def load_vocabulary(folder: Path) -> Vocabulary:
    """Read what `Vocabulary.save` wrote.

    Raises:
        ZooError: the file is missing, or was changed after it was written.
    """
    path = Path(folder) / "vocabulary.json"
    facts: Any = read_json(path)
    try:
        found = Vocabulary(
            facts["kind"],
            lowercase=bool(facts["lowercase"]),
            pieces=facts["pieces"],
            model=bytes.fromhex(facts["model"]),
        )
        if found.digest != facts["digest"]:
            raise ZooError("was changed after it was written.")
    except (KeyError, TypeError, ValueError, RuntimeError, ZooError) as error:
        raise ZooError(f"{path}: is damaged: {error} Copy the folder again.") from error
    return found


def _pieces(model: bytes) -> Iterator[str]:
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    yield from SPECIAL
    for index in range(2, len(processor)):
        yield processor.id_to_piece(index)
