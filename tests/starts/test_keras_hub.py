"""Preset folders of KerasHub: read without it, and equal to what it computes where it is there."""

import json
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from start_parts import HEADS, INNER, LAYERS, POSITIONS, WIDTH, WORDS

import zoo
from zoo.errors import ZooError
from zoo.starts.resolve import resolve_start

TEXTS = ["the film was great", "films", "", "the story with actors and music 12"]


def arrays(seed: int = 0) -> dict[str, np.ndarray]:
    """Arrays as KerasHub 0.32 names and shapes them."""
    generator = np.random.default_rng(seed)

    def draw(*shape: int) -> np.ndarray:
        return generator.normal(0, 0.3, shape).astype(np.float32)

    part = WIDTH // HEADS
    made = {
        "reversible_embedding/vars/0": draw(len(WORDS), WIDTH),
        "position_embedding/vars/0": draw(POSITIONS, WIDTH),
        "embedding/vars/0": draw(2, WIDTH),
        "layer_normalization/vars/0": 1 + draw(WIDTH),
        "layer_normalization/vars/1": draw(WIDTH),
    }
    for i in range(LAYERS):
        layer = f"transformer_encoder_{i}" if i else "transformer_encoder"
        for name in ("query", "key", "value"):
            made[f"{layer}/_self_attention_layer/{name}_dense/vars/0"] = draw(WIDTH, HEADS, part)
            made[f"{layer}/_self_attention_layer/{name}_dense/vars/1"] = draw(HEADS, part)
        made[f"{layer}/_self_attention_layer/output_dense/vars/0"] = draw(HEADS, part, WIDTH)
        made[f"{layer}/_self_attention_layer/output_dense/vars/1"] = draw(WIDTH)
        made[f"{layer}/_feedforward_intermediate_dense/vars/0"] = draw(WIDTH, INNER)
        made[f"{layer}/_feedforward_intermediate_dense/vars/1"] = draw(INNER)
        made[f"{layer}/_feedforward_output_dense/vars/0"] = draw(INNER, WIDTH)
        made[f"{layer}/_feedforward_output_dense/vars/1"] = draw(WIDTH)
        for name in ("_self_attention_layer_norm", "_feedforward_layer_norm"):
            made[f"{layer}/{name}/vars/0"] = 1 + draw(WIDTH)
            made[f"{layer}/{name}/vars/1"] = draw(WIDTH)
    return made


NAMES = {
    "reversible_embedding": "token_embedding", "position_embedding": "position_embedding",
    "embedding": "segment_embedding", "layer_normalization": "embeddings_layer_norm",
    "transformer_encoder": "transformer_layer_0", "transformer_encoder_1": "transformer_layer_1",
}  # fmt: skip
SIZES = {
    "vocabulary_size": len(WORDS), "num_layers": LAYERS, "num_heads": HEADS, "hidden_dim": WIDTH,
    "intermediate_dim": INNER, "max_sequence_length": POSITIONS, "num_segments": 2,
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A preset folder as `BertBackbone.save_to_preset` of KerasHub 0.32 writes it."""
    folder = tmp_path / "preset"
    (folder / "assets" / "tokenizer").mkdir(parents=True)
    (folder / "assets" / "tokenizer" / "vocabulary.txt").write_text("\n".join(WORDS))
    config = {"class_name": "BertBackbone", "registered_name": "keras_hub>BertBackbone"}
    (folder / "config.json").write_text(json.dumps(config | {"config": SIZES}))
    tokenizer = {"registered_name": "keras_hub>BertTokenizer", "config": {"lowercase": True}}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    with h5py.File(folder / "model.weights.h5", "w") as file:
        for name, array in arrays().items():
            file[f"layers/{name}"] = array
        for group, name in NAMES.items():
            file.require_group(f"layers/{group}/vars").attrs["name"] = name
    return folder


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_a_preset_folder_is_read(folder: Path) -> None:
    start = resolve_start(folder)
    assert start.values["architecture.activation"] == "gelu_tanh"
    made = arrays()
    kernel = start.weights["layer_1/attention/qkv/kernel"]
    name = "transformer_encoder_1/_self_attention_layer/key_dense/vars/0"
    assert (kernel[:, WIDTH : 2 * WIDTH] == made[name].reshape(WIDTH, WIDTH)).all()
    assert (start.weights["embedding/embeddings"] == made["reversible_embedding/vars/0"]).all()
    model = zoo.transformer(init=folder)
    copy = keras.models.model_from_json(model.to_json())  # the activation is saved by its name
    assert copy.get_layer("layer_0").activation is model.get_layer("layer_0").activation


def test_it_gives_what_kerashub_gives(tmp_path: Path) -> None:
    keras_hub = pytest.importorskip("keras_hub")
    backbone = keras_hub.models.BertBackbone(**SIZES)
    generator = np.random.default_rng(0)
    for variable in backbone.weights:
        variable.assign(generator.normal(0.5, 0.3, variable.shape))
    backbone.save_to_preset(tmp_path)
    keras_hub.models.BertTokenizer(vocabulary=WORDS, lowercase=True).save_to_preset(tmp_path)
    ids = resolve_start(tmp_path).tokenizer.encode_dense(tf.constant(TEXTS), POSITIONS)
    inputs = {"token_ids": ids, "padding_mask": ids != 0, "segment_ids": tf.zeros_like(ids)}
    expected = backbone(inputs)["sequence_output"][:, 0]
    for source in (tmp_path, f"keras_hub:{tmp_path}"):
        model = zoo.transformer(init=source, dropout=0.0, attention_dropout=0.0, pooling="first")
        ours = keras.Model(model.input, model.get_layer("logits").input)
        np.testing.assert_allclose(ours(ids), expected, atol=1e-5)


def test_a_name_of_a_hub_needs_kerashub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ZooError, match="`pip install keras-hub` installs it"):
        resolve_start("keras_hub:bert_tiny_en_uncased")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"registered_name": "keras_hub>GemmaBackbone"}, "'keras_hub>GemmaBackbone' is not read"),
        ({"config": None}, "is damaged: it has no `config`"),
        ({"config": SIZES | {"num_heads": "4"}}, "'num_heads' must be a whole number"),
        ({"config": SIZES | {"hidden_dim": 32}}, r"has shape \(46, 16\), and config.json asks"),
        ({"config": SIZES | {"num_layers": 3}}, "'transformer_layer_2/.*' is missing"),
    ],
)
def test_a_config_that_does_not_fit(values: dict, message: str, folder: Path) -> None:
    change(folder / "config.json", **values)
    with pytest.raises(ZooError, match=message):
        resolve_start(folder)


def test_other_parts_that_do_not_fit(folder: Path, tmp_path: Path) -> None:
    vocabulary = folder / "assets" / "tokenizer" / "vocabulary.txt"
    vocabulary.write_text("\n".join(WORDS[:-2]))
    with pytest.raises(ZooError, match="has 44 pieces, and the table of words 46 rows"):
        resolve_start(folder)
    change(folder / "tokenizer.json", registered_name="keras_hub>GPT2Tokenizer")
    with pytest.raises(ZooError, match="is no keras_hub>BertTokenizer"):
        resolve_start(folder)


def test_a_file_of_weights_that_is_damaged_or_elsewhere(folder: Path) -> None:
    path = folder / "model.weights.h5"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ZooError, match="is missing, damaged or no HDF5 file"):
        resolve_start(folder)
    path.write_bytes(whole)
    with h5py.File(path, "r+") as file:
        del file["layers/embedding/vars/0"]
        outside = [(folder / "config.json", 0, h5py.h5f.UNLIMITED)]
        file.create_dataset("layers/embedding/vars/0", (2, WIDTH), "f4", external=outside)
    with pytest.raises(ZooError, match="lies in another file, which is not read"):
        resolve_start(folder)
    with h5py.File(path, "r+") as file:
        del file["layers/embedding/vars/0"]
        file["layers/embedding/vars/0"] = h5py.ExternalLink("other.h5", "/a")
    with pytest.raises(ZooError, match="'segment_embedding/vars/0' is missing"):
        resolve_start(folder)
