"""Whether a validation part can tell epochs apart."""

from zoo.jobs.validated import few_validated

LINES = [{"val_accuracy": each, "val_loss": 1.0} for each in (0.9, 0.95, 0.95, 0.85)]


def test_few_rows_are_said_with_what_they_mean() -> None:
    (found,) = few_validated(20, LINES, "val_accuracy", 3)
    assert found.level == "warning"
    assert found.what == (
        "validation has 20 rows: one is 5 points of accuracy, and epochs that differ by fewer than "
        "4 (20 points) cannot be told apart. 2 of 4 epochs have the best accuracy; epoch 3, of the "
        "lowest loss among them, is kept."
    )
    assert few_validated(200, LINES, "val_accuracy", 3)[0].level == "info"
    assert few_validated(400, LINES, "val_accuracy", 3) == []


def test_the_loss_has_no_equals() -> None:
    (found,) = few_validated(50, LINES, "val_loss", 1)
    assert "epochs have the best" not in found.what


def test_a_run_says_so(trained) -> None:
    said = [each.what for each in trained.findings if each.what.startswith("validation has ")]
    assert said == [each for each in said if "30 rows: one is 3.3 points" in each]
    assert len(said) == 1
