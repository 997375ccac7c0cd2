"""Files and folders of several parts: told apart by their names, or refused with the command."""

import json

import pytest
from conftest import sentences, write_csv

from zoo import ZooError
from zoo.data.parts import part_sources, scored_source
from zoo.data.tables import table_paths
from zoo.tasks.corpora.lines import corpus_paths


def corpus_files(folder, *names):
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name} {number}\n" * 3)
    return folder


def parts(source, pieces=corpus_paths, validation=None, test=None):
    """Return the names of the files of each part."""
    found = part_sources(source, validation, test, pieces, [])
    return {
        part: sorted(path.name for path in some) if isinstance(some, list) else some
        for part, some in found.items()
    }


@pytest.mark.parametrize(
    "names",
    [
        {"train": ["ptb.train.txt"], "validation": ["ptb.valid.txt"], "test": ["ptb.test.txt"]},
        {"train": ["wiki.train.tokens"], "test": ["wiki.test.tokens"]},
        {
            "train": ["train-00000-of-00002.txt", "train-00001-of-00002.txt"],
            "validation": ["validation-00000-of-00001.txt"],
        },
        {"train": ["train/test.txt", "train/b.txt"], "validation": ["dev/a.txt.gz"]},
        {"train": ["train.csv"], "validation": ["val.jsonl"], "test": ["test.parquet"]},
    ],
)
def test_published_names_are_parts(names, tmp_path, monkeypatch) -> None:
    files = [name for some in names.values() for name in some]
    corpus_files(tmp_path / "test", *files)  # the name of the folder says nothing
    expected = {
        part: sorted(name.rpartition("/")[2] for name in some) for part, some in names.items()
    }
    assert parts(tmp_path / "test") == expected
    monkeypatch.chdir(tmp_path)
    assert parts([f"test/{name}" for name in files]) == expected
    if not any("/" in name for name in files):
        assert parts("test/*") == expected


@pytest.mark.parametrize(
    "names",
    [["a.txt", "b.txt"], ["train-0.txt", "train-1.txt"], ["test-0.txt", "test-1.txt"],
     ["train.txt", "more.txt"]],
)  # fmt: skip
def test_names_that_say_one_part_are_one(names, tmp_path) -> None:
    assert parts(corpus_files(tmp_path, *names)) == {"train": tmp_path}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["a.txt", "test.txt"],
            r"not clear which part 'a\.txt' is.*`zoo train MODEL \S+a\.txt --test",
        ),
        (
            ["train.txt", "eval.txt"],
            r"which part 'eval\.txt' is.*`zoo train MODEL \S+train\.txt --test \S+eval\.txt`",
        ),
        (["valid.txt", "test.txt"], "holds no training part, but validation valid.txt; test test"),
    ],
)
def test_what_is_not_clear_is_refused_with_the_command(names, message, tmp_path) -> None:
    with pytest.raises(ZooError, match=message):
        parts(corpus_files(tmp_path, *names))


def test_other_data_that_are_given_come_first(tmp_path) -> None:
    folder = corpus_files(tmp_path / "a", "train.txt", "valid.txt", "test.txt", "unlabelled.txt")
    other = corpus_files(tmp_path / "b", "train.txt", "test.txt")
    findings = []
    found = part_sources(folder, None, other, corpus_paths, findings)
    assert [path.parent.name for path in found["test"]] == ["b"]
    assert [path.name for path in found["validation"]] == ["valid.txt"]
    assert "Not read: 'test', 'unlabelled'" in findings[0].what
    assert "the test part is read, not 'train'" in findings[1].what
    assert [path.name for path in scored_source(folder, corpus_paths, [])] == ["test.txt"]
    with pytest.raises(ZooError, match="but is given as the validation data"):
        part_sources(folder / "train.txt", other, None, corpus_paths, [])


def write_texts(folder, rows):
    for number, (text, label) in enumerate(rows):
        (folder / label).mkdir(parents=True, exist_ok=True)
        (folder / label / f"{number}.txt").write_text(text)


def test_class_folders_in_folders_of_parts(tmp_path) -> None:
    for number, name in enumerate(("train", "test")):
        write_texts(tmp_path / name, sentences(4, seed=number))
    assert parts(tmp_path, table_paths) == {"train": ["train"], "test": ["test"]}
    (tmp_path / "test").rename(tmp_path / "eval")
    with pytest.raises(ZooError, match=r"zoo train MODEL \S+train --test \S+eval`"):
        parts(tmp_path, table_paths)
    # A class may be called test: its texts lie in it.
    write_texts(tmp_path / "classes", [("a", "test"), ("b", "drive")])
    assert parts(tmp_path / "classes", table_paths) == {"train": tmp_path / "classes"}


def test_commands_read_each_part_of_tables(trained, zoo_command, tmp_path) -> None:
    write_csv(tmp_path / "train.csv", sentences(120))
    write_csv(tmp_path / "test.csv", sentences(30, seed=5))
    ended = zoo_command("data", tmp_path, "--json", code=0)
    document = json.loads(ended.stdout)
    assert document["rows"] == 120
    assert "the parts by their names: train train.csv; test test.csv" in ended.stdout
    ended = zoo_command("evaluate", trained.path, tmp_path, "--json", code=0)
    assert json.loads(ended.stdout)["metrics"]["examples"] == 30
    assert "the test part is read, not 'train'" in ended.stdout + ended.stderr
    (tmp_path / "train.csv").rename(tmp_path / "reviews.csv")
    ended = zoo_command("train", "textcnn", tmp_path, code=1)
    assert f"zoo train MODEL {tmp_path}/reviews.csv --test {tmp_path}/test.csv" in ended.stderr
