"""Heads that tell masked tokens, of Hugging Face folders, against logits that NumPy computes."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file, save_file
from start_parts import (
    POSITIONS,
    WIDTH,
    WORDS,
    head_tensors,
    roberta_vocabulary,
    tensors,
    token_logits,
    write_folder,
)

import zoo
from zoo.builders import build
from zoo.errors import ZooError
from zoo.preset.loading import load_preset
from zoo.starts.initialise import initialise, with_start
from zoo.starts.resolve import resolve_start
from zoo.training.model import TrainingModel

MPNET_WORDS = ["<s>", "<pad>", "</s>", "<unk>", *WORDS[1:], "<mask>"]  # BERT's lie between
TEXTS = ["the film was great", "films", "the story with actors and music 12"]


def folder_of(kind: str, path: Path) -> tuple[list[str], dict[str, np.ndarray]]:
    """Write a folder of a masked language model; return its pieces and its tensors."""
    pieces = {"roberta": [*roberta_vocabulary()["vocab"]], "mpnet": MPNET_WORDS}.get(kind, WORDS)
    made, head = tensors(kind, len(pieces)), head_tensors(kind, len(pieces))
    write_folder(path, kind, made, f"{kind}.", head)
    if kind == "roberta":
        (path / "vocab.json").write_text(json.dumps(roberta_vocabulary()["vocab"]))
        (path / "merges.txt").write_text("\n".join(roberta_vocabulary()["merges"]))
    else:
        (path / "vocab.txt").write_text("\n".join(pieces))
    return pieces, made | head


def started(folder: Path) -> tuple[TrainingModel, str]:
    """A network in float32 that starts from a folder, and what is said of it."""
    start, loaded = resolve_start(folder), load_preset("transformer_mlm")
    preset, _ = with_start(loaded.override({"recipe.dtype_policy": "float32"}), start, ())
    model = build(preset)
    return model, str(initialise(model, preset, start, None)[0])


@pytest.mark.parametrize("kind", ["bert", "roberta", "distilbert", "mpnet"])
def test_the_logits_are_those_that_numpy_gives(kind: str, tmp_path: Path) -> None:
    pieces, made = folder_of(kind, tmp_path)
    tokenizer = resolve_start(tmp_path).tokenizer
    theirs = [pieces.index(piece) for piece in tokenizer.pieces]  # the file's id of each of ours
    ids = tokenizer.encode(tf.constant(TEXTS), POSITIONS - 2)
    outputs = started(tmp_path)[0](ids.to_tensor()).numpy()
    epsilon = 1e-12 if kind in ("bert", "distilbert") else 1e-5
    for row, output in zip(ids.to_list(), outputs, strict=True):  # padded rows among them
        expected = token_logits(kind, made, [theirs[index] for index in row], epsilon)
        np.testing.assert_allclose(output[: len(row)], expected[:, theirs], atol=1e-5)


def test_a_head_that_is_whole_and_tied_starts_the_network(tmp_path: Path) -> None:
    folder_of("bert", tmp_path)
    assert "the head among them" in started(tmp_path)[1]
    assert zoo.transformer(init=tmp_path).get_layer("logits")  # a classifier has no use for it
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": False}))
    assert "at random: embedding/bias, transform, transform_norm." in started(tmp_path)[1]


@pytest.mark.parametrize("left", ["cls.predictions.bias", "cls.predictions.transform.dense.bias"])
def test_a_part_of_a_head_is_none(left: str, tmp_path: Path) -> None:
    folder_of("bert", tmp_path)
    path = tmp_path / "model.safetensors"
    save_file({name: array for name, array in load_file(path).items() if name != left}, path)
    assert "at random: embedding/bias, transform, transform_norm." in started(tmp_path)[1]


def test_a_head_of_another_width_is_refused(tmp_path: Path) -> None:
    folder_of("bert", tmp_path)
    path = tmp_path / "model.safetensors"
    wrong = {"cls.predictions.transform.dense.bias": np.zeros(WIDTH + 1, np.float32)}
    save_file(load_file(path) | wrong, path)
    with pytest.raises(ZooError, match=r"transform.dense.bias' has shape \(17,\), .* \(16\)"):
        resolve_start(tmp_path)
