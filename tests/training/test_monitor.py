import csv
import os
import re

import pytest
from rich.console import Console
from training_parts import arrays, compiled

from zoo.training import monitor as module
from zoo.training.monitor import Monitor

X, Y = arrays(48)


def train(monitor: Monitor, **arguments):
    model = compiled(**{"recipe.schedule.name": "linear"})
    arguments = {"validation_data": (X, Y)} | arguments
    model.fit(X, Y, verbose=0, callbacks=[monitor], **arguments)
    return model


def test_figures_and_history(tmp_path) -> None:
    path = tmp_path / "history.csv"
    monitor = Monitor(0.0, path, len(X), show=False)
    model = train(monitor)
    figures = monitor.to_dict()
    assert (figures["epochs"], figures["steps"]) == (3, 9)
    assert figures["best_epoch"] == model.best_epoch
    assert figures["examples_per_second"] == pytest.approx(3 * 48 / figures["seconds"])
    assert 0 <= figures["input_wait_share"] <= 1
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["epoch"] for line in lines] == ["1", "2", "3"]
    assert float(lines[2]["learning_rate"]) == pytest.approx(0.01 * 0.01)
    assert float(lines[0]["val_loss"]) > 0


def test_no_epoch_waits_for_the_disk(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: pytest.fail("it may take a minute"))
    train(Monitor(0.0, tmp_path / "history.csv", len(X), show=False))
    assert len((tmp_path / "history.csv").read_text().splitlines()) == 4


def test_history_of_epochs_without_validation(tmp_path) -> None:
    path = tmp_path / "history.csv"
    train(Monitor(0.0, path, len(X), show=False), validation_freq=2)
    with path.open(newline="") as file:
        assert [bool(line["val_loss"]) for line in csv.DictReader(file)] == [False, True, False]


def test_plain_lines_where_stderr_is_no_terminal(capsys) -> None:
    monitor = Monitor(0.0, None, len(X), show=True)
    train(monitor)
    shown = capsys.readouterr()
    assert shown.out == ""
    lines = shown.err.splitlines()
    assert len(lines) == 3
    assert re.match(r"epoch 1/3  loss \d\.\d+  val_loss \d\.\d+ .* s$", lines[0])


def test_a_bar_with_the_time_left_on_a_terminal(capsys, monkeypatch) -> None:
    def terminal(**arguments):
        return Console(**arguments, force_terminal=True, width=100)

    monkeypatch.setattr(module, "Console", terminal)
    monitor = Monitor(0.0, None, len(X), show=True)
    train(monitor)
    err = capsys.readouterr().err
    assert "epoch 1" in err
    assert re.search(r"-?\d?:\d\d", err)
    monitor.close()  # once more does no harm


def test_quiet_says_nothing(capsys) -> None:
    train(Monitor(0.0, None, len(X), show=False))
    shown = capsys.readouterr()
    assert shown.out == shown.err == ""


def test_finding_when_the_last_epoch_was_the_best() -> None:
    monitor = Monitor(0.0, None, len(X), show=False)
    model = train(monitor)
    model.best_epoch = 3
    (found,) = monitor.findings()
    assert "last of 3 epochs was the best" in found.what
    model.best_epoch = 2
    assert monitor.findings() == []
