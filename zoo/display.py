"""What a person sees of presets, data, runs and findings: tables and short lines."""

from __future__ import annotations

import itertools
import json
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from zoo.errors import ZooError
from zoo.finding import Finding
from zoo.preset.loading import Explanation, Preset, Summary

STYLES = {"info": "green", "warning": "yellow", "error": "red"}
METRICS = ("loss", "accuracy", "macro_f1", "weighted_f1")
LANGUAGE_METRICS = ("loss", "perplexity")
SHOWN_CLASSES = 50  # of data, the largest


def console() -> Console:
    """Return a console on the present stdout; long lines wrap at its width."""
    return Console(highlight=False, soft_wrap=False)


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


def answer_lines(answers: Iterable[Mapping[str, Any]], findings: list[Finding]) -> None:
    """Print predictions as they come, a JSON line each, and what there is to say of their data.

    Args:
        answers: the predictions; one of an image that cannot be read has an `error`.
        findings: where the reading of the data adds what there is to say.

    Raises:
        ZooError: in the end, if there were errors.
    """
    broken = total = 0
    for answer in answers:
        remarks(findings)
        findings.clear()
        print(json.dumps(answer, ensure_ascii=False), flush=True)
        total += 1
        broken += "error" in answer
    if broken:
        why = "its line says why" if broken == 1 else "their lines say why"
        raise ZooError(f"{broken:,} of {total:,} images cannot be read: {why}.")


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
    """Print the end of a training: findings, scores beside the baseline's, and what to do next."""
    metrics = run.metrics
    out = console()
    findings_lines(run.findings[:-1])
    table = Table(title=f"{metrics['model']}/{metrics['preset']}", title_justify="left")
    language = "perplexity" in metrics["validation"]
    shown = LANGUAGE_METRICS if language else METRICS
    baseline = "  bigrams" if language else "  linear"
    for column in ("", *shown):
        table.add_column(column, justify="left" if not column else "right")
    for part in ("validation", "test"):
        for name, scored in ((part, metrics[part]), (baseline, metrics["baseline"][part])):
            if scored:
                table.add_row(name, *(_number(metric, scored[metric]) for metric in shown))
    out.print(table)
    training = metrics["training"]
    out.print(
        f"{training['parameters']:,} parameters, best epoch {training['best_epoch']} of "
        f"{training['epochs']}, {training['examples_per_second']:,.0f} "
        f"{'tokens' if language else 'examples'}/s, "
        f"{metrics['seconds']:.0f} s in all, {100 * training['input_wait_share']:.1f} % of the "
        "training waiting for data"
    )
    findings_lines(run.findings[-1:])
    out.print(f"run: {escape(str(run.path))}", soft_wrap=True)
    folder = escape(shlex.quote(str(run.path)))
    use = f"generate {folder} PROMPT" if language else f"predict {folder} FILE"
    out.print(f"next: zoo {use}    zoo export {folder} DIR", soft_wrap=True)


def perplexity_line(name: str, metrics: dict[str, Any]) -> None:
    """Print the scores of a language model."""
    scored = ", ".join(f"{each} {_number(each, metrics[each])}" for each in LANGUAGE_METRICS)
    unknown = f"{100 * metrics['unknown_share']:.1f} % unknown"
    console().print(f"{name}: {metrics['tokens']:,} tokens ({unknown}), {scored}")


def scores_table(name: str, metrics: dict[str, Any]) -> None:
    """Print overall and per-class scores."""
    out = console()
    out.print(
        f"{name}: {metrics['examples']:,} examples, "
        + ", ".join(f"{metric} {_number(metric, metrics[metric])}" for metric in METRICS)
    )
    table = Table("class", "precision", "recall", "f1", "examples")
    for label, each in metrics["classes"].items():
        ratios = (f"{each[key]:.3f}" for key in ("precision", "recall", "f1"))
        table.add_row(escape(label), *ratios, f"{each['support']:,}")
    out.print(table)


def data_summary(summary: dict[str, Any], findings: Sequence[Finding]) -> None:
    """Print rows, classes, lengths and sample rows of data, then the findings."""
    if "vocabulary" in summary:
        _corpus_summary(summary)
        findings_lines(findings)
        return
    out = console()
    classes = summary["classes"]
    out.print(f"{summary['rows']:,} rows, {len(classes):,} classes")
    table = Table("class", "rows", "share")
    for label, count in itertools.islice(classes.items(), SHOWN_CLASSES):
        table.add_row(escape(str(label)), f"{count:,}", f"{100 * count / summary['rows']:.1f} %")
    out.print(table)
    if len(classes) > SHOWN_CLASSES:
        out.print(f"and {len(classes) - SHOWN_CLASSES:,} smaller classes (all of them: --json)")
    if "lengths" in summary:
        lengths = ", ".join(f"{name} {value:,}" for name, value in summary["lengths"].items())
        out.print(f"tokens a text: {lengths}")
    for row in summary.get("samples", ()):
        out.print(f"  [cyan]{escape(str(row['label']))}[/] {escape(row['text'][:100])}")
    findings_lines(findings)
    if summary.get("sheet"):
        out.print(f"what training sees: {summary['sheet']}", soft_wrap=True)


def _corpus_summary(summary: dict[str, Any]) -> None:
    """Print the parts of a corpus, its vocabulary and its first lines."""
    out = console()
    table = Table("part", "lines", "tokens", "unknown")
    for name, part in summary["parts"].items():
        unknown = f"{100 * part['unknown_share']:.2f} %"
        table.add_row(name, f"{part['lines']:,}", f"{part['tokens']:,}", unknown)
    out.print(table)
    vocabulary = summary["vocabulary"]
    out.print(
        f"vocabulary: {vocabulary['size']:,} {vocabulary['tokenizer']}, learned from the training "
        f"part; the most frequent: {escape(' '.join(vocabulary['first']))}"
    )
    for line in summary["samples"]:
        out.print(f"  {escape(line[:100])}")


def summary_document(entry: Summary) -> dict[str, Any]:
    """Return name, summary and measured results of a preset as JSON types."""
    return {
        "preset": f"{entry.model}/{entry.name}",
        "model": entry.model,
        "summary": entry.summary,
        "measured": [each.model_dump(mode="json") | {"old": each.old} for each in entry.measured],
    }


def presets_table(presets: Sequence[Summary]) -> None:
    """Print one line a preset with its measured results."""
    table = Table("preset", "what for", "measured")
    for preset in presets:
        shown = ", ".join(f"{entry.data} {_measured(entry)}" for entry in preset.measured)
        table.add_row(f"{preset.model}/{preset.name}", preset.summary, shown or "unmeasured")
    console().print(table)
    if any(entry.old for preset in presets for entry in preset.measured):
        console().print("old: the code that trains has changed since the score was measured.")


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
    metrics = run.metrics
    part = metrics.get("test") or metrics.get("validation") or {}
    baseline = metrics["baseline"]["test" if metrics.get("test") else "validation"]
    metric = "perplexity" if "perplexity" in part else "accuracy"
    return {
        "preset": f"{metrics['model']}/{metrics['preset']}",
        "split": "test" if metrics.get("test") else "validation",
        metric: part.get(metric),
        "baseline": baseline[metric],
        "seconds": metrics["seconds"],
    }


def runs_table(runs: Sequence[Any]) -> None:
    """Print one line a run."""
    table = Table("run", "preset", "split", "score", "baseline", "seconds")
    for run in runs:
        line = run_line(run)
        metric = "perplexity" if "perplexity" in line else "accuracy"
        table.add_row(
            escape(str(run.path)), line["preset"], line["split"],
            f"{metric} {_number(metric, line[metric])}", _number(metric, line["baseline"]),
            f"{line['seconds']:.0f}",
        )  # fmt: skip
    console().print(table)


def _number(metric: str, value: float | None) -> str:
    if value is None:
        return "-"
    if metric == "perplexity":
        return f"{value:.2f}"
    return f"{value:.4f}" if metric == "loss" else f"{100 * value:.2f} %"


def _measured(entry: Any) -> str:
    factor = 1 if entry.metric == "perplexity" else 100
    spread = "" if entry.std is None else f" ± {factor * entry.std:.1f}"
    return f"{factor * entry.mean:.1f}{spread}{' (old)' if entry.old else ''}"


def _search(search: Any) -> str:
    if search.values is not None:
        return ", ".join(str(value) for value in search.values)
    return f"{search.min} to {search.max}, {search.scale}"
