"""Encoders of Hugging Face folders against forward passes that NumPy computes."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from start_parts import (
    HEADS,
    LAYERS,
    POSITIONS,
    WIDTH,
    WORDS,
    bert_folder,
    four_bit_file,
    mean_of_tokens,
    roberta_folder,
    roberta_vocabulary,
    tensors,
    write_folder,
    xlmr_model,
)

import zoo
from zoo.builders import build
from zoo.errors import ZooError
from zoo.preset.loading import load_preset
from zoo.starts.four_bits import read_four_bits
from zoo.starts.initialise import initialise, with_start
from zoo.starts.resolve import resolve_start

TEXTS = ["the film was great", "films", "", "the story with actors and music 12"]
EXACT = {"dropout": 0.0, "attention_dropout": 0.0, "pooling": "mean"}


def features(folder: Path) -> keras.Model:
    model = zoo.transformer(init=folder, **EXACT)
    return keras.Model(model.input, model.get_layer("logits").input)


def file_ids(pieces: list[str], own: list[str], ids: list[int]) -> list[int]:
    """The file's ids of the zoo's."""
    return [pieces.index(own[index]) for index in ids]


@pytest.mark.parametrize(
    ("kind", "prefix"), [("bert", ""), ("bert", "bert."), ("distilbert", "distilbert.")]
)
def test_bert_gives_what_numpy_gives(kind: str, prefix: str, tmp_path: Path) -> None:
    folder = bert_folder(tmp_path / "start", kind, prefix)
    start = resolve_start(folder)
    assert start.values["architecture.num_segments"] == (2 if kind == "bert" else 0)
    ids = start.tokenizer.encode(tf.constant(TEXTS), POSITIONS)
    outputs = features(folder)(ids.to_tensor()).numpy()
    made = tensors(kind, len(WORDS))
    for row, output in zip(ids.to_list(), outputs, strict=True):  # padded rows among them
        np.testing.assert_allclose(output, mean_of_tokens(kind, made, row), atol=1e-5)


def test_the_second_text_of_a_pair_has_the_second_segment(tmp_path: Path) -> None:
    folder = bert_folder(tmp_path / "start")
    tokenizer = resolve_start(folder).tokenizer
    first, second = tf.constant(["the film", "a"]), tf.constant(["was great", "story with plot"])
    ids = tokenizer.encode_pairs(first, second, POSITIONS)
    outputs = features(folder)(ids.to_tensor()).numpy()
    made = tensors("bert", len(WORDS))
    for row, output, cut in zip(ids.to_list(), outputs, (4, 3), strict=True):
        segments = [0] * cut + [1] * (len(row) - cut)
        expected = mean_of_tokens("bert", made, row, segments)
        np.testing.assert_allclose(output, expected, atol=1e-5)


def test_roberta_gives_what_numpy_gives(tmp_path: Path) -> None:
    vocabulary = roberta_vocabulary()
    made = tensors("roberta", len(vocabulary["vocab"]))
    start = resolve_start(roberta_folder(tmp_path))
    assert start.longest == POSITIONS - 2
    pieces = start.tokenizer.pieces
    assert pieces[:4] == ["<pad>", "<s>", "</s>", "<unk>"]  # padding is id 0 in the zoo
    ids = start.tokenizer.encode(tf.constant(["the film", "é\n"]), POSITIONS - 2)
    theirs = [file_ids([*vocabulary["vocab"]], pieces, row) for row in ids.to_list()]
    expected_pieces = ["<s>", "the", "Ġ", "fi", "l", "m", "</s>"]
    assert theirs[0] == [vocabulary["vocab"][piece] for piece in expected_pieces]
    outputs = features(tmp_path)(ids.to_tensor()).numpy()
    for row, output in zip(theirs, outputs, strict=True):
        expected = mean_of_tokens("roberta", made, row, epsilon=1e-5)
        np.testing.assert_allclose(output, expected, atol=1e-5)


@pytest.mark.parametrize("prefix", ["", "mpnet."])
def test_mpnet_gives_what_numpy_gives(prefix: str, tmp_path: Path) -> None:
    words = ["<s>", "<pad>", "</s>", "<unk>", *WORDS[1:], "<mask>"]  # BERT's lie between
    made = tensors("mpnet", len(words))
    positions = np.random.default_rng(1).normal(0, 0.3, (302, WIDTH)).astype(np.float32)
    made["embeddings.position_embeddings.weight"] = positions
    write_folder(tmp_path, "mpnet", made, prefix)
    document = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(document | {"max_position_embeddings": 302}))
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    start = resolve_start(tmp_path)
    assert start.longest == 300
    assert start.values["architecture.relative_buckets"] == 32
    long = " ".join(["the film was great"] * 74)  # farther apart than the last bucket begins
    ids = start.tokenizer.encode(tf.constant([*TEXTS, "the unheard", long]), 300)
    theirs = [file_ids(words, start.tokenizer.pieces, row) for row in ids.to_list()]
    assert theirs[4] == [0, words.index("the"), words.index("[UNK]"), 2]
    assert start.tokenizer.marks.doubled and max(map(len, theirs)) == 298
    outputs = features(tmp_path)(ids.to_tensor()).numpy()
    for row, output in zip(theirs, outputs, strict=True):  # padded rows among them
        expected = mean_of_tokens("mpnet", made, row, epsilon=1e-5)
        np.testing.assert_allclose(output, expected, atol=1e-5)


def test_mpnet_has_as_many_buckets_as_its_code(tmp_path: Path) -> None:
    write_folder(tmp_path, "mpnet", tensors("mpnet", len(WORDS)))
    document = json.loads((tmp_path / "config.json").read_text())
    for buckets, message in ((64, "must be 32, as MPNet's code has it"), (None, "whole number")):
        changed = document | {"relative_attention_num_buckets": buckets}
        (tmp_path / "config.json").write_text(json.dumps(changed))
        with pytest.raises(ZooError, match=message):
            resolve_start(tmp_path)


def test_xlm_roberta_has_the_ids_of_fairseq(tmp_path: Path) -> None:
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁the", "▁film", "▁", "好", "s", "<mask>"]
    made = tensors("xlm-roberta", len(pieces))
    write_folder(tmp_path, "xlm-roberta", made, "roberta.")
    (tmp_path / "sentencepiece.bpe.model").write_bytes(xlmr_model())
    start = resolve_start(tmp_path)
    ids = start.tokenizer.encode(tf.constant(["the films 好", "x"]), POSITIONS - 2)
    theirs = [file_ids(pieces, start.tokenizer.pieces, row) for row in ids.to_list()]
    assert theirs == [[0, 4, 5, 8, 6, 7, 2], [0, 6, 3, 2]]
    outputs = features(tmp_path)(ids.to_tensor()).numpy()
    for row, output in zip(theirs, outputs, strict=True):
        expected = mean_of_tokens("xlm-roberta", made, row, epsilon=1e-5)
        np.testing.assert_allclose(output, expected, atol=1e-5)


def test_names_of_layer_norms_from_before_2019_are_read(tmp_path: Path) -> None:
    made = tensors("bert", len(WORDS))
    old = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): tensor
        for name, tensor in made.items()
    }
    write_folder(tmp_path / "old", "bert", old, "bert.")
    (tmp_path / "old" / "vocab.txt").write_text("\n".join(WORDS))
    new = resolve_start(bert_folder(tmp_path / "new")).weights
    weights = resolve_start(tmp_path / "old").weights
    assert {*weights} == {*new}
    assert all((weights[path] == new[path]).all() for path in new)


def test_what_the_weights_decide_is_in_the_values(tmp_path: Path) -> None:
    values = resolve_start(bert_folder(tmp_path / "start")).values
    assert values["architecture.hidden_dim"] == WIDTH
    assert values["architecture.num_layers"] == LAYERS
    assert values["architecture.num_heads"] == HEADS
    assert values["architecture.norm"] == "post"
    assert values["architecture.vocabulary_size"] == len(WORDS)
    assert values["data.tokenizer"] == "wordpiece"
    assert values["data.lowercase"] is True


def test_four_bits_give_what_numpy_gives(tmp_path: Path) -> None:
    made, pieces = four_bit_file(tmp_path / "e5.bin")
    start = read_four_bits(tmp_path / "e5.bin", "e5", "of the test", "")
    assert start.values["architecture.vocabulary_size"] == len(pieces)  # two spare rows are left
    preset, _ = with_start(load_preset("transformer"), start, ())
    model = build(preset.override({f"architecture.{key}": value for key, value in EXACT.items()}))
    initialise(model, preset, start, None)
    network = keras.Model(model.input, model.get_layer("logits").input)
    ids = start.tokenizer.encode(tf.constant(["the films 好", ""]), 16)
    theirs = [file_ids(pieces, start.tokenizer.pieces, row) for row in ids.to_list()]
    assert theirs == [[0, 4, 5, 8, 6, 7, 2], [0, 2]]
    outputs = network(ids.to_tensor()).numpy()
    for row, output in zip(theirs, outputs, strict=True):
        np.testing.assert_allclose(output, mean_of_tokens("bert", made, row), atol=1e-5)


def test_a_file_of_four_bits_that_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "e5.bin"
    four_bit_file(path)
    whole = path.read_bytes()
    for size in (len(whole) - 1, len(whole) // 2, 100):
        path.write_bytes(whole[:size])
        with pytest.raises(ZooError, match="is damaged or no encoder of 4 bits"):
            read_four_bits(path, "e5", "of the test", "")
