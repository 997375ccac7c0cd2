"""The inputs with images that failed for users, each through the command a user typed.

They lie outside of the repository, in `../shared/cases`; without them these tests are skipped. The
kinds they stand for have tests of their own, beside the modules.
"""

import json

import pytest


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("c17b_eval/d", "d/train --test d/eval`"),
        ("c17m_flattest/d", "To go on without it: `zoo train resnet d/train`"),
        ("c05_wrapped/d", "Did you mean d/photos"),
        ("c13b_alltiff/d", "16 .tif: not read. Convert them to PNG"),
    ],
)
@pytest.mark.parametrize("command", ["data", "train"])
def test_refused_with_what_to_do(zoo_command, shared_case, monkeypatch, name, message, command):
    monkeypatch.chdir(shared_case(f"images/{name}").parent)
    arguments = ("data",) if command == "data" else ("train", "resnet")
    assert message in zoo_command(*arguments, "d", code=1).stderr


@pytest.mark.parametrize(
    ("name", "parts", "message"),
    [
        ("c17c_pred/d", ["train", "validation", "test"], "d/pred: 5 images without class folders"),
        ("c17d_intel/d", ["train", "validation", "test"], ""),
        ("c17e_set/d", ["train", "validation", "test"], ""),
        ("c17h_models/d", ["train", "validation"], "neither part nor class: 'models'"),
        ("c21_hf/d", ["train", "validation", "test"], ""),
        ("c03_ds/d", ["train", "validation"], "ignored: '@eaDir', '__MACOSX'"),
        ("c13_formats/d", ["train", "validation"], "Convert .avif, .tiff, .heic to PNG"),
        ("c02_ending/d", ["train", "validation"], "4 files are passed over: 4 .tif"),
    ],
)
def test_read_as_it_is_meant(zoo_command, shared_case, name, parts, message):
    folder = shared_case(f"images/{name}")
    document = json.loads(zoo_command("data", folder, "--json", code=0).stdout)
    assert sorted(document["classes"]) == ["blue", "red"]
    assert list(document["parts"]) == parts
    findings = "\n".join(f"{finding['what']} {finding['next']}" for finding in document["findings"])
    assert message in findings


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing5.csv", "7 images are not there: row 25 'img/red/gone0.png'"),
        ("back.csv", r"row 1 'img\blue\00.png'"),
        ("back.csv", "Did you mean 'img/blue/00.png'?"),
        ("noend.csv", "Did you mean 'img/blue/00.png'?"),
        ("bare.csv", "Did you mean 'img/blue/00.png'?"),
        ("trail.csv", "row 1 'img/blue/00.png '"),
        ("url.csv", "These are addresses"),
    ],
)
def test_tables_are_refused_with_what_to_do(zoo_command, shared_case, name, message):
    table = shared_case("images/c20_csv") / name
    assert message in zoo_command("data", table, "--preset", "resnet/default", code=1).stderr


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("missing5.csv", ["--preset", "resnet/default", "--drop-missing"], "7 images are not"),
        ("multi.csv", ["--preset", "resnet/default"], "labels look like several in one"),
        ("rel.csv", [], "the texts are paths of images"),
        ("index.csv", ["--preset", "resnet/default"], "path column 'filename'"),
        ("hub.parquet", ["--preset", "resnet/default"], "fewer than 1,000"),
    ],
)
def test_tables_are_read_with_a_word(zoo_command, shared_case, name, options, message):
    table = shared_case("images/c20_csv") / name
    document = json.loads(zoo_command("data", table, *options, "--json", code=0).stdout)
    assert message in "\n".join(finding["what"] for finding in document["findings"])


def test_a_table_without_a_header(zoo_command, shared_case):
    folder = shared_case("images/c20_csv")
    lines = (folder / "rel.csv").read_text().splitlines(keepends=True)
    (folder / "nohead.csv").write_text("".join(lines[1:]))
    ended = zoo_command("data", folder / "nohead.csv", "--preset", "resnet/default", code=1)
    assert "The first line looks like data: put a header such as path,label" in ended.stderr


@pytest.mark.parametrize(
    "name", ["Xy", "datalabels", "onehot", "multilabel", "usual", "medmnist", "n1"]
)
def test_npz_files_are_read(zoo_command, shared_case, name):
    file = shared_case(f"images/c22_npz/{name}.npz")
    assert json.loads(zoo_command("data", file, "--json", code=0).stdout)["rows"] >= 30


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("objimages", "numpy.stack(images)"),
        ("short", "labels must be one an image"),
        ("trunc", "is not an .npz file"),
    ],
)
def test_npz_files_are_refused(zoo_command, shared_case, name, message):
    file = shared_case(f"images/c22_npz/{name}.npz")
    assert message in zoo_command("data", file, code=1).stderr


def test_a_class_of_the_test_part_alone(zoo_command, shared_case):
    ended = zoo_command("data", shared_case("images/c18_extra") / "d", code=1)
    assert "unknown to training: 'green'" in ended.stdout


def test_images_of_16_bits(zoo_command, shared_case):
    folder = shared_case("images/c08_deep") / "d"
    document = json.loads(zoo_command("data", folder, "--json", code=0).stdout)
    assert "of 16 bits, with values up to" in "\n".join(f["what"] for f in document["findings"])
