"""Whether a validation part can tell epochs apart."""

import csv

from zoo.preset.loading import load_preset
from zoo.runs.resolve import with_monitor
from zoo.tasks.classifiers import few_validated

LINES = [{"val_accuracy": each, "val_loss": 1.0} for each in (0.9, 0.95, 0.95, 0.85)]


def test_few_rows_are_said_with_what_they_mean() -> None:
    (found,) = few_validated(20, LINES, "accuracy", 3)
    assert found.level == "warning"
    assert found.what == (
        "validation has 20 rows: one is 5 points of accuracy, and epochs that differ by fewer than "
        "4 (20 points) cannot be told apart. 2 of 4 epochs have the best accuracy; "
        "epoch 3 is kept."
    )
    assert few_validated(200, LINES, "accuracy", 3)[0].level == "info"
    assert few_validated(400, LINES, "accuracy", 3) == []


def test_the_loss_has_no_equals() -> None:
    (found,) = few_validated(50, LINES, "loss", 1)
    assert "epochs have the best" not in found.what


def test_a_run_says_so(trained) -> None:
    said = [each.what for each in trained.findings if each.what.startswith("validation has ")]
    assert said == [each for each in said if "30 rows: one is 3.3 points" in each]
    assert len(said) == 1


def test_smoothed_accuracy_picks_the_epoch_of_very_few_rows() -> None:
    preset = load_preset("textcnn")
    small, said = with_monitor(preset, 50, ())
    assert small.recipe.monitor == "smoothed-accuracy"
    assert said[0].what.startswith(
        "recipe.monitor accuracy -> smoothed-accuracy: of 50 rows of validation one is 2 points"
    )
    assert with_monitor(preset, 100, ()) == (preset, [])
    assert with_monitor(preset, 50, ("recipe.monitor",)) == (preset, [])


def test_a_run_on_few_rows_keeps_the_best_of_three_epochs(trained) -> None:
    with (trained.path / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    accuracy = [float(row["val_accuracy"]) for row in rows]
    means = [sum(part) / len(part) for part in (accuracy[max(n - 2, 0) : n + 1] for n in range(6))]
    loss = [float(row["val_loss"]) for row in rows]
    best = min(range(6), key=lambda n: (-round(means[n], 4), loss[n]))
    assert trained.metrics["training"]["best_epoch"] == best + 1
    assert trained.preset.recipe.monitor == "accuracy"
    assert any(each.what.startswith("recipe.monitor accuracy -> ") for each in trained.findings)
