"""The inputs that failed for users, each through the command a user typed.

They lie outside of the repository, in `../shared/cases`; without them these tests are skipped. The
kinds they stand for have tests of their own, beside the modules.
"""

import json

import pytest


def test_nested_fields_are_refused(zoo_command, shared_case) -> None:
    ended = zoo_command("data", shared_case("text/json_shapes") / "nested.jsonl", code=1)
    assert "nested.jsonl" in ended.stderr


def test_a_label_that_the_first_row_lacks(zoo_command, shared_case) -> None:
    folder = shared_case("text/jsonl_missing")
    for name in ("a.jsonl", "b.jsonl"):
        ended = zoo_command("data", folder / name, code=1)
        assert f"{name}: row 1. Fill" in ended.stderr
        ended = zoo_command("data", folder / name, "--drop-missing", "--json", code=0)
        assert "neg" in json.loads(ended.stdout)["classes"]


def test_an_id_is_no_label(zoo_command, shared_case) -> None:
    path = shared_case("text/columns") / "two_num.csv"
    assert "which column is the label" in zoo_command("data", path, code=1).stderr


@pytest.mark.parametrize("name", ["semi.csv", "pipe.csv"])
def test_other_delimiters(name, zoo_command, shared_case, trained) -> None:
    path = shared_case("text/separators") / name
    for command in (["data", path], ["predict", trained.path, path]):
        ended = zoo_command(*command, code=1)
        assert "fields must be separated by commas" in ended.stderr
        assert ended.stdout == ""


@pytest.mark.parametrize(
    ("name", "classes", "several"),
    [
        ("text/multilabel onehot.csv", {"toxic", "insult", "threat"}, True),
        ("text/multilabel onehot2.csv", {"pos", "neg"}, False),
        ("images/c20_csv onehot.csv", {"red", "blue"}, False),
    ],
)
def test_columns_of_0_and_1(name, classes, several, zoo_command, shared_case) -> None:
    folder, file = name.split()
    path = shared_case(folder) / file
    asked = ["--preset", "resnet/default"] if name.startswith("images/") else []
    seen = json.loads(zoo_command("data", path, *asked, "--json", code=0).stdout)
    assert set(seen["classes"]) == classes
    assert ("labels_a_row" in seen) == several


def test_marks_that_backslashes_escape(zoo_command, shared_case) -> None:
    ended = zoo_command("data", shared_case("text/backslash_quotes") / "a.csv", code=0)
    assert "a.csv: row" in ended.stdout and "a backslash stood before" in ended.stdout


def test_blanks_before_marks(zoo_command, shared_case) -> None:
    path = shared_case("text/separators") / "quoted_space.csv"
    assert "A blank stands before" in zoo_command("data", path, code=1).stderr


def test_utf_32_is_called_so(zoo_command, shared_case) -> None:
    path = shared_case("text/encodings") / "utf-32.csv"
    assert "is not UTF-8 but UTF-32" in zoo_command("data", path, code=1).stderr


def test_lists_as_labels(zoo_command, shared_case) -> None:
    path = shared_case("text/multilabel") / "list.jsonl"
    assert "several labels a row: 3 labels" in zoo_command("data", path, code=0).stdout


@pytest.mark.parametrize("name", ["pandas.json", "data.json", "pretty.jsonl"])
def test_other_shapes_of_json(name, zoo_command, shared_case) -> None:
    path = shared_case("text/json_shapes") / name
    assert "write one object a line" in zoo_command("data", path, code=1).stderr


def test_news_as_they_come(zoo_command, shared_case) -> None:
    ended = zoo_command("data", shared_case("text/layout") / "news", "--json", code=0)
    assert json.loads(ended.stdout)["classes"].keys() == {"rec.autos", "sci.med"}


def test_lone_carriage_returns(zoo_command, shared_case, trained) -> None:
    path = shared_case("text/predict_pipe") / "cr.txt"
    ended = zoo_command("predict", trained.path, path, code=0)
    assert len(ended.stdout.splitlines()) == 3


def test_lists_in_a_table_are_labels(zoo_command, shared_case) -> None:
    ended = zoo_command("data", shared_case("text/multilabel") / "list.csv", code=0)
    assert "several labels a row, in lists: 3 labels" in ended.stdout


def test_real_numbers(zoo_command, shared_case) -> None:
    path = shared_case("text/numbers") / "regress.csv"
    assert "regression is not supported" in zoo_command("data", path, code=1).stderr


def test_paths_of_images(zoo_command, shared_case) -> None:
    path = shared_case("images/c20_csv") / "rel.csv"
    assert "paths of images" in zoo_command("data", path, code=0).stdout


def test_joined_labels_of_images(zoo_command, shared_case) -> None:
    path = shared_case("images/c20_csv") / "multi.csv"
    ended = zoo_command("data", path, "--preset", "resnet/default", code=0)
    assert "several in one" in ended.stdout


def test_a_table_of_paths_without_a_header(zoo_command, tmp_path) -> None:
    rows = [f"img/{label}/{n:02}.png,{label}" for n, label in enumerate(["blue", "red"] * 8)]
    (tmp_path / "nohead.csv").write_text("\n".join(rows))
    ended = zoo_command("data", tmp_path / "nohead.csv", "--preset", "resnet/default", code=1)
    assert "The first line looks like data" in ended.stderr
