"""The commands of the guides' practice: thin shells around `zoo.diagnosis`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zoo import display
from zoo.options import Json


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
