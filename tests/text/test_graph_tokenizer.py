"""Tokenizers: what they split, what they learn, where they run, and what they refuse."""

import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sentencepiece
import tensorflow as tf

from zoo.errors import ZooError
from zoo.text import graph_tokenizer, sampling, subwords, tokenizer_files
from zoo.text.graph_tokenizer import GraphTokenizer, learn_tokenizer
from zoo.text.sampling import sample_texts
from zoo.text.splitting import normalize, split_words
from zoo.text.tokenizers import load_tokenizer
from zoo.text.vocabulary import KINDS

TEXTS = [
    "A great film, and it's moving!",
    "the story was dull",
    "don't see the film",
    "电影 很 好看",
    "naïve Ｃafé 1930s",
] * 3


def learn(kind: str, texts=TEXTS, vocabulary_size: int = 300, lowercase: bool = True, **options):
    return learn_tokenizer(
        kind, texts, vocabulary_size=vocabulary_size, lowercase=lowercase, **options
    )


def read(tokenizer: GraphTokenizer, text: str) -> list[str]:
    """The pieces of one text."""
    pieces = tokenizer.pieces
    return [pieces[index] for index in tokenizer(tf.constant([text])).to_list()[0]]


def words(text: str, lowercase: bool = False) -> list[str]:
    split = split_words(normalize(tf.constant([text]), lowercase))
    return [word.decode() for word in split.to_list()[0]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It's good, don't!", "It 's good , do n't !"),
        ("does n't it 's", "does n't it 's"),  # already split, as MR and SST are
        ("they’re we'll I'd", "they 're we 'll I 'd"),
        ("'so what'", "' so what '"),
        ("(re-imagining) 3.5 1930s", "( re - imagining ) 3 . 5 1930s"),
        ("wow!!! 😀😀", "wow ! ! ! 😀 😀"),
        ("電影hello好看", "電 影 hello 好 看"),
        ("Москва, naïve", "Москва , naïve"),
        ("a\u00a0b\u2028c\td", "a b c d"),
        ("so\u00adft", "soft"),
        (" \u3000 ", ""),
    ],
)
def test_words_are_split_at_blanks_and_punctuation(text: str, expected: str) -> None:
    assert words(text) == expected.split()


def test_normalization_is_nfkc_and_case_folds_on_demand() -> None:
    assert words("Ｃafé ﬁlm STRASSE Straße", lowercase=False) == [
        "Café",
        "film",
        "STRASSE",
        "Straße",
    ]
    assert words("Ｃafé ﬁlm STRASSE Straße", lowercase=True) == [
        "café",
        "film",
        "strasse",
        "strasse",
    ]


@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_ids_are_int32_rows_of_at_least_one(kind: str, lowercase: bool) -> None:
    tokenizer = learn(kind, lowercase=lowercase)
    ids = tokenizer(tf.constant(["A great film", "", "  \u3000\t", "Ж", "<pad> <unk>"]))
    assert ids.dtype == tf.int32
    rows = ids.to_list()
    assert all(rows) and min(min(row) for row in rows) >= 1
    assert max(max(row) for row in rows) < tokenizer.vocabulary_size
    assert rows[1] == rows[2] == [1]
    assert 1 in rows[3]
    assert tokenizer.pieces[:2] == ["<pad>", "<unk>"]
    assert len(tokenizer.pieces) == tokenizer.vocabulary_size == len(set(tokenizer.pieces))


@pytest.mark.parametrize("kind", KINDS)
def test_case_matters_only_when_asked(kind: str) -> None:
    both = tf.constant(["THE STORY", "the story"])
    upper, lower = learn(kind)(both).to_list()
    assert upper == lower
    upper, lower = learn(kind, lowercase=False)(both).to_list()
    assert upper != lower


def test_what_each_kind_makes_of_a_text() -> None:
    assert read(learn("words"), "Don't see the FILM!") == ["do", "n't", "see", "the", "film", "!"]
    assert read(learn("words"), "see zebras") == ["see", "<unk>"]
    assert read(learn("characters"), " 好看 \n Film") == [*"好看 film"]
    assert "".join(read(learn("sentencepiece"), "The  Film")) == "▁the▁film"


def test_vocabulary_is_by_frequency_then_by_code_point() -> None:
    texts = ["b b b a a c c d", "z"]
    assert learn("words", texts).pieces[2:] == ["b", "a", "c", "d", "z"]
    assert learn("words", texts, 4).pieces[2:] == ["b", "a"]
    assert learn("characters", ["bbb aa cc d"]).pieces[2:] == [" ", "b", "a", "c", "d"]
    assert learn("characters", ["bbb aa cc d"], 5).pieces[2:] == [" ", "b", "a"]


@pytest.mark.parametrize("kind", KINDS)
def test_encode_dense_cuts_and_pads_at_the_right(kind: str) -> None:
    tokenizer = learn(kind)
    texts = tf.constant(["the story was dull", "a", ""])
    ragged = tokenizer(texts).to_list()
    dense = tokenizer.encode_dense(texts, 3)
    assert dense.dtype == tf.int32 and dense.shape == (3, 3)
    for row, ids in zip(dense.numpy().tolist(), ragged, strict=True):
        assert row == [*ids, 0, 0, 0][:3]
    assert tokenizer.encode_dense(tf.constant([], tf.string), 3).shape[0] == 0


@pytest.mark.parametrize("kind", KINDS)
def test_same_ids_in_tf_data(kind: str) -> None:
    tokenizer = learn(kind)
    texts = [*TEXTS[:5], ""]
    dataset = tf.data.Dataset.from_tensor_slices(texts).batch(4).map(tokenizer)
    assert [row for batch in dataset for row in batch.to_list()] == tokenizer(texts).to_list()


SERVE = """
import json, sys
import tensorflow as tf
import tensorflow_text
texts = json.loads(sys.argv[2])
print(json.dumps({
    kind: tf.saved_model.load(f"{sys.argv[1]}/{kind}").serve(tf.constant(texts)).numpy().tolist()
    for kind in ("sentencepiece", "words", "characters")
}))
assert not [name for name in sys.modules if name.split(".")[0] in ("zoo", "sentencepiece")]
"""


class Serving(tf.Module):
    def __init__(self, tokenizer: GraphTokenizer):
        super().__init__()
        self.tokenizer = tokenizer

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def serve(self, texts: tf.Tensor) -> tf.Tensor:
        return self.tokenizer.encode_dense(texts, 20)


def test_the_exported_graph_gives_the_same_ids_without_the_zoo(tmp_path: Path) -> None:
    texts = [*TEXTS[:5], "", "ЖЖ don’t 😀", "a b " * 50]
    expected = {}
    for kind in KINDS:
        tokenizer = learn(kind)
        tf.saved_model.save(Serving(tokenizer), str(tmp_path / kind))
        expected[kind] = tokenizer.encode_dense(tf.constant(texts), 20).numpy().tolist()
    done = subprocess.run(
        [sys.executable, "-c", SERVE, str(tmp_path), json.dumps(texts)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_that_are_not_utf8_do_no_harm(kind: str) -> None:
    assert all(learn(kind)(tf.constant([b"\xff\xfe film", b"\xc3"])).to_list())


@pytest.mark.parametrize("kind", KINDS)
def test_saved_and_loaded_is_the_same(kind: str, tmp_path: Path) -> None:
    tokenizer = learn(kind, lowercase=False)
    tokenizer.save(tmp_path / "tokenizer")
    loaded = load_tokenizer(tmp_path / "tokenizer")
    assert (loaded.kind, loaded.lowercase) == (kind, False)
    assert loaded.pieces == tokenizer.pieces
    assert loaded(TEXTS).to_list() == tokenizer(TEXTS).to_list()


@pytest.mark.parametrize("kind", KINDS)
def test_same_texts_and_seed_give_the_same_bytes(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph_tokenizer, "SAMPLE_TEXTS", 40)  # so that the seed matters
    texts = [f"word{index} is number {index * 7919}" for index in range(200)]
    for name, seed in [("a", 1), ("b", 1), ("c", 2)]:
        learn(kind, texts, seed=seed).save(tmp_path / name)
    contents = [
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in "abc"
    ]
    assert contents[0] == contents[1]
    assert kind == "characters" or contents[0] != contents[2]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "texts",
    [
        ["hello"],
        ["a"],
        ["123 456", "7"],
        ["😀😀", "🎉"],
        ["", "one", "  ", ""],
        ["<unk> <pad> x"],
        ["a\x00b\tc\u2581d\u2585e"],
        ["e\u0301", "\U00020bb7"],
        ["a" * 15_000],
        ["so long " * 5_000],
        [chr(0x4E00 + index) for index in range(3000)],
    ],
    ids=lambda texts: ascii(texts[0][:12]),
)
def test_tiny_and_odd_texts_are_learned(kind: str, texts: list[str]) -> None:
    for size in (4, 1000):
        tokenizer = learn(kind, texts, size)
        assert 3 <= tokenizer.vocabulary_size <= size
        assert any(set(row) - {1} for row in tokenizer(texts).to_list())


def test_sentencepiece_learns_the_worst_input_in_seconds() -> None:
    # Titles without a space: every one is a new word, and nothing repeats.
    texts = [
        "".join(chr(0x4E00 + (index * 31 + k * k) % 900) for k in range(200))
        for index in range(20_000)
    ]
    start = time.process_time()
    learn("sentencepiece", texts, 4000)
    assert time.process_time() - start < 15  # 3 s on a quiet core


def test_sentencepiece_reads_a_bounded_part(monkeypatch: pytest.MonkeyPatch) -> None:
    words = [f"w{index}" for index in range(1000)]
    monkeypatch.setattr(subwords, "DISTINCT_CHARACTERS", 100)
    assert len(list(subwords._sentences(iter(words), True))) < 40
    monkeypatch.setattr(subwords, "ALL_CHARACTERS", 100)
    assert len(list(subwords._sentences(iter(["same text"] * 1000), True))) == 12
    long = list(subwords._sentences(["a " * 1500], True))
    assert max(map(len, long)) <= subwords.SENTENCE and len(long) == 1


def test_alphabet_covers_nearly_everything_and_fits() -> None:
    common = ["".join(chr(0x4E00 + n) for n in range(600))] * 20
    pieces = "".join(learn("sentencepiece", [*common, "龘"], 1000).pieces)
    assert "一" in pieces and "龘" not in pieces  # 1 in 12,001 characters, under 0.05 %
    small = "".join(learn("sentencepiece", ["一二三", "龘"] * 2 + ["一二三"] * 5000, 100).pieces)
    assert "龘" in small  # a small alphabet is covered whole
    assert "龘" in learn("sentencepiece", ["一二三", "龘"], 100).pieces
    few = learn("sentencepiece", [chr(0x4E00 + index) for index in range(500)], 50)
    assert few.vocabulary_size == 50


def test_sample_is_uniform_bounded_and_seeded() -> None:
    texts = [str(index) for index in range(1000)]
    options = {"count": 100, "characters": 10**6, "longest": 10}
    sample = sample_texts(iter(texts), **options)
    assert len(set(sample)) == 100
    assert sample == sample_texts(texts, **options) != sample_texts(texts, **options, seed=1)
    assert 400 < sum(map(int, sample)) / 100 < 600
    small = sample_texts(["x" * 50] * 1000, count=1000, characters=500, longest=20)
    assert len(small) == 25 and set(small) == {"x" * 20}
    assert sorted(sample_texts(["b", "", " ", "a"], **options)) == ["a", "b"]
    assert sampling.sample_texts(["x" * 9], count=5, characters=3, longest=9) == ["x" * 9]


def test_uncovered_characters_are_counted() -> None:
    texts = ["the film Ж", "ЖЖ ☃ the"]
    for kind in KINDS:
        assert learn(kind).unknown_characters(texts) == {"Ж": 3, "☃": 1}
        assert learn(kind).unknown_characters(TEXTS) == {}
        assert learn(kind).unknown_characters(["", " "]) == {}
    upper = learn("characters", ["abc"], lowercase=False)
    assert upper.unknown_characters(["ABc"]) == {"A": 1, "B": 1}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("texts", [[], [""], ["", " \t", "\u3000"]])
def test_texts_without_a_character_are_refused(kind: str, texts: list[str]) -> None:
    with pytest.raises(ZooError, match="every text is empty"):
        learn(kind, texts)


@pytest.mark.parametrize("kind", KINDS)
def test_texts_that_show_nothing_are_refused(kind: str) -> None:
    with pytest.raises(ZooError, match="every text is empty"):
        learn(kind, ["\u200b", "\x00"] if kind != "sentencepiece" else ["\u200b", "\u2585"])


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ZooError, match=r"unknown tokenizer 'word'. Did you mean 'words'\?"):
        learn("word")
    with pytest.raises(ZooError, match="unknown tokenizer 'bpe'"):
        GraphTokenizer("bpe", lowercase=True, content=b"")
    with pytest.raises(ZooError, match=r"`vocabulary_size` must be at least 4. Received: 3"):
        learn("words", vocabulary_size=3)
    with pytest.raises(ZooError, match="text number 1 is not a string but NoneType"):
        learn("words", ["a", None])
    with pytest.raises(ZooError, match="text number 0 is not valid Unicode"):
        learn("words", ["a\ud800"])


def test_sentencepiece_that_fails_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subwords, "SENTENCE", -1)  # a maximal length that the library refuses
    with pytest.raises(ZooError, match="cannot be learned from these texts"):
        subwords._train(["a b"], 10, True)


@pytest.mark.parametrize("kind", KINDS)
def test_missing_and_corrupt_files_are_refused(kind: str, tmp_path: Path) -> None:
    with pytest.raises(ZooError, match=r"tokenizer\.json: cannot be read"):
        load_tokenizer(tmp_path)
    learn(kind).save(tmp_path)
    model = tmp_path / graph_tokenizer.FILES[kind]
    content = model.read_bytes()
    for broken in (b"", content[: len(content) // 2], content + b"x", b"\x80\x04pickle"):
        model.write_bytes(broken)
        with pytest.raises(ZooError, match=f"{model.name}: is corrupt"):
            load_tokenizer(tmp_path)
    model.unlink()
    with pytest.raises(ZooError, match=f"{model.name}: cannot be read"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ("{", "is not a JSON document"),
        ("[]", "is not a tokenizer: `kind` must be one of"),
        ("{}", "is not a tokenizer: `kind` must be one of"),
        ('{"kind": ["words"]}', "is not a tokenizer: `kind` must be one of"),
        ('{"kind": "words"}', "`lowercase` must be true or false"),
    ],
)
def test_wrong_facts_are_refused(facts: str, message: str, tmp_path: Path) -> None:
    learn("words").save(tmp_path)
    (tmp_path / "tokenizer.json").write_text(facts)
    with pytest.raises(ZooError, match=message):
        load_tokenizer(tmp_path)


def test_a_file_name_in_the_facts_leads_nowhere(tmp_path: Path) -> None:
    learn("words").save(tmp_path / "a")
    path = tmp_path / "a" / "tokenizer.json"
    path.write_text(path.read_text().replace("vocabulary.txt", "../../secret"))
    assert load_tokenizer(tmp_path / "a").kind == "words"


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        ("sentencepiece", b"", "is not a sentencepiece model: it holds no pieces"),
        ("sentencepiece", b"\x80\x04\x95cos\nsystem\n", "is not a sentencepiece model"),
        ("sentencepiece", b"\n\x07\n\x05<pad\xff", "is not a sentencepiece model"),
        ("words", b"\xff\xfe", "not UTF-8 at byte 0"),
        ("words", b"a\nb\nc", "must begin with <pad> and <unk>"),
        ("words", b"<pad>\n<unk>", "must begin with <pad> and <unk>"),
        ("words", b"<pad>\n<unk>\na\na", "a piece is empty or there twice"),
        ("words", b"<pad>\n<unk>\na\n", "a piece is empty or there twice"),
        ("characters", b"<pad>\n<unk>\nab", "more than one character"),
    ],
)
def test_hostile_content_with_a_right_checksum_is_refused(
    kind: str, content: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / graph_tokenizer.FILES[kind]).write_bytes(content)
    facts = {"kind": kind, "lowercase": True, "sha256": hashlib.sha256(content).hexdigest()}
    (tmp_path / "tokenizer.json").write_text(json.dumps(facts))
    with pytest.raises(ZooError, match=message) as error:
        load_tokenizer(tmp_path)
    assert str(tmp_path) in str(error.value)


def test_a_sentencepiece_model_with_other_ids_is_refused(tmp_path: Path) -> None:
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["a b c d e f"]),
        model_prefix=str(tmp_path / "other"),
        vocab_size=12,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    with pytest.raises(ZooError, match=r"padding must be 0 and unknown 1. Received: -1 and 0"):
        GraphTokenizer(
            "sentencepiece", lowercase=True, content=(tmp_path / "other.model").read_bytes()
        )


def test_a_giant_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learn("words").save(tmp_path)
    monkeypatch.setattr(tokenizer_files, "LARGEST_FILE", 10)
    with pytest.raises(ZooError, match="larger than any tokenizer"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_only_what_is_read_of_a_long_text_is_tokenized(kind: str) -> None:
    """A run of a million characters that sentencepiece does not know would take a minute."""
    tokenizer = learn(kind)
    started = time.perf_counter()
    rows = tokenizer.encode(
        tf.constant(["the story " + "\u2603" * 1_000_000, "dull"]), 256
    ).to_list()
    assert time.perf_counter() - started < 5
    assert rows[0][:2] == tokenizer(["the story"]).to_list()[0][:2]
    assert len(rows[0]) <= 256
    # Ordinary texts, however long, give what they gave.
    long = " ".join(TEXTS * 400)
    assert (
        tokenizer.encode(tf.constant([long]), 256).to_list()[0]
        == (tokenizer([long]).to_list()[0][:256])
    )


@pytest.mark.parametrize("kind", KINDS)
def test_tokens_are_counted_in_pieces_of_long_texts(kind: str) -> None:
    tokenizer = learn(kind)
    texts = ["the story", "", "the story was dull " * 5000, "a"]
    lengths = [len(row) for row in tokenizer(texts).to_list()]
    counted = tokenizer.count(texts)
    assert counted[[0, 1, 3]].tolist() == [lengths[0], 1, lengths[3]]
    assert abs(counted[2] - lengths[2]) <= 95_000 // 16_384 + 1
    started = time.perf_counter()
    tokenizer.count(["\u2603" * 1_000_000])
    assert time.perf_counter() - started < 5
