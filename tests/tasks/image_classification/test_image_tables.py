"""Tables of the paths of images: what is not there is named, with what would be."""

import csv
import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from image_parts import CLASSES, load, write_folder

from zoo import ZooError
from zoo.preset.loading import load_preset
from zoo.tasks.image_classification.data import load_images
from zoo.tasks.image_classification.sources.inputs import named_images
from zoo.tasks.request import Request

IMAGES = ("--preset", "resnet/default")


@pytest.fixture
def folder(tmp_path):
    write_folder(tmp_path / "img", 6)
    return tmp_path


def write_table(folder, form, header="filename,label"):
    rows = [f"{form.format(label, f'{n:03}')},{label}" for label in CLASSES for n in range(6)]
    (folder / "t.csv").write_text("\n".join([header, *rows]) + "\n")
    return folder / "t.csv"


def findings_of(ended):
    document = json.loads(ended.stdout)
    return document, "\n".join(
        f"{f['level']} {f['what']} {f['next']}" for f in document["findings"]
    )


@pytest.mark.parametrize("column", ["image_id", "file_name", "img_path", "image", "image_name"])
def test_names_of_the_path_column(zoo_command, folder, column):
    table = write_table(folder, "img/{}/{}.png", f"{column},label")
    document, _ = findings_of(zoo_command("data", table, *IMAGES, "--json", code=0))
    assert document["rows"] == 12


@pytest.mark.parametrize(
    ("form", "meant"),
    [
        (r"img\{}\{}.png", "img/blue/000.png"),
        ("img/{}/{}", "img/blue/000.png"),
        ("{1}.png", "img/blue/000.png"),
        ("{1}", "img/blue/000.png"),
        ("{0}/{1}.png", "img/blue/000.png"),
        ("img/{}/{}.png ", "img/blue/000.png"),
        ("IMG/{}/{}.PNG", "img/blue/000.png"),
        ("img/{}/{}.PNG", "img/blue/000.png"),
        ("/home/me/data/img/{}/{}.png", "img/blue/000.png"),
        (r"C:\data\img\{}\{}.png", "img/blue/000.png"),
    ],
)
def test_what_would_be_there(zoo_command, folder, form, meant):
    table = write_table(folder, form)
    ended = zoo_command("data", table, *IMAGES, code=1)
    first = form.format("blue", "000")
    assert f"t.csv: 12 images are not there: row 1 '{first}', row 2 " in ended.stderr
    assert f"and 7 more. Did you mean '{meant}'? Paths are relative to" in ended.stderr


def test_addresses_are_no_paths(zoo_command, folder):
    table = write_table(folder, "https://example.org/{}/{}.png")
    ended = zoo_command("data", table, *IMAGES, code=1)
    assert "row 1 'https://example.org/blue/000.png'" in ended.stderr
    assert "These are addresses: download the files" in ended.stderr


def test_paths_relative_to_the_working_directory(zoo_command, folder, monkeypatch):
    (folder / "tables").mkdir()
    table = shutil.move(write_table(folder, "img/{}/{}.png"), folder / "tables")
    monkeypatch.chdir(folder)
    ended = zoo_command("data", table, *IMAGES, code=1)
    assert f"Did you mean '{folder.resolve()}/img/blue/000.png'?" in ended.stderr


@pytest.mark.parametrize("command", ["data", "train"])
def test_rows_without_an_image_are_left_out_when_asked(zoo_command, folder, command):
    table = write_table(folder, "img/{}/{}.png")
    with table.open("a") as file:
        file.write("img/red/gone.png,red\n,blue\n" + "img/red/away.png,green\n" * 6)
    arguments = ("data", table, *IMAGES, "--json")
    if command == "train":
        arguments = ("train", "resnet", table, "--out", folder / "run")
    ended = zoo_command(*arguments, code=1)
    named = "row 13 'img/red/gone.png', row 14 an empty path, row 15 'img/red/away.png'"
    assert f"t.csv: 8 images are not there: {named}, row 16 " in ended.stderr
    assert "or pass --drop-missing to leave these rows out" in ended.stderr
    if command == "data":  # training would take seconds, and reads by the same call
        document, findings = findings_of(zoo_command(*arguments, "--drop-missing", code=0))
        assert document["classes"] == {"blue": 6, "red": 6}
        assert "warning" in findings and "left out" in findings
        assert "8 images are not there" in findings
        assert "green" not in findings


def test_texts_that_are_paths_of_images(zoo_command, folder):
    table = write_table(folder, "img/{}/{}.png")
    _, findings = findings_of(zoo_command("data", table, "--json", code=0))
    assert (
        f"warning {table}: the texts are paths of images, such as 'img/blue/000.png'." in findings
    )
    assert f"`zoo data {table} --preset resnet/default`" in findings


@pytest.mark.parametrize(
    ("labels", "several"),
    [
        (["red;big", "red", "big", "blue"], ";"),
        (["red|big", "red|small", "blue|big", "x"], "|"),
        (["red shiny", "red", "blue", "blue shiny"], "'red shiny', 'blue shiny' (2 of 4)"),
        (
            ['"[""a"", ""b""]"', '"[""a""]"', "[]", "c"],
            "'[\"a\", \"b\"]', '[\"a\"]', '[]' (3 of 4)",
        ),
        (["very good", "good", "very bad", "bad"], ""),
        (["New York", "Boston", "New Jersey", "Salt Lake City"], ""),
        (["red;", "blue", "a-b", "a-c"], ""),
    ],
)
@pytest.mark.parametrize("kind", ["images", "texts"])
def test_labels_that_are_several(zoo_command, folder, labels, several, kind):
    rows = []
    for number in range(12):
        path = f"img/blue/{number % 6:03}.png" if number < 6 else f"img/red/{number % 6:03}.png"
        rows.append(f"{path if kind == 'images' else f'good film {number}'},{labels[number % 4]}")
    (folder / "t.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    options = (*IMAGES, "--text", "text") if kind == "images" else ()
    _, findings = findings_of(zoo_command("data", folder / "t.csv", *options, "--json", code=0))
    if len(several) == 1:
        assert f"{folder}/t.csv: several labels a row, separated by '{several}'" in findings
    elif several:
        assert f"warning {folder}/t.csv: labels look like several in one: {several}." in findings
    else:
        assert "several in one" not in findings


def images_in_a_table(folder):
    paths = sorted((folder / "img").rglob("*.png"))
    images = [{"bytes": path.read_bytes(), "path": path.name} for path in paths]
    return pa.table({"image": images, "label": [path.parent.name for path in paths]})


def test_images_that_stand_in_a_table(zoo_command, folder):
    table = images_in_a_table(folder)
    parquet.write_table(table, folder / "hub.parquet")
    document, _ = findings_of(
        zoo_command("data", folder / "hub.parquet", *IMAGES, "--json", code=0)
    )
    assert document["classes"] == {"blue": 6, "red": 6}
    parquet.write_table(table.slice(0, 5), folder / "train-0.parquet")
    parquet.write_table(table.slice(5), folder / "train-1.parquet")
    shards = [folder / "train-0.parquet", folder / "train-1.parquet"]
    for arguments in (shards, [folder / "train-*.parquet"]):
        document, _ = findings_of(zoo_command("data", *arguments, *IMAGES, "--json", code=0))
        assert document["classes"] == {"blue": 6, "red": 6}
    content = pa.array([image["bytes"] for image in table["image"].to_pylist()])
    plain = pa.table({"image": content, "label": table["label"]})
    settings = load_preset("resnet", "debug", {"data.batch_size": 4}).data
    for source in (table, plain, plain.to_pandas()):
        with (
            load_images(Request(source), settings=settings, image_size=16) as data,
            load_images(Request(folder / "img"), settings=settings, image_size=16) as files,
        ):
            assert data.fingerprint == files.fingerprint
            for one, other in zip(data.dataset("train"), files.dataset("train"), strict=True):
                np.testing.assert_array_equal(one[0], other[0])
                np.testing.assert_array_equal(one[1], other[1])


def test_images_in_a_table_are_predicted(folder):
    table = images_in_a_table(folder)
    images = list(named_images(table))
    assert [image.name for image in images[:2]] == ["table: row 1", "table: row 2"]
    files = sorted((folder / "img").rglob("*.png"))
    assert [image.image for image in images] == [file.read_bytes() for file in files]
    assert not images[0].is_file


@pytest.mark.parametrize("content", ["paths", "bytes"])
def test_images_are_read_from_one_column(folder, content):
    files = sorted((folder / "img").rglob("*.png"))
    images = [str(file) if content == "paths" else file.read_bytes() for file in files]
    labels = [file.parent.name for file in files]
    table = pa.table({"a": images, "b": images, "label": labels})
    message = "images are read from one column. Received: 'a', 'b'. Name one with --text"
    settings = load_preset("resnet").data
    with pytest.raises(ZooError, match=message):
        load_images(Request(table, text="a,b"), settings=settings, image_size=16)
    with pytest.raises(ZooError, match=message):
        list(named_images(table, path="a,b"))


def test_broken_images_in_a_table_are_named_by_their_row(zoo_command, folder):
    table = images_in_a_table(folder).to_pylist()
    table[3]["image"]["bytes"] = table[3]["image"]["bytes"][:200]
    parquet.write_table(pa.Table.from_pylist(table), folder / "hub.parquet")
    ended = zoo_command("data", folder / "hub.parquet", *IMAGES, code=1)
    assert f"1 image cannot be read: {folder}/hub.parquet: row 4 is truncated." in ended.stderr
    table[3]["image"] = {"bytes": None, "path": None}
    parquet.write_table(pa.Table.from_pylist(table), folder / "hub.parquet")
    ended = zoo_command("data", folder / "hub.parquet", *IMAGES, code=1)
    assert "1 image is not there: row 4 an empty path" in ended.stderr
    zoo_command("data", folder / "hub.parquet", *IMAGES, "--drop-missing", code=0)
    table[3]["image"] = {"bytes": None, "path": "img/red/000.png"}
    parquet.write_table(pa.Table.from_pylist(table), folder / "hub.parquet")
    ended = zoo_command("data", folder / "hub.parquet", *IMAGES, code=1)
    assert "some rows hold images themselves, others paths" in ended.stderr


def test_a_table_of_paths_and_labels(tmp_path):
    write_folder(tmp_path / "images", 10)
    table = tmp_path / "table.csv"
    with table.open("w", newline="") as file:
        rows = [(f"images/{c}/{n:03}.png", c.upper()) for c in CLASSES for n in range(10)]
        csv.writer(file).writerows([("filename", "label"), *rows])
    with load(table) as data:
        assert data.classes == ["BLUE", "RED"]
        assert len(data.train) == 18
    table.write_text("filename,label\nimages/red/000.png,a\nimages/red/999.png,b\n")
    with pytest.raises(
        ZooError, match=r"table\.csv: 1 image is not there: row 2 'images/red/999\.png'"
    ):
        load(table)
    table.write_text("where,what\nimages/red/000.png,a\nimages/red/001.png,b\n")
    with pytest.raises(ZooError, match=r"which column is the .*--"):
        load(table)


def test_texts_are_no_paths(folder):
    (folder / "t.csv").write_text(f'filename,label\n"{"a long text, " * 400}",red\n')
    with pytest.raises(
        ZooError, match=r"t\.csv: 1 image is not there: row 1 'a long .{1,200}\.\.\.'"
    ):
        load(folder / "t.csv")
