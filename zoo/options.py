"""What the commands of the command line share: options, the examples of `--help`, exit codes."""

from __future__ import annotations

import csv
from typing import Annotated, Any

import typer

from zoo import __version__, gpu
from zoo.errors import ZooError
from zoo.plain_yaml import parse_value

EXIT_CODES = (
    "Exit codes: 0 done, 1 an error (one message on stderr), 2 an unknown command or option, "
    "130 Ctrl-C, 143 SIGTERM."
)

EXAMPLES = {
    "train": (
        "zoo train textcnn reviews.csv --test test.csv --out runs/a --set recipe.epochs=5",
        "zoo train resnet photos/ --preset small-data --drop-missing",
        "zoo train runs/a/preset.yaml --out runs/a --resume",
    ),
    "launch": ("zoo launch --workers 2 -- zoo train textcnn reviews.csv --out runs/c",),
    "evaluate": (
        "zoo evaluate runs/a test.csv --json",
        "zoo evaluate runs/photos more/",
    ),
    "predict": (
        'echo "what a film" | zoo predict runs/a',
        "zoo predict runs/a new.csv --text review > predictions.jsonl",
        "zoo predict runs/photos new/ a.jpg",
    ),
    "embed": (
        "zoo embed runs/a new.csv --out vectors.parquet",
        "zoo embed runs/photos photos/ --json",
    ),
    "generate": ('zoo generate runs/lm "the market" --length 50 --top-k 40 --seed 1',),
    "export": (
        "zoo export runs/a serving/",
        "zoo export runs/a small/ --format tflite --quantize int8",
    ),
    "data": (
        "zoo data reviews.csv --text review --label stars",
        "zoo data photos/ --show",
    ),
    "presets": (
        "zoo presets textcnn",
        "zoo presets textcnn/default > mine.yaml",
    ),
    "explain": ("zoo explain textcnn recipe.optimizer.learning_rate",),
    "advice": ("zoo advice A47",),
    "runs": ("zoo runs runs/ --json",),
    "check": (
        "zoo check textcnn reviews.csv",
        "zoo check resnet photos/ --preset small-data --json",
    ),
    "find-lr": (
        "zoo find-lr textcnn reviews.csv",
        "zoo find-lr resnet photos/ --preset small-data --out sweep/",
    ),
    "diagnose": (
        "zoo diagnose runs/a",
        "zoo diagnose history.csv --json",
    ),
}


def examples(command: str) -> str:
    """Return the examples of a command, a paragraph each."""
    return "\n\n".join(("Examples:", *EXAMPLES[command]))


def flag(name: str, text: str) -> Any:
    """Return an option that is there or not: without a type, and without a --no- form."""
    return typer.Option(name, metavar="", help=text)


Json = Annotated[bool, flag("--json", "One JSON document on stdout.")]
Text = Annotated[
    str | None,
    typer.Option("--text", help="Text column, several joined by commas; or that of image files."),
]
DropMissing = Annotated[
    bool, flag("--drop-missing", "Leave out rows without a label, and unreadable images.")
]
Classes = Annotated[
    list[str] | None,
    typer.Option(
        metavar="A,B",
        help="Classes to keep: a,b. One with a comma: 'a,\"b, c\"', or the option once for each.",
    ),
]
ExportFormat = Annotated[str, typer.Option("--format", help="saved-model or tflite.")]
Quantize = Annotated[
    str | None, typer.Option("--quantize", help="int8: weights of 8 bits, in format tflite.")
]
Label = Annotated[str | None, typer.Option("--label", help="Label column.")]
WITH_LABELS = (
    "As for training: CSV, TSV, JSON lines, Parquet, .npz or a folder, with labels; or a corpus."
)
WITHOUT_LABELS = (
    "Texts: a line each (- is stdin), CSV, TSV, JSON lines or Parquet. Images: files, folders and "
    "tables of paths."
)
Model = Annotated[str, typer.Argument(help="Name of a model, or path of a preset file.")]
PresetName = Annotated[str, typer.Option("--preset", help="Name or path of a preset.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override the preset.")
]
Init = Annotated[
    str | None, typer.Option(help="Start from: minilm, e5, glove, a run, a folder of weights.")
]
LearningRate = Annotated[
    str | None, typer.Option(metavar="RATE|auto", help="auto: what `zoo find-lr` suggests.")
]
Devices = Annotated[str, typer.Option("--devices", help="auto, cpu, gpu or gpu:0,1")]
DataPath = Annotated[
    list[str] | None,
    typer.Argument(help="CSV, TSV, JSON lines, Parquet, .npz or text file(s), or a folder."),
]


def listed_classes(given: list[str] | None) -> list[str] | None:
    """Return the classes of `--classes`: of one option those between commas, of several one each.

    Raises:
        ZooError: a quotation mark is not closed.
    """
    if not given or len(given) > 1:
        return given or None
    try:
        (names,) = csv.reader(given, skipinitialspace=True, strict=True)
    except (csv.Error, ValueError) as error:
        raise ZooError(f"--classes takes a,b. Received: {given[0]}: {error}.") from error
    return [name.strip() for name in names]


def _show_version(asked: bool) -> None:
    if asked:
        print(f"zoo {__version__}")
        for line in gpu.described():
            print(f"GPU: {line}")
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option(
        "--version",
        metavar="",
        is_eager=True,
        callback=_show_version,
        help="Show the version and the GPUs, and exit.",
    ),
]


def assignment(entry: str) -> tuple[str, Any]:
    """Return key and value of what --set was given.

    Raises:
        ZooError: it is not KEY=VALUE.
    """
    key, equals, value = entry.partition("=")
    if not equals or not key:
        raise ZooError(f"--set takes KEY=VALUE, such as recipe.epochs=3. Received: '{entry}'.")
    return key.strip(), parse_value(value)


def one_or_all(paths: list[str] | None) -> str | list[str] | None:
    """Return the path that was given, or all of several; None if there is none."""
    if not paths:
        return None
    return paths[0] if len(paths) == 1 else paths
