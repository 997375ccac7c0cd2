"""Vocabularies of language models: ids and back, as the published corpora are written."""

import json

import numpy as np
import pytest

from zoo import ZooError
from zoo.text.corpus_tokenizer import CorpusTokenizer, learn_corpus_tokenizer, load_corpus_tokenizer

LINES = ["the cat sat", "the <unk> sat on N mats", "", "the cat"]


@pytest.mark.parametrize("kind", ["words", "characters", "sentencepiece"])
def test_saved_and_loaded_it_gives_the_same_ids(kind, tmp_path) -> None:
    lines = LINES * 20
    vocabulary = learn_corpus_tokenizer(kind, lines, vocabulary_size=60, lowercase=False)
    vocabulary.save(tmp_path)
    loaded = load_corpus_tokenizer(tmp_path)
    assert loaded.pieces[:2] == ["<eos>", "<unk>"]
    assert (loaded.digest, loaded.vocabulary_size) == (
        vocabulary.digest,
        vocabulary.vocabulary_size,
    )
    np.testing.assert_array_equal(loaded.encode(LINES), vocabulary.encode(LINES))
    assert loaded.decode(loaded.encode(["the cat sat"])[:-1]) == "the cat sat"
    assert loaded.encode(["", ""]).tolist() == [0, 0]


def test_words_are_taken_by_frequency_and_lines_end() -> None:
    vocabulary = learn_corpus_tokenizer("words", LINES, vocabulary_size=5, lowercase=False)
    assert vocabulary.pieces == ["<eos>", "<unk>", "the", "cat", "sat"]
    ids = vocabulary.encode(LINES)
    assert ids.tolist() == [2, 3, 4, 0, 2, 1, 4, 1, 1, 1, 0, 0, 2, 3, 0]
    assert ids.dtype == np.int32
    assert vocabulary.decode(ids) == "the cat sat\nthe <unk> sat <unk> <unk> <unk>\n\nthe cat\n"


def test_case_is_folded_when_asked() -> None:
    vocabulary = learn_corpus_tokenizer("words", ["The the THE"], vocabulary_size=9, lowercase=True)
    assert vocabulary.pieces[2:] == ["the"]
    assert vocabulary.encode(["tHe"]).tolist() == [2, 0]


def test_characters_keep_everything() -> None:
    vocabulary = learn_corpus_tokenizer(
        "characters", ["a  b", "b!"], vocabulary_size=99, lowercase=False
    )
    assert sorted(vocabulary.pieces[2:]) == [" ", "!", "a", "b"]
    assert vocabulary.decode(vocabulary.encode(["a  b", "b!?"])) == "a  b\nb!<unk>\n"


@pytest.mark.parametrize(
    ("kind", "prompt", "text", "expected"),
    [
        ("words", "the cat", "sat", "the cat sat"),
        ("words", "the cat\n", "sat", "the cat\nsat"),
        ("words", "", "sat", "sat"),
        ("characters", "ca", "t", "cat"),
        ("sentencepiece", "the", " cat", "the cat"),
    ],
)
def test_a_prompt_is_continued(kind, prompt, text, expected) -> None:
    vocabulary = learn_corpus_tokenizer(kind, LINES * 20, vocabulary_size=60, lowercase=False)
    ids = vocabulary.encode([text])[:-1].tolist()
    if kind == "sentencepiece":
        ids = vocabulary.encode([text.strip()])[:-1].tolist()
    assert vocabulary.continue_text(prompt, ids) == expected
    assert vocabulary.continue_text("the", [0]) == "the\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "letters"}, "unknown tokenizer 'letters'"),
        ({"vocabulary_size": 3}, "at least 4. Received: 3"),
        ({"lines": ["", "  "]}, "every line is empty or blank"),
    ],
)
def test_what_cannot_be_learned_is_told(arguments, message) -> None:
    given = {"kind": "words", "lines": LINES, "vocabulary_size": 9} | arguments
    with pytest.raises(ZooError, match=message):
        learn_corpus_tokenizer(
            given["kind"], given["lines"], vocabulary_size=given["vocabulary_size"], lowercase=False
        )


@pytest.mark.parametrize("change", [{"pieces": ["a", "b"]}, {"digest": "0"}, {"kind": 3}])
def test_a_changed_file_is_refused(change, tmp_path) -> None:
    learn_corpus_tokenizer("words", LINES, vocabulary_size=9, lowercase=False).save(tmp_path)
    path = tmp_path / "vocabulary.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ZooError, match=r"vocabulary\.json: is damaged"):
        load_corpus_tokenizer(tmp_path)
    path.unlink()
    with pytest.raises(ZooError, match="cannot be read"):
        load_corpus_tokenizer(tmp_path)


def test_pieces_must_begin_with_the_marks() -> None:
    with pytest.raises(ZooError, match="<eos>, <unk>"):
        CorpusTokenizer("words", lowercase=False, pieces=["a", "b"])


def test_subwords_take_the_unknown_word_of_a_corpus_for_what_it_says() -> None:
    lines = ["the <unk> sat", "cats, <unk><unk> and <unk>", "no more"]
    vocabulary = learn_corpus_tokenizer(
        "sentencepiece", lines * 20, vocabulary_size=60, lowercase=True
    )
    assert not {"<", ">", "<u", "▁<"} & set(vocabulary.pieces)
    ids = vocabulary.encode(lines)
    assert (ids == 1).sum() == 4
    plain = vocabulary.encode([line.replace("<unk>", "") for line in lines])
    np.testing.assert_array_equal(ids[ids != 1], plain)
