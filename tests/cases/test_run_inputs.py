"""What runs are given after training: the inputs that failed for users, as they typed them."""

import json

import pytest


@pytest.mark.slow
def test_evaluate_reads_the_columns_of_the_training(zoo_command, shared_case, tmp_path) -> None:
    folder = shared_case("text/columns_remembered")
    run = tmp_path / "run"
    quick = ("recipe.epochs=3", "recipe.min_steps=0", "architecture.filters=16")
    zoo_command(
        "train", "textcnn", folder / "train.csv", "--text", "title", "--out", run,
        *(word for each in quick for word in ("--set", each)), code=0,
    )  # fmt: skip
    ended = zoo_command("evaluate", run, folder / "test.csv", "--json", code=0)
    assert json.loads(ended.stdout)["metrics"]["accuracy"] > 0.9  # by `text` it is 0.53
    ended = zoo_command("predict", run, folder / "test.csv", code=0)
    assert "text column 'title'" in ended.stderr and len(ended.stdout.splitlines()) == 100


def test_rows_that_a_column_holds_out_are_not_trained_on(zoo_command, shared_case) -> None:
    table = shared_case("images/c20_csv") / "index.csv"
    ended = zoo_command("data", table, "--preset", "resnet/default", "--json", code=0)
    document = json.loads(ended.stdout)
    said = " ".join(each["what"] for each in document["findings"])
    assert "column 'split' gives the parts" in said and "columns not read: ''" in said
    lines = table.read_text().splitlines()
    assert document["parts"]["test"] == sum(line.endswith(",test") for line in lines)


@pytest.mark.parametrize(
    "name, words",
    [
        ("floats.csv", ["'1.0'", "'0.0'"]),
        ("bools.csv", ["'True'", "'true'", "'TRUE'"]),
        ("case.csv", ["'Positive'", "'positive.'", "'positive\\u200b'"]),
    ],
)
def test_labels_that_look_alike_are_told(zoo_command, shared_case, name, words) -> None:
    ended = zoo_command("data", shared_case("text/label_forms") / name, code=0)
    line = next(line for line in ended.stdout.splitlines() if "look alike" in line)
    assert "warning" in line and all(word in line for word in words)


def test_class_folders_that_look_alike_are_told(zoo_command, shared_case) -> None:
    ended = zoo_command("data", shared_case("images/c24_case") / "d", "--json", code=0)
    findings = json.loads(ended.stdout)["findings"]
    assert any("'Red' (" in each["what"] and "'red' (" in each["what"] for each in findings)


@pytest.mark.slow
def test_evaluate_of_floats_and_of_gaps(zoo_command, shared_case, tmp_path) -> None:
    folder, run = shared_case("text/unseen"), tmp_path / "run"
    quick = ("recipe.epochs=2", "recipe.min_steps=0", "architecture.filters=16")
    zoo_command(
        "train", "textcnn", folder / "int_train.csv", "--out", run,
        *(word for each in quick for word in ("--set", each)), code=0,
    )  # fmt: skip
    ended = zoo_command("evaluate", run, folder / "float.csv", "--json", code=0)
    assert set(json.loads(ended.stdout)["metrics"]["classes"]) == {"0", "1"}
    ended = zoo_command("evaluate", run, folder / "somemissing.csv", code=1)
    assert "--drop-missing" in ended.stderr
    ended = zoo_command("evaluate", run, folder / "somemissing.csv", "--drop-missing", code=1)
    assert "unknown to training: 'neg', 'pos'" in ended.stderr


@pytest.mark.slow
def test_tables_and_broken_files_of_images(zoo_command, shared_case, tmp_path) -> None:
    table, broken = shared_case("images/c20_csv") / "rel.csv", shared_case("images/c12_broken")
    run = tmp_path / "run"
    quick = ("recipe.epochs=2", "recipe.min_steps=0", "architecture.image_size=16")
    zoo_command(
        "train", "resnet", table, "--preset", "debug", "--out", run,
        *(word for each in quick for word in ("--set", each)), code=0,
    )  # fmt: skip
    ended = zoo_command("predict", run, table, code=0)
    assert len(ended.stdout.splitlines()) == len(table.read_text().split()) - 1
    ended = zoo_command("predict", run, broken / "d", code=1)
    answers = [json.loads(line) for line in ended.stdout.splitlines()]
    assert all(("error" in each) != ("label" in each) for each in answers)
    failed = sum("error" in each for each in answers)
    assert f"{failed} of {len(answers)} images cannot be read" in ended.stderr
    ended = zoo_command("evaluate", run, broken / "d", code=1)
    assert "--drop-missing" in ended.stderr
    ended = zoo_command("evaluate", run, broken / "d", "--drop-missing", "--json", code=0)
    assert json.loads(ended.stdout)["metrics"]["examples"] == len(answers) - failed
