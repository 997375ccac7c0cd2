"""Tokenizers of pretrained weights: the ids of BERT, XLM-R and RoBERTa, in the graph."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from zoo.errors import ZooError
from zoo.text.byte_pairs import BytePairs, byte_characters
from zoo.text.pair_tokenizer import PairTokenizer
from zoo.text.pretrained_tokenizer import Marks, PretrainedTokenizer, byte_pair_content
from zoo.text.tokenizers import load_text_tokenizer
from zoo.text.unigram import unigram_model

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "film", "##s", "a", "great", "##er", "電"]
WORDS += [".", "cafe", "οδοσ", "!", "b", "c", "d"]
UNIGRAMS = [("<pad>", 0.0), ("<s>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁a", -1.0)]
UNIGRAMS += [("▁film", -2.0), ("s", -3.0), ("▁", -4.0), ("f", -5.0), ("好", -2.0), ("<mask>", 0.0)]
BYTES = ["<pad>", "<s>", "</s>", "<unk>", *byte_characters(), "fi", "lm", "film", "Ġfilm", "Ġa"]
MERGES = [("f", "i"), ("l", "m"), ("fi", "lm"), ("Ġ", "film"), ("Ġ", "a")]


def wordpiece(lowercase: bool = True) -> PretrainedTokenizer:
    content = "\n".join(WORDS).encode()
    return PretrainedTokenizer(
        "wordpiece", lowercase=lowercase, content=content, marks=Marks(2, 3, 1, 4)
    )


def unigram() -> PretrainedTokenizer:
    content = unigram_model(UNIGRAMS, unknown=3, control=[0, 1, 2, 10])
    marks = Marks(1, 2, 3, 10, doubled=True)
    return PretrainedTokenizer("sentencepiece", lowercase=False, content=content, marks=marks)


def byte_pairs() -> PretrainedTokenizer:
    content = byte_pair_content(BYTES, MERGES)
    marks = Marks(1, 2, 3, None, doubled=True)
    return PretrainedTokenizer("byte-pairs", lowercase=False, content=content, marks=marks)


KINDS = {"wordpiece": wordpiece, "sentencepiece": unigram, "byte-pairs": byte_pairs}


def read(tokenizer: PretrainedTokenizer, text: str) -> list[str]:
    """The pieces of one text, without those that begin and end it."""
    (ids,) = tokenizer(tf.constant([text])).to_list()
    assert (ids[0], ids[-1]) == (tokenizer.marks.start, tokenizer.marks.end)
    return [tokenizer.pieces[index] for index in ids[1:-1]]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("A great film.", ["a", "great", "film", "."]),
        ("greater films", ["great", "##er", "film", "##s"]),
        ("CAFÉ cafe\u0301", ["cafe", "cafe"]),
        ("ΟΔΟΣ", ["οδοσ"]),  # no final sigma, as BERT's character by character folding has none
        ("電film電", ["電", "film", "電"]),
        ("fi\u00adlm\u200b\x00 a\u3000a\ta", ["film", "a", "a", "a"]),
        ("filmed", ["[UNK]"]),
        ("a…!", ["a", "[UNK]", "!"]),
        ("[CLS]", ["[UNK]", "[UNK]", "[UNK]"]),  # a text holds no special token
        (" \n", []),
    ],
)
def test_wordpiece_splits_as_bert_does(text: str, pieces: list[str]) -> None:
    assert read(wordpiece(), text) == pieces


def test_a_cased_vocabulary_keeps_case_and_accents() -> None:
    assert read(wordpiece(lowercase=False), "A cafe\u0301 film") == ["[UNK]", "[UNK]", "film"]


def test_unigrams_are_those_of_greatest_probability_under_the_given_ids() -> None:
    assert read(unigram(), "a  film films 好") == ["▁a", "▁film", "▁film", "s", "▁", "好"]
    assert read(unigram(), "ａ Q") == ["▁a", "▁", "<unk>"]  # Unicode NFKC


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("film a film", ["film", "Ġa", "Ġfilm"]),
        ("film  a", ["film", "Ġ", "Ġa"]),
        ("film\n a", ["film", "Ċ", "Ġa"]),
        ("a \n\n", ["a", "Ġ", "Ċ", "Ċ"]),
        ("filmfilm film's", ["film", "film", "Ġfilm", "'", "s"]),
        ("a\u00a0\u3000a", ["a", "Â", "ł", "ã", "Ģ", "Ģ", "a"]),
        ("é", ["Ã", "©"]),
        ("film\x00 a", ["film", "Ġa"]),  # a NUL does not end the text
        ("", []),
    ],
)
def test_byte_pairs_are_merged_in_the_order_they_were_learned(text: str, pieces: list[str]) -> None:
    assert read(byte_pairs(), text) == pieces


def test_a_pair_that_overlaps_itself_is_merged_from_the_left() -> None:
    ids = {piece: index for index, piece in enumerate([*byte_characters(), "aa", "aaaa"])}
    words = BytePairs(ids, [("a", "a"), ("aa", "aa")])
    expected = [[ids["aaaa"], ids["aa"], ids["a"]], [ids["b"], ids["aa"], ids["b"], ids["aa"]]]
    assert words(tf.constant(["a" * 7, "baabaa"])).to_list() == expected
    longest = words(tf.constant(["a" * 400, "a"])).to_list()
    assert longest == [[ids["aaaa"]] * 100, [ids["a"]]]


@pytest.mark.parametrize("kind", KINDS)
def test_truncation_keeps_the_end(kind: str) -> None:
    tokenizer = KINDS[kind]()
    marks = tokenizer.marks
    whole = tokenizer(tf.constant(["a a a a a", ""])).to_list()
    cut = tokenizer.encode(tf.constant(["a a a a a", ""]), 4).to_list()
    assert cut == [[*whole[0][:3], marks.end], [marks.start, marks.end]]
    dense = tokenizer.encode_dense(tf.constant(["a a", ""]), 4).numpy()
    assert (dense[1] == [marks.start, marks.end, 0, 0]).all()
    with pytest.raises(ZooError, match="`max_length` must be more than 2, .* Received: 2"):
        tokenizer.encode(tf.constant(["a"]), 2)


@pytest.mark.parametrize(
    ("first", "second", "max_length", "expected"),
    [
        ("a b", "c", 10, "[CLS] a b [SEP] c [SEP]"),
        ("a b c d", "d", 7, "[CLS] a b c [SEP] d [SEP]"),
        ("a", "a b c d", 7, "[CLS] a [SEP] a b c [SEP]"),
        ("a b c d", "d c b a", 8, "[CLS] a b [SEP] d c b [SEP]"),
        ("a b c d", "d c b", 8, "[CLS] a b c [SEP] d c [SEP]"),
        ("", "", 5, "[CLS] [SEP] [SEP]"),
    ],
)
def test_of_a_pair_the_longer_text_is_cut(
    first: str, second: str, max_length: int, expected: str
) -> None:
    tokenizer = wordpiece()
    (ids,) = tokenizer.encode_pairs(
        tf.constant([first]), tf.constant([second]), max_length
    ).to_list()
    assert " ".join(tokenizer.pieces[index] for index in ids) == expected


def test_two_ends_stand_between_the_texts_of_a_pair_where_the_model_has_it_so() -> None:
    pairs = unigram().encode_pairs(tf.constant(["a", "a"]), tf.constant(["s", "a a a a"]), 7)
    assert pairs.to_list() == [[1, 4, 2, 2, 7, 6, 2], [1, 4, 2, 2, 4, 4, 2]]
    with pytest.raises(ZooError, match="more than 4, the special tokens"):
        unigram().encode_pairs(tf.constant(["a"]), tf.constant(["a"]), 4)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_saved_and_exported(kind: str, tmp_path: Path) -> None:
    tokenizer = KINDS[kind]()
    texts = tf.constant(["a film films 好 é", ""])
    expected = tokenizer(texts).to_list()
    tokenizer.save(tmp_path)
    loaded = load_text_tokenizer(tmp_path)
    assert loaded(texts).to_list() == expected
    assert (loaded.marks, loaded.kind) == (tokenizer.marks, kind)
    assert loaded.pieces == tokenizer.pieces and loaded.vocabulary_size == len(loaded.pieces)

    module = tf.Module()
    module.tokenizer = tokenizer
    module.serve = tf.function(
        lambda texts: tokenizer.encode_dense(texts, 8),
        input_signature=[tf.TensorSpec([None], tf.string)],
    )
    tf.saved_model.save(module, str(tmp_path / "served"))
    served = tf.saved_model.load(str(tmp_path / "served"))
    assert (served.serve(texts) == tokenizer.encode_dense(texts, 8)).numpy().all()


@pytest.mark.parametrize("kind", KINDS)
def test_it_survives_a_new_seed(kind: str) -> None:
    tokenizer = KINDS[kind]()
    expected = tokenizer(tf.constant(["a film"])).to_list()
    tf.random.set_seed(3)
    assert tokenizer(tf.constant(["a film"])).to_list() == expected


def test_what_a_text_has_is_counted() -> None:
    assert wordpiece().count(["a great film", ""]).tolist() == [5, 2]
    assert PairTokenizer(wordpiece()).count(["a great\x1efilm", ""]).tolist() == [6, 3]
    assert wordpiece().count([]).tolist() == PairTokenizer(wordpiece()).count([]).tolist() == []
    assert wordpiece().unknown_characters(["xx film é", "x 電\n"]) == {
        "x": 3, "f": 1, "i": 1, "l": 1, "m": 1, "é": 1
    }  # fmt: skip


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    wordpiece().save(tmp_path)
    (tmp_path / "vocabulary.txt").write_text("\n".join([*WORDS, "more"]))
    with pytest.raises(ZooError, match="is corrupt: it is not the file"):
        load_text_tokenizer(tmp_path)
    (tmp_path / "vocabulary.txt").unlink()
    with pytest.raises(ZooError, match="cannot be read"):
        load_text_tokenizer(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "wordpieces"}, "`kind` must be one of wordpiece, sentencepiece, byte-pairs"),
        ({"marks": {"start": 2}}, "is damaged"),
        ({"marks": {"start": 99, "end": 3, "unknown": 1}}, r"in \[1, 18\). Received: 99"),
    ],
)
def test_a_damaged_document_is_refused(change: dict, message: str, tmp_path: Path) -> None:
    wordpiece().save(tmp_path)
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ZooError, match=message):
        load_text_tokenizer(tmp_path)


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        ("wordpiece", b"[PAD]\n[UNK]\n\na", "a piece is empty or there twice"),
        ("wordpiece", b"\xff", "is no vocabulary"),
        ("sentencepiece", b"nothing", "is not a sentencepiece model"),
        ("sentencepiece", b"", "is not a sentencepiece model"),
        ("byte-pairs", b"{}", "is no vocabulary"),
        ("byte-pairs", byte_pair_content(["<pad>", "a"], []), "no piece for"),
        ("byte-pairs", byte_pair_content(BYTES, []), "it has no merges"),
        ("byte-pairs", byte_pair_content(BYTES, [("f", "i")] * 2), "or one of them twice"),
        ("byte-pairs", byte_pair_content(BYTES, [("f", "o")]), "'f o' makes a piece that"),
    ],
)
def test_other_contents_are_refused(kind: str, content: bytes, message: str) -> None:
    with pytest.raises(ZooError, match=message):
        PretrainedTokenizer(kind, lowercase=False, content=content, marks=Marks(1, 1, 1))


def test_an_old_protobuf_stands_in_the_way_of_new_unigrams_alone(tmp_path: Path) -> None:
    unigram().save(tmp_path)
    # In a process of its own: here it is loaded already. None in sys.modules is an ImportError.
    program = f"""
import sys
sys.modules["sentencepiece.sentencepiece_model_pb2"] = None
import zoo.starts.vocabularies
from zoo.text.tokenizers import load_text_tokenizer
from zoo.text.unigram import unigram_model
print(load_text_tokenizer({str(tmp_path)!r})(["a film"]).to_list())
unigram_model([("<unk>", 0.0)], unknown=0, control=[])
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.stdout.strip() == str(unigram()(tf.constant(["a film"])).to_list())
    assert "ZooError: this tokenizer needs a newer protobuf" in ended.stderr
    assert "pip install --upgrade protobuf" in ended.stderr
