"""The tokenizer of a Hugging Face folder: tokenizer.json, or the files that it was made from."""

from __future__ import annotations

import base64
import binascii
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import ZooError
from zoo.files import read_json
from zoo.text.pretrained_tokenizer import Marks, PretrainedTokenizer, byte_pair_content
from zoo.text.unigram import read_unigram, unigram_model

FILES = {  # as messages name them: the file that is looked for, the first that is there
    "tokenizer.json": "tokenizer.json",
    "vocab.txt": "vocab.txt",
    "sentencepiece.bpe.model": "sentencepiece.bpe.model",
    "merges.txt with vocab.json": "merges.txt",
}
BERT_MARKS = {
    "cls_token": "[CLS]", "sep_token": "[SEP]", "unk_token": "[UNK]", "pad_token": "[PAD]",
    "mask_token": "[MASK]",
}  # fmt: skip
ROBERTA_MARKS = {
    "cls_token": "<s>", "sep_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>",
    "mask_token": "<mask>",
}  # fmt: skip
MPNET_MARKS = ROBERTA_MARKS | {"unk_token": BERT_MARKS["unk_token"]}  # BERT's pieces lie between
# Of XLM-R's vocabulary, whose sentencepiece model has other ids: those of fairseq's dictionary.
FAIRSEQ = ("<s>", "<pad>", "</s>", "<unk>")


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """A vocabulary as its file has it.

    Args:
        kind: of `PretrainedTokenizer`.
        pieces: in the order of the file's ids; None for an id without a piece.
        lowercase: whether case is folded.
        marks: name of a special token, as `cls_token`, to its piece.
        scores: log probabilities of a unigram model.
        merges: of byte pairs.
        charsmap: compiled normalisation rule of a unigram model; None for NFKC.
    """

    kind: str
    pieces: Sequence[str]
    lowercase: bool
    marks: Mapping[str, str]
    scores: Sequence[float] = ()
    merges: Sequence[tuple[str, str]] = ()
    charsmap: bytes | None = None

    def tokenizer(self, where: Path) -> tuple[PretrainedTokenizer, np.ndarray]:
        """Return the tokenizer, and the file's id of each of the zoo's.

        Padding becomes id 0: the piece that has it changes places with padding.

        Args:
            where: the file, for messages.

        Raises:
            ZooError: a special token has no id, or the pieces are not what the kind asks for.
        """
        ids = {piece: index for index, piece in enumerate(self.pieces)}
        needed = {name: piece for name, piece in self.marks.items() if name != "mask_token"}
        absent = [f"{piece} ({name})" for name, piece in needed.items() if piece not in ids]
        if absent:
            raise ZooError(f"{where}: has no id for {', '.join(absent)}.")
        padding = ids[self.marks["pad_token"]]
        theirs = np.arange(len(self.pieces))
        theirs[[0, padding]] = theirs[[padding, 0]]
        own = {self.pieces[their]: index for index, their in enumerate(theirs.tolist())}
        marks = Marks(
            start=own[self.marks["cls_token"]],
            end=own[self.marks["sep_token"]],
            unknown=own[self.marks["unk_token"]],
            mask=own.get(self.marks.get("mask_token", "")),
            doubled=self.marks["sep_token"] == ROBERTA_MARKS["sep_token"],
        )
        try:
            content = self._content(theirs, marks)
            tokenizer = PretrainedTokenizer(
                self.kind, lowercase=self.lowercase, content=content, marks=marks
            )
        except (ZooError, UnicodeEncodeError) as error:  # half of a surrogate pair
            raise ZooError(f"{where}: {error}") from error
        return tokenizer, theirs

    def _content(self, theirs: np.ndarray, marks: Marks) -> bytes:
        pieces = [self.pieces[index] for index in theirs]
        if self.kind == "wordpiece":
            return "\n".join(pieces).encode()
        if self.kind == "byte-pairs":
            return byte_pair_content(pieces, self.merges)
        scores = [float(self.scores[index]) for index in theirs]
        control = {0, marks.start, marks.end, *([] if marks.mask is None else [marks.mask])}
        return unigram_model(
            list(zip(pieces, scores, strict=True)),
            unknown=marks.unknown,
            control=sorted(control),
            charsmap=self.charsmap,
        )


def read_vocabulary(folder: Path) -> tuple[Vocabulary, Path]:
    """Return the vocabulary of a folder, and the file it was read from.

    Raises:
        ZooError: there is none, or it is of a kind that is not read.
    """
    settings = _optional(folder / "tokenizer_config.json")
    file = next((folder / name for name in FILES.values() if (folder / name).is_file()), None)
    if file is None:
        raise ZooError(f"{folder}: has no vocabulary. One of {', '.join(FILES)} is needed.")
    try:
        return _from_file(file, settings), file
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise ZooError(f"{file}: is damaged or not a tokenizer: {error!r}.") from error


def _from_file(file: Path, settings: Mapping[str, Any]) -> Vocabulary:
    named = _marks(settings, file.parent / "tokenizer_config.json")
    if file.name == "tokenizer.json":
        return _from_tokenizer(read_json(file), named, file)
    if file.name == "vocab.txt":
        lowercase = bool(settings.get("do_lower_case", True))
        pieces = _text(file).removesuffix("\n").split("\n")
        return Vocabulary("wordpiece", pieces, lowercase, {**_wordpiece_marks(pieces), **named})
    if file.name == "sentencepiece.bpe.model":
        return _from_sentencepiece(file, ROBERTA_MARKS | named)
    vocabulary = file.parent / "vocab.json"
    lines = [line for line in _text(file).split("\n") if line and line[0:8] != "#version"]
    pairs = [_pair(line, file) for line in lines]
    pieces = _by_id(read_json(vocabulary), vocabulary)
    return Vocabulary("byte-pairs", pieces, False, ROBERTA_MARKS | named, merges=pairs)


def _marks(settings: Mapping[str, Any], path: Path) -> dict[str, str]:
    """Return the special tokens that a tokenizer_config.json names."""
    given: dict[str, Any] = {
        name: piece.get("content") if isinstance(piece, dict) else piece
        for name, piece in settings.items()
        if name in BERT_MARKS and piece
    }
    for name, piece in given.items():
        if not isinstance(piece, str):
            raise ZooError(f"{path}: '{name}' must be a string. Received: {settings[name]!r}.")
    return given


def _from_tokenizer(document: Any, named: dict[str, str], path: Path) -> Vocabulary:
    model = document["model"]
    kind = model.get("type") or ("BPE" if "merges" in model else "WordPiece")
    if kind == "WordPiece":
        return _wordpiece(document, named, path)
    if kind == "Unigram":
        return _unigram(document, named, path)
    if kind == "BPE":
        return _byte_pairs(document, named, path)
    raise ZooError(f"{path}: a {kind} model is not read. Accepted: WordPiece, Unigram, BPE.")


def _wordpiece_marks(pieces: Sequence[str]) -> Mapping[str, str]:
    """Return the special tokens that word pieces have where no file says it."""
    return MPNET_MARKS if pieces[0] == MPNET_MARKS["cls_token"] else BERT_MARKS


def _wordpiece(document: Any, named: dict[str, str], path: Path) -> Vocabulary:
    model, normalizer = document["model"], document.get("normalizer") or {}
    if normalizer.get("type") != "BertNormalizer" or not normalizer["handle_chinese_chars"]:
        raise ZooError(f"{path}: texts are not normalised as BERT does it: {normalizer}.")
    lowercase = bool(normalizer["lowercase"])
    if normalizer.get("strip_accents") not in (None, lowercase):
        raise ZooError(f"{path}: strip_accents that is not lowercase is not read.")
    if model.get("continuing_subword_prefix", "##") != "##":
        raise ZooError(f"{path}: pieces within a word must begin with ##.")
    pieces = _by_id(model["vocab"], path, document.get("added_tokens"))
    marks = {**_wordpiece_marks(pieces), "unk_token": str(model["unk_token"]), **named}
    return Vocabulary("wordpiece", pieces, lowercase, marks)


def _unigram(document: Any, named: dict[str, str], path: Path) -> Vocabulary:
    entries = document["model"]["vocab"]
    pieces, scores = [str(piece) for piece, _ in entries], [float(score) for _, score in entries]
    for token in document.get("added_tokens") or []:
        if token["content"] not in pieces and token["id"] == len(pieces):
            pieces.append(token["content"])
            scores.append(0.0)
    unknown = {"unk_token": pieces[document["model"]["unk_id"]]}
    normalizer = document.get("normalizer") or {}
    steps = normalizer.get("normalizers", [normalizer])
    kinds = {step.get("type") for step in steps}
    maps = [step["precompiled_charsmap"] for step in steps if step.get("type") == "Precompiled"]
    # Runs of blanks, and those at the end, are what sentencepiece itself takes away.
    others = kinds - {"Precompiled", "NFKC", "Replace", "Strip"}
    if others or not kinds & {"Precompiled", "NFKC"}:
        raise ZooError(f"{path}: texts are not normalised as sentencepiece does it: {normalizer}.")
    try:
        charsmap = base64.b64decode(maps[0], validate=True) if maps else None
    except binascii.Error as error:
        raise ZooError(f"{path}: precompiled_charsmap is damaged: {error}.") from error
    marks = ROBERTA_MARKS | unknown | named
    return Vocabulary("sentencepiece", pieces, False, marks, scores, charsmap=charsmap)


def _byte_pairs(document: Any, named: dict[str, str], path: Path) -> Vocabulary:
    model, splitter = document["model"], document.get("pre_tokenizer") or {}
    if splitter.get("type") != "ByteLevel" or document.get("normalizer"):
        raise ZooError(f"{path}: BPE is read where it is of bytes, as GPT-2 and RoBERTa have it.")
    if splitter.get("add_prefix_space"):
        raise ZooError(f"{path}: add_prefix_space is not read.")
    pieces = _by_id(model["vocab"], path, document.get("added_tokens"))
    merges = [
        _pair(pair, path) if isinstance(pair, str) else (str(pair[0]), str(pair[1]))
        for pair in model["merges"]
    ]
    return Vocabulary("byte-pairs", pieces, False, ROBERTA_MARKS | named, merges=merges)


def _from_sentencepiece(path: Path, marks: Mapping[str, str]) -> Vocabulary:
    """Return XLM-R's vocabulary: fairseq's four pieces, the model's, and the mask."""
    try:
        model = read_unigram(path.read_bytes())
    except OSError as error:
        raise ZooError(f"{path}: cannot be read: {error.strerror or error}.") from error
    except ZooError as error:
        raise ZooError(f"{path}: {error}") from error
    own = [(entry.piece, entry.score) for entry in model.pieces][3:]
    entries = [*((piece, 0.0) for piece in FAIRSEQ), *own, (marks["mask_token"], 0.0)]
    return Vocabulary(
        "sentencepiece",
        [piece for piece, _ in entries],
        False,
        marks,
        [score for _, score in entries],
        charsmap=model.normalizer_spec.precompiled_charsmap,
    )


def _by_id(vocabulary: Any, path: Path, added: Any = None) -> list[str]:
    """Return pieces in the order of their ids; an id without a piece has one no text holds."""
    ids = {str(piece): index for piece, index in vocabulary.items()}
    ids |= {token["content"]: token["id"] for token in added or []}
    if not ids or sorted(ids.values())[0] < 0 or max(ids.values()) > 2 * len(ids) + 1000:
        raise ZooError(f"{path}: ids of the vocabulary must be 0, 1, 2 and so on.")
    pieces = [f"<unused {index}>" for index in range(max(ids.values()) + 1)]
    for piece, index in ids.items():
        pieces[index] = piece
    return pieces


def _pair(line: str, path: Path) -> tuple[str, str]:
    left, blank, right = line.partition(" ")
    if not (left and blank and right):
        raise ZooError(f"{path}: '{line}' is no merge of two pieces.")
    return left, right


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ZooError(f"{path}: cannot be read: {error}.") from error


def _optional(path: Path) -> dict[str, Any]:
    document = read_json(path) if path.is_file() else {}
    if not isinstance(document, dict):
        raise ZooError(f"{path}: is damaged: an object was expected.")
    return document
