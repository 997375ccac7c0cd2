"""The command line: one command a verb, each a thin shell around a function of the package."""

from __future__ import annotations

import json
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer

from zoo import diagnosis_commands, display
from zoo.errors import ZooError, unknown
from zoo.finding import Finding
from zoo.options import (
    EXIT_CODES,
    WITH_LABELS,
    WITHOUT_LABELS,
    Classes,
    DataPath,
    Devices,
    DropMissing,
    ExportFormat,
    Init,
    Json,
    Label,
    LearningRate,
    Model,
    PresetName,
    Quantize,
    Set,
    Text,
    Version,
    assignment,
    examples,
    flag,
    listed_classes,
    one_or_all,
)
from zoo.preset.loading import explain as explain_preset
from zoo.preset.loading import is_preset_file, load_named, shipped_text, summaries
from zoo.preset.schemas import info_of
from zoo.process import standard_input
from zoo.quiet import load_tensorflow

app = typer.Typer(
    name="zoo",
    help="A Keras / TensorFlow model zoo with tuned defaults. `--debug` shows tracebacks.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


@app.callback()
def common(version: Version = False) -> None:
    """Take what comes before a command."""


@app.command(epilog=examples("train"))
def train(
    model: Model,
    data: DataPath = None,
    preset: PresetName = "default",
    init: Init = None,
    validation: Annotated[str | None, typer.Option(help="Data that pick the best epoch.")] = None,
    test: Annotated[str | None, typer.Option(help="Data scored once at the end.")] = None,
    set: Set = None,
    learning_rate: LearningRate = None,
    text: Text = None,
    label: Label = None,
    out: Annotated[Path | None, typer.Option(help="The run's folder.")] = None,
    seed: Annotated[int, typer.Option(help="Fixes split, weights, dropout and order.")] = 0,
    fraction: Annotated[float, typer.Option(help="Share of the training part to use.")] = 1.0,
    classes: Classes = None,
    drop_missing: DropMissing = False,
    devices: Devices = "auto",
    overwrite: Annotated[bool, flag("--overwrite", "Replace the run in --out.")] = False,
    resume: Annotated[
        bool, flag("--resume", "Resume the interrupted run in --out, bit for bit.")
    ] = False,
    note: Annotated[str, typer.Option(help="Why this run; kept in notes.yaml.")] = "",
    as_json: Json = False,
) -> None:
    """Train a model on your data: files in; model, metrics and findings out."""

    def choose_devices() -> None:
        from zoo.distribute import strategy_for

        strategy_for(devices)

    load_tensorflow(choose_devices)
    from zoo.distribute import is_chief, strategy_for
    from zoo.runs.train import train as run_training

    changes = dict(assignment(entry) for entry in set or [])
    run = run_training(
        model,
        one_or_all(data),
        preset=preset,
        init=init,
        set=changes,
        learning_rate=learning_rate,
        validation=validation,
        test=test,
        text=text,
        label=label,
        out=out,
        seed=seed,
        fraction=fraction,
        classes=listed_classes(classes),
        drop_missing=drop_missing,
        devices=devices,
        overwrite=overwrite,
        resume=resume,
        note=note,
    )
    if not is_chief(strategy_for(devices)):
        return
    if as_json:
        display.print_json(display.train_document(run))
    else:
        display.train_summary(run)


@app.command(
    epilog=examples("launch"),
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
def launch(
    command: Annotated[
        list[str], typer.Argument(metavar="-- COMMAND", help="After --: zoo train ...")
    ],
    workers: Annotated[int, typer.Option(help="Worker processes on this machine.")] = 2,
) -> None:
    """Run a command as several workers that train together."""
    from zoo.launch import launch as run_workers

    raise typer.Exit(run_workers(workers, command))


@app.command(epilog=examples("evaluate"))
def evaluate(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    data: Annotated[list[str], typer.Argument(help=WITH_LABELS)],
    text: Text = None,
    label: Label = None,
    drop_missing: DropMissing = False,
    as_json: Json = False,
) -> None:
    """Score a run on data: by the columns of its training, and of several parts the test part."""
    load_tensorflow()
    from zoo.runs.run import load_run

    findings: list[Finding] = []
    loaded = load_run(run)
    metrics = loaded.evaluate(
        one_or_all(data), text=text, label=label, drop_missing=drop_missing, findings=findings
    )
    if as_json:
        documents = [finding.to_dict() for finding in findings]
        display.print_json({"run": str(run), "metrics": metrics, "findings": documents})
        return
    display.remarks(findings)
    display.scores("data", metrics, loaded.info)


@app.command(epilog=examples("predict"))
def predict(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    files: Annotated[list[str] | None, typer.Argument(help=WITHOUT_LABELS)] = None,
    text: Text = None,
) -> None:
    """Predict label and probabilities: texts or images in, JSON lines out, as they come.

    Of a table the columns are read that the run was trained with. An image that cannot be read
    gives a line with an error; the others are predicted, and the exit code is 1.
    """
    load_tensorflow()
    from zoo.runs.run import load_run
    from zoo.tasks.task import load_task

    loaded = load_run(run)
    loaded.check_can("predict")
    inputs = load_task(loaded.task).inputs_to_predict(files or [], standard_input)
    findings: list[Finding] = []
    read = partial(loaded.iter_predictions, text=text, findings=findings, keep_going=True)
    predictions = chain.from_iterable(map(read, inputs))
    display.prediction_lines(predictions, findings, loaded.info.items)


@app.command(epilog=examples("embed"))
def embed(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    files: Annotated[list[str] | None, typer.Argument(help=WITHOUT_LABELS)] = None,
    text: Text = None,
    out: Annotated[
        Path | None, typer.Option(help="A Parquet file; named after the data unless given.")
    ] = None,
    overwrite: Annotated[bool, flag("--overwrite", "Replace the file.")] = False,
    as_json: Json = False,
) -> None:
    """Write the vector of each text or image, before the last layer, as a Parquet file.

    Its columns are row, the input and embedding. An image that cannot be read has no vector, and
    the exit code is 1.
    """
    load_tensorflow()
    from zoo.runs.run import load_run
    from zoo.tasks.embeddings import new_file, write_embeddings
    from zoo.tasks.task import load_task

    loaded = load_run(run)
    loaded.check_can("features")
    path = new_file(out, files or [], overwrite)
    inputs = load_task(loaded.task).inputs_to_predict(files or [], standard_input)
    findings: list[Finding] = []
    read = partial(loaded.iter_features, text=text, findings=findings, keep_going=True)
    written = write_embeddings(path, chain.from_iterable(map(read, inputs)))
    if as_json:
        display.print_json(display.embedding_document(run, path, written, findings))
    else:
        display.remarks(findings)
        display.embedding_summary(path, written)
    if written.problems:
        raise ZooError(display.unread(written, loaded.info.items))


@app.command(epilog=examples("generate"))
def generate(
    run: Annotated[Path, typer.Argument(help="A run's folder, of a language model.")],
    prompt: Annotated[str, typer.Argument(help="What the text begins with.")] = "",
    length: Annotated[int, typer.Option(help="Tokens to draw.")] = 100,
    temperature: Annotated[float, typer.Option(help="0 takes the most probable.")] = 1.0,
    top_k: Annotated[int | None, typer.Option(help="Draw from so many only.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed, the same text.")] = 0,
) -> None:
    """Write text with a language model."""
    load_tensorflow()
    from zoo.runs.run import load_run

    findings: list[Finding] = []
    print(load_run(run).generate(prompt, length, temperature, top_k, seed, findings))
    display.remarks(findings)


@app.command(epilog=examples("export"))
def export(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    folder: Annotated[Path, typer.Argument(help="A new folder.")],
    format: ExportFormat = "saved-model",
    quantize: Quantize = None,
) -> None:
    """Write a SavedModel for a server, or a file for TensorFlow Lite."""
    load_tensorflow()
    from zoo.runs.run import load_run

    loaded = load_run(run)
    display.export_summary(loaded.export(folder, format, quantize), loaded.info)


@app.command(epilog=examples("data"))
def data(
    path: Annotated[list[str], typer.Argument(help="File(s) or a folder.")],
    text: Text = None,
    label: Label = None,
    preset: Annotated[
        str | None, typer.Option(help="MODEL/PRESET whose lengths or sizes it is checked against.")
    ] = None,
    drop_missing: DropMissing = False,
    image_sheet: Annotated[
        bool, flag("--show", "Write a sheet of the images that training sees.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Look at data before training: rows, classes, lengths, and what is wrong with them."""
    load_tensorflow()
    from zoo.starts.initialise import with_start
    from zoo.starts.resolve import resolve_start
    from zoo.starts.word_vectors import with_word_vectors
    from zoo.tasks.image_classification.sources.folders import sheet_file
    from zoo.tasks.request import Request
    from zoo.tasks.task import load_task, recognised_task

    source = one_or_all(path)
    chosen = load_named(preset or recognised_task(source).info.default_model)
    request = Request(source, text=text, label=label, drop_missing=drop_missing)
    if image_sheet and not info_of(chosen.task).has_sheet:
        raise ZooError("--show is for images. Name their preset: --preset resnet/default.")
    sheet = sheet_file(Path(path[0])) if image_sheet else None
    tokenizer, (chosen, _) = None, with_word_vectors(chosen, ())
    if chosen.recipe.init is not None:
        start = resolve_start(chosen.recipe.init)
        (chosen, _), tokenizer = with_start(chosen, start, ()), start.tokenizer
    seen = load_task(chosen.task).inspect(request, chosen, sheet, tokenizer)
    if as_json:
        display.print_json(
            seen.summary | {"findings": [finding.to_dict() for finding in seen.findings]}
        )
    else:
        display.inspection(seen)
    if any(finding.level == "error" for finding in seen.findings):
        raise typer.Exit(1)  # no training would start


@app.command(epilog=examples("presets"))
def presets(
    name: Annotated[
        str | None, typer.Argument(help="MODEL, MODEL/PRESET or a preset file.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the presets, or show one."""
    if name and ("/" in name or is_preset_file(name)):
        chosen = load_named(name)
        text = chosen.to_yaml() if is_preset_file(name) else shipped_text(chosen)
        print(json.dumps(chosen.document(), indent=2) if as_json else text, end="")
        display.remarks(chosen.notices)
        return
    heads = summaries(name)
    if as_json:
        display.print_json([display.summary_document(head) for head in heads])
    else:
        display.presets_table(heads)


@app.command(epilog=examples("explain"))
def explain(
    name: Annotated[str, typer.Argument(help="MODEL, MODEL/PRESET or a preset file.")],
    key: Annotated[
        str | None, typer.Argument(help="Such as recipe.optimizer.learning_rate")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say why a preset's values are what they are."""
    chosen = load_named(name)
    explanations = explain_preset(chosen, key)
    if as_json:
        display.print_json([display.explanation_document(entry) for entry in explanations])
    else:
        display.explanations(chosen, explanations)
    display.remarks(chosen.notices)


@app.command(epilog=examples("advice"))
def advice(
    id: Annotated[str | None, typer.Argument(help="An id such as A47, D3 or kim2014.")] = None,
    as_json: Json = False,
) -> None:
    """Show the practitioners' advice and what in the zoo carries each piece."""
    from zoo.preset import advice as table

    entries = [table.entry(id)] if id else list(table.load_advice().values())
    if as_json:
        display.print_json([entry.model_dump(mode="json") for entry in entries])
    elif id:
        display.advice_entry(entries[0])
    else:
        display.advice_table(entries)


@app.command(epilog=examples("runs"))
def runs(
    folder: Annotated[Path, typer.Argument(help="A folder of runs.")] = Path("runs"),
    as_json: Json = False,
) -> None:
    """List the finished runs in a folder, oldest first."""
    from zoo.runs.run import list_runs

    finished = list_runs(folder)
    if as_json:
        display.print_json([{"run": str(run.path), **display.run_line(run)} for run in finished])
    else:
        display.runs_table(finished)


app.command(epilog=examples("check"))(diagnosis_commands.check)
app.command(name="find-lr", epilog=examples("find-lr"))(diagnosis_commands.find_lr)
app.command(epilog=examples("diagnose"))(diagnosis_commands.diagnose)


@app.command(name="help")
def help_(
    context: typer.Context,
    command: Annotated[str | None, typer.Argument(help="A command.")] = None,
) -> None:
    """Show what a command does, as its --help."""
    above: Any = context.parent
    if command is None:
        print(above.get_help())
        return
    chosen = above.command.get_command(above, command)
    if chosen is None:
        raise unknown("command", command, above.command.list_commands(above))
    names = above.help_option_names
    chosen.main(names[-1:], prog_name=f"zoo {command}", help_option_names=names)
