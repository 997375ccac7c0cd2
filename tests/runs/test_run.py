"""What a run remembers of its training, and what its `evaluate` and `predict` read."""

import csv
import json
import os
import shutil
import threading

import numpy as np
import pandas
import polars
import pyarrow as pa
import pytest
from conftest import QUICK, sentences, write_csv
from image_parts import QUICK as QUICK_IMAGES
from image_parts import write_folder
from PIL import Image

import zoo
from zoo import ZooError
from zoo.data.texts import text_batches
from zoo.files import read_json, write_json
from zoo.preset.loading import load_preset
from zoo.tasks.request import Request
from zoo.tasks.text_classification.data import load_data

HEADER = ("head", "lead", "text", "mark", "label")


def titled(count: int, seed: int) -> list[tuple[str, ...]]:
    """Rows whose `head` tells `mark`, and whose `text` and `label` say nothing."""
    rows = sentences(count, seed)
    return [
        (text, "tonight", "the film was", mark, str(number % 3))
        for number, (text, mark) in enumerate(rows)
    ]


@pytest.fixture(scope="module")
def by_head(tmp_path_factory):
    """A finished run on columns that are not those whose names say text and label."""
    folder = tmp_path_factory.mktemp("columns")
    return zoo.train(
        "textcnn", str(write_csv(folder / "train.csv", titled(200, 0), HEADER)), text="head,lead",
        label="mark", set=QUICK | {"recipe.epochs": 6}, out=folder / "run", verbose=False,
    )  # fmt: skip


@pytest.fixture
def other(tmp_path):
    """New rows with the columns of `by_head`."""
    return write_csv(tmp_path / "other.csv", titled(60, 1), HEADER)


def test_a_run_remembers_its_columns(by_head, other, zoo_command) -> None:
    assert by_head.columns.to_dict() == {"text": ["head", "lead"], "label": "mark"}
    ended = zoo_command("evaluate", by_head.path, other, "--json", code=0)
    document = json.loads(ended.stdout)
    assert document["metrics"]["accuracy"] >= 0.85
    assert "text columns 'head', 'lead', label column 'mark'" in document["findings"][0]["what"]
    ended = zoo_command("evaluate", by_head.path, other, code=0)
    assert "columns not read: 'text', 'label'" in ended.stderr
    ended = zoo_command("predict", by_head.path, other, code=0)
    found = [json.loads(line)["label"] for line in ended.stdout.splitlines()]
    assert np.mean([a == row[3] for a, row in zip(found, titled(60, 1), strict=True)]) >= 0.85
    assert "text columns 'head', 'lead'" in ended.stderr


def test_columns_that_are_named_win(by_head, other, zoo_command) -> None:
    ended = zoo_command("evaluate", by_head.path, other, "--text", "text", "--json", code=0)
    assert json.loads(ended.stdout)["metrics"]["accuracy"] <= 0.6
    ended = zoo_command("predict", by_head.path, other, "--text", "text", code=0)
    assert len({json.dumps(json.loads(line)) for line in ended.stdout.splitlines()}) == 1
    ended = zoo_command("evaluate", by_head.path, other, "--label", "label", code=1)
    assert "unknown to training" in ended.stderr


def test_columns_that_are_not_there_are_refused(by_head, tmp_path, zoo_command) -> None:
    path = write_csv(tmp_path / "plain.csv", sentences(20))
    for command in ("evaluate", "predict"):
        ended = zoo_command(command, by_head.path, path, code=1)
        assert not ended.stdout
        assert "trained with the text column 'head'" in ended.stderr
        assert "Columns here: 'text', 'label'" in ended.stderr and "--text" in ended.stderr
    zoo_command("evaluate", by_head.path, path, "--text", "text", "--label", "label", code=0)
    path = write_csv(
        tmp_path / "case.csv", titled(20, 1), ("Head", "LEAD", "text", " mark", "label")
    )
    assert by_head.evaluate(path)["accuracy"] >= 0.8  # the same names, written otherwise


def test_a_run_without_a_record_goes_by_the_names(trained, tmp_path, zoo_command) -> None:
    old = tmp_path / "old"
    shutil.copytree(trained.path, old)
    document = read_json(old / "environment.json")
    assert document.pop("columns") == {"text": ["text"], "label": "label"}
    write_json(old / "environment.json", document)
    path = write_csv(tmp_path / "named.csv", sentences(20), ("review", "sentiment"))
    assert zoo.load_run(old).columns is None
    assert zoo.load_run(old).evaluate(path)["examples"] == 20
    with pytest.raises(ZooError, match="trained with the text column 'text'"):
        trained.evaluate(path)
    write_json(old / "environment.json", document | {"columns": {"text": "x"}})
    with pytest.raises(ZooError, match=r"environment\.json: is damaged"):
        zoo.load_run(old).evaluate(path)


def test_a_name_with_a_comma_is_one_column(trained, tmp_path) -> None:
    shutil.copytree(trained.path, tmp_path / "run")
    document = read_json(tmp_path / "run" / "environment.json")
    columns = {"text": ["one, two", "lead"], "label": "label"}
    write_json(tmp_path / "run" / "environment.json", document | {"columns": columns})
    rows = [(text, "tonight", label) for text, label in sentences(20)]
    path = write_csv(tmp_path / "comma.csv", rows, ("one, two", "lead", "label"))
    findings = []
    scored = zoo.load_run(tmp_path / "run").evaluate(path, findings=findings)
    assert scored["accuracy"] >= 0.8
    assert not findings  # all columns are read
    write_csv(path, rows, ("one", "two", "label"))
    with pytest.raises(ZooError, match="trained with the text column 'one, two'"):
        zoo.load_run(tmp_path / "run").evaluate(path)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A table of 24 images with two columns of paths and two of labels."""
    folder = tmp_path_factory.mktemp("table")
    write_folder(folder / "images", 12)
    files = sorted((folder / "images").rglob("*.png"))
    with (folder / "table.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "where", "label", "colour"])
        for number, path in enumerate(files):
            where = str(path.relative_to(folder))
            writer.writerow([str(files[0]), where, number % 2, path.parent.name])
    return folder / "table.csv"


@pytest.fixture(scope="module")
def by_where(table, tmp_path_factory):
    """A finished run on images of the table."""
    return zoo.train(
        "resnet", str(table), text="where", label="colour", set=QUICK_IMAGES,
        out=tmp_path_factory.mktemp("images") / "run", verbose=False,
    )  # fmt: skip


def test_image_runs_remember_theirs(by_where, table, zoo_command) -> None:
    assert by_where.columns.to_dict() == {"text": ["where"], "label": "colour"}
    assert any("columns not read: 'path', 'label'" in each.what for each in by_where.findings)
    ended = zoo_command("evaluate", by_where.path, table, "--json", code=0)
    document = json.loads(ended.stdout)
    assert set(document["metrics"]["classes"]) == {"red", "blue"}
    assert "path column 'where'" in document["findings"][0]["what"]
    renamed = table.with_name("renamed.csv")
    renamed.write_text(table.read_text().replace("where", "file"))
    ended = zoo_command("evaluate", by_where.path, renamed, code=1)
    assert "trained with the path column 'where'" in ended.stderr


# --- what predict takes


TEXTS = ["a great film", "", "a dull plot", "grüße 中文"]


def as_tensor(values):
    import tensorflow as tf

    return tf.constant(values)


@pytest.mark.parametrize(
    "given",
    [
        tuple, np.array, pandas.Series, polars.Series, pa.array, lambda x: pa.chunked_array([x]),
        iter, as_tensor, lambda x: [each.encode() for each in x],
        lambda x: np.array(x, dtype=object),
    ],
    ids=lambda each: getattr(each, "__name__", "other"),
)  # fmt: skip
def test_predict_takes_columns_of_any_kind(trained, given) -> None:
    assert trained.predict(given(TEXTS)) == trained.predict(TEXTS)


@pytest.mark.parametrize(
    "table",
    [pandas.DataFrame, polars.DataFrame, pa.table, lambda x: pa.table(x).to_reader()],
    ids=["pandas", "polars", "arrow", "reader"],
)
def test_predict_reads_tables_as_evaluate_does(trained, by_head, table) -> None:
    columns = {"id": [1, 2, 3, 4], "label": ["x"] * 4, "text": TEXTS}
    assert trained.predict(table(columns)) == trained.predict(TEXTS)
    findings = []
    found = list(trained.iter_predictions(table(columns), findings=findings))
    assert len(found) == 4 and "columns not read: 'id', 'label'" in findings[0].what
    with pytest.raises(ZooError, match="trained with the text column 'head'"):
        by_head.predict(table(columns))
    joined = by_head.predict(table({"head": TEXTS, "lead": ["tonight"] * 4, "mark": ["x"] * 4}))
    assert joined == by_head.predict(
        [" ".join(part for part in (text, "tonight") if part) for text in TEXTS]
    )
    assert by_head.predict(table(columns), text="text") == by_head.predict(TEXTS)


def test_predict_reads_what_is_missing_as_training_does(trained) -> None:
    empty = trained.predict([""])[0]
    for missing in ([None], [float("nan")], pandas.Series([None]), [pandas.NA], [np.nan]):
        assert trained.predict(missing) == [empty]
    assert trained.predict([]) == []
    assert trained.predict([b"a great film", "a \ud83d film"])[0]["label"] == "good"


@pytest.mark.parametrize(
    "given, message",
    [
        ([3], r"data: row 1: text: a string was expected\. Received int: 3"),
        (["a", 0.5], r"row 2: text: a string was expected\. Received float: 0\.5"),
        ([["a", "b"]], r"row 1: .*Received list: \['a', 'b'\]"),
        (np.array([[1, 2]]), r"texts must have one dimension\. Received: shape \(1, 2\)"),
        ([b"\xff"], "row 1: .*is not UTF-8"),
        ({"text": ["a"]}, r"type dict .*pandas\.DataFrame"),
        ("a great film", r"Received one string: wrap it in \[\]"),
        (b"a great film", "must be a list"),
        (3, "must be a list"),
        (None, "must be a list"),
        ([{"text": "a"}], "row 1: .*Received dict"),
    ],
)
def test_predict_refuses_what_is_no_text(trained, given, message) -> None:
    with pytest.raises(ZooError, match=message):
        trained.predict(given)


@pytest.mark.parametrize(
    "data, message",
    [
        (([], []), "hold no rows"),
        ((["a"], []), "same length"),
        ((["a", "b"], [None, None]), "no label"),
        ((["a"], np.array([[1, 0, 1]])), "labels unknown to training: '0|2'"),
        ((["a"], [["pos", "neg"]]), "labels unknown to training: 'neg|pos'"),
    ],
)
def test_evaluate_refuses_data_without_labels(trained, data, message) -> None:
    with pytest.raises(ZooError, match=message):
        trained.evaluate(data)


@pytest.mark.parametrize("data", [([], []), pandas.DataFrame({"text": [], "label": []})])
def test_train_refuses_data_without_rows(data, tmp_path) -> None:
    with pytest.raises(ZooError, match="the data of the train part hold no rows"):
        zoo.train("textcnn", data, out=tmp_path / "run", verbose=False)
    with pytest.raises(ZooError, match="the data of the test part hold no rows"):
        zoo.train("textcnn", (["a"], ["b"]), test=data, out=tmp_path / "run", verbose=False)
    assert not (tmp_path / "run").exists()


def test_train_reads_one_hot_labels(tmp_path) -> None:
    texts = [text for text, _ in sentences(12)]
    settings = load_preset("textcnn").data
    with load_data(
        Request((texts, np.eye(2)[[0, 1] * 6])), settings=settings, vocabulary_size=99
    ) as data:
        assert data.classes == [0, 1]


def test_evaluate_leaves_out_rows_without_a_label_when_asked(trained, tmp_path, zoo_command):
    rows = [*sentences(20), ("no label", ""), ("none either", " ")]
    path = write_csv(tmp_path / "gaps.csv", rows)
    ended = zoo_command("evaluate", trained.path, path, code=1)
    assert "2 rows have no label" in ended.stderr and "--drop-missing" in ended.stderr
    ended = zoo_command("evaluate", trained.path, path, "--drop-missing", "--json", code=0)
    document = json.loads(ended.stdout)
    assert document["metrics"]["examples"] == 20
    assert "2 rows have no label and are left out" in document["findings"][0]["what"]
    assert trained.evaluate(path, drop_missing=True)["examples"] == 20


def test_lines_of_a_slow_pipe_are_answered_as_they_come(trained) -> None:
    reading, writing = os.pipe()
    late = threading.Timer(20.0, os.close, [writing])  # so that a fault does not wait for ever
    late.start()
    with os.fdopen(reading, "rb", buffering=0) as file:
        answers = trained.iter_predictions(file)
        os.write(writing, b"a great film\nhalf a ")
        assert next(answers) == trained.predict(["a great film"])[0]
        os.write(writing, "line with ü\r\n\n".encode())
        assert [next(answers), next(answers)] == trained.predict(["half a line with ü", ""])
        os.write(writing, b"last")
        assert late.is_alive()
        late.cancel()
        os.close(writing)
        assert list(answers) == trained.predict(["last"])


def test_lines_of_a_fast_pipe_come_in_large_batches(tmp_path) -> None:
    lines = [f"line {number}" for number in range(10_000)]
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb") as file:
            file.write("\n".join(lines).encode())

    threading.Thread(target=write).start()
    with os.fdopen(reading, "rb") as file:
        batches = list(text_batches(file))
    assert [line for batch in batches for line in batch] == lines
    assert len(batches) <= 12


def test_the_command_reads_pipes_and_files_alike(trained, tmp_path, zoo_command, monkeypatch):
    (tmp_path / "lines.txt").write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
    expected = zoo_command("predict", trained.path, tmp_path / "lines.txt", code=0).stdout
    assert len(expected.splitlines()) == len(TEXTS)
    with (tmp_path / "lines.txt").open(encoding="utf-8") as file:
        monkeypatch.setattr("sys.stdin", file)
        assert zoo_command("predict", trained.path, "-", code=0).stdout == expected
    os.mkfifo(tmp_path / "pipe")
    content = (tmp_path / "lines.txt").read_bytes()
    threading.Thread(target=(tmp_path / "pipe").write_bytes, args=[content]).start()
    assert zoo_command("predict", trained.path, tmp_path / "pipe", code=0).stdout == expected


# --- images


def test_predict_takes_images_of_any_kind(by_where, table) -> None:
    paths = sorted((table.parent / "images").rglob("*.png"))[::5]
    files = by_where.predict(paths)
    expected = [{k: v for k, v in each.items() if k != "file"} for each in files]
    arrays = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
    for given in (
        arrays,
        [path.read_bytes() for path in paths],
        [Image.open(path) for path in paths],
        [as_tensor(each) for each in arrays],
        [each / 255.0 for each in arrays],
        iter(arrays),
    ):
        assert by_where.predict(given) == expected
    assert by_where.predict([arrays[0], str(paths[1])]) == [expected[0], files[1]]
    batch = np.stack([arrays[0][:20, :20]] * 3)
    alone = by_where.predict([batch[0]])
    for given in (batch, as_tensor(batch), batch.astype(np.float32), batch / 255.0):
        assert by_where.predict(given) == alone * 3
    labels = np.array(["red"] * 3)
    assert by_where.evaluate((batch, labels))["examples"] == 3
    names = [str(path) for path in paths]
    for given in (np.array(names), pandas.Series(names), pa.array(names), tuple(names)):
        assert by_where.predict(given) == files


@pytest.mark.parametrize(
    "given, message",
    [
        (np.zeros((8, 8, 3), np.uint8), r"one of shape \(8, 8, 3\): wrap it in \[\]"),
        (b"\x89PNG", r"Received one: wrap it in \[\]"),
        ([b"\x89PNG"], "image 1: is not an image"),
        ([b""], "image 1: is empty"),
        ([np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8, 7))], "must be .* channels"),
        ([np.full((8, 8, 3), -1.0)], r"pixels must be in \[0, 255\]"),
        ([{}], "image 1: is of type dict.*Accepted"),
        ({"image": []}, "type dict"),
        (3, "type int"),
        (iter([np.zeros((8, 8, 3), np.float32)]), "Give them in a list"),
        (["nothing.png"], "nothing.png: no such file"),
        ("one.png", r"Received one string: wrap it in \[\]"),
    ],
)
def test_predict_refuses_what_is_no_image(by_where, given, message) -> None:
    with pytest.raises(ZooError, match=message):
        by_where.predict(given)


def test_predict_takes_tables_of_paths(by_where, table, zoo_command) -> None:
    ended = zoo_command("predict", by_where.path, table, code=0)
    answers = [json.loads(line) for line in ended.stdout.splitlines()]
    frame = pandas.read_csv(table)
    assert [each["file"] for each in answers] == [str(table.parent / n) for n in frame["where"]]
    assert "path column 'where'" in ended.stderr
    assert answers == by_where.predict([table]) == by_where.predict(table)
    ended = zoo_command("predict", by_where.path, table, "--text", "path", code=0)
    assert len({json.loads(line)["file"] for line in ended.stdout.splitlines()}) == 1
    frame["where"] = [str(table.parent / name) for name in frame["where"]]
    assert by_where.predict(frame) == answers
    assert by_where.evaluate(frame)["examples"] == len(answers)
    (table.parent / "plain.csv").write_text("file\nimages/red/000.png\n")
    ended = zoo_command("predict", by_where.path, table.parent / "plain.csv", code=1)
    assert "trained with the path column 'where'" in ended.stderr
    np.savez(table.parent / "arrays.npz", images=np.zeros((2, 8, 8), np.uint8))
    ended = zoo_command("predict", by_where.path, table.parent / "arrays.npz", code=1)
    assert "no .npz files" in ended.stderr


def test_one_broken_image_does_not_end_all(by_where, table, tmp_path, zoo_command) -> None:
    good = sorted((table.parent / "images").rglob("*.png"))[:2]
    (tmp_path / "cut.png").write_bytes(good[0].read_bytes()[:200])
    (tmp_path / "empty").mkdir()
    (tmp_path / "rows.csv").write_text(f"where\n{good[0]}\nnothing.png\n\n")
    given = [good[0], tmp_path / "cut.png", tmp_path / "none.png", tmp_path / "empty",
             tmp_path / "rows.csv", good[1]]  # fmt: skip
    ended = zoo_command("predict", by_where.path, *given, code=1)
    answers = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [each.get("error", "") for each in answers] == [
        "", "is truncated", "no such file or folder", answers[3]["error"], "", "is missing", "",
    ]  # fmt: skip
    assert "holds no images" in answers[3]["error"]
    assert answers[1] == {"file": str(tmp_path / "cut.png"), "error": "is truncated"}
    assert answers[-1] == by_where.predict([good[1]])[0]
    assert "4 of 7 images cannot be read" in ended.stderr
    with pytest.raises(ZooError, match=r"cut\.png: is truncated"):
        by_where.predict(given)
    assert list(by_where.iter_predictions(given, keep_going=True)) == answers


def test_evaluate_leaves_out_broken_images_when_asked(by_where, tmp_path, zoo_command) -> None:
    folder = write_folder(tmp_path / "new", 5)
    (folder / "red" / "001.png").write_bytes(b"\x89PNG")
    ended = zoo_command("evaluate", by_where.path, folder, code=1)
    assert "001.png" in ended.stderr and "--drop-missing" in ended.stderr
    ended = zoo_command("evaluate", by_where.path, folder, "--drop-missing", code=0)
    assert "9 examples" in ended.stdout
    assert "warning: 1 image cannot be read" in ended.stderr


def test_a_run_of_an_unknown_family_is_named(trained, tmp_path, zoo_command) -> None:
    shutil.copytree(trained.path, tmp_path / "runs" / "later")
    path = tmp_path / "runs" / "later" / "metrics.json"
    path.write_text(path.read_text().replace('"textcnn"', '"textcn"'))
    assert "unknown model 'textcn'" in zoo_command("runs", tmp_path / "runs", code=1).stderr
