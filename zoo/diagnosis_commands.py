"""The commands of the guides' practice: thin shells around `zoo.diagnosis`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zoo import display
from zoo.options import (
    Classes,
    DataPath,
    Devices,
    DropMissing,
    Init,
    Json,
    Label,
    Model,
    PresetName,
    Set,
    Text,
    assignment,
    listed_classes,
    one_or_all,
)
from zoo.quiet import load_tensorflow


def check(
    model: Model,
    data: DataPath = None,
    preset: PresetName = "default",
    init: Init = None,
    set: Set = None,
    text: Text = None,
    label: Label = None,
    seed: Annotated[int, typer.Option(help="Fixes split, weights, dropout and order.")] = 0,
    fraction: Annotated[float, typer.Option(help="Share of the training part to use.")] = 1.0,
    classes: Classes = None,
    drop_missing: DropMissing = False,
    as_json: Json = False,
) -> None:
    """Check a model on data before it is trained; exit code 1 where a check finds an error."""
    load_tensorflow()
    from zoo.runs.check import check as run_checks

    findings = run_checks(
        model,
        one_or_all(data),
        preset=preset,
        init=init,
        set=dict(assignment(entry) for entry in set or []),
        text=text,
        label=label,
        seed=seed,
        fraction=fraction,
        classes=listed_classes(classes),
        drop_missing=drop_missing,
    )
    if as_json:
        display.print_json({"findings": [finding.to_dict() for finding in findings]})
    else:
        display.findings_lines(findings)
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(1)


def find_lr(
    model: Model,
    data: DataPath = None,
    preset: PresetName = "default",
    init: Init = None,
    set: Set = None,
    text: Text = None,
    label: Label = None,
    seed: Annotated[int, typer.Option(help="Fixes split, weights, dropout and order.")] = 0,
    fraction: Annotated[float, typer.Option(help="Share of the training part to use.")] = 1.0,
    classes: Classes = None,
    drop_missing: DropMissing = False,
    devices: Devices = "auto",
    out: Annotated[
        Path | None, typer.Option(help="A folder for find-lr.json and find-lr.png.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Sweep the learning rate from tiny to huge: where does the loss fall?"""
    load_tensorflow()
    from zoo.runs.find_lr import find_lr as find

    found = find(
        model,
        one_or_all(data),
        preset=preset,
        init=init,
        set=dict(assignment(entry) for entry in set or []),
        text=text,
        label=label,
        seed=seed,
        fraction=fraction,
        classes=listed_classes(classes),
        drop_missing=drop_missing,
        devices=devices,
    )
    files = found.save(out) if out is not None else ()
    if as_json:
        display.print_json(found.to_dict())
    else:
        chosen = [] if preset == "default" else ["--preset", preset]
        display.sweep_summary(found, files, ["zoo", "train", model, *(data or []), *chosen])


def diagnose(
    source: Annotated[Path, typer.Argument(help="A run's folder, or the history of another run.")],
    classes: Annotated[
        int | None, typer.Option(help="Number of them, of another run with one label a row.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what the curves of a training run mean, the verdict first, and what to do next.

    Other histories: a CSV file with a line an epoch, as Keras' CSVLogger writes it, or the folder
    of Keras' TensorBoard callback.
    """
    from zoo.diagnosis.diagnose import diagnose as diagnose_source

    findings = diagnose_source(source, classes=classes)
    if as_json:
        documents = [finding.to_dict() for finding in findings]
        display.print_json(
            {"source": str(source), "verdict": findings[0].name, "findings": documents}
        )
    else:
        display.findings_lines(findings)
