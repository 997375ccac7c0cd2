"""Parts of a corpus: the lines of training, validation and test."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from zoo.data.checks import columns_read
from zoo.data.columns import ColumnRequest, Columns
from zoo.data.parts import part_sources
from zoo.errors import ZooError
from zoo.finding import Finding
from zoo.tasks.corpora.lines import (
    StoredTexts,
    content_digest,
    corpus_columns,
    corpus_paths,
    is_in_memory,
    lines_between,
    read_lines,
    store_tables,
)
from zoo.tasks.corpora.token_ids import cached_length
from zoo.tasks.request import Request


def corpus_parts(
    request: Request,
    validation_fraction: float,
    findings: list[Finding],
    stack: contextlib.ExitStack,
) -> tuple[dict[str, Part], Columns | None]:
    """Return the lines of train, validation and, if there is one, test; and the columns read.

    Args:
        request: text file, list of files, folder, array of texts, or table in memory.
        validation_fraction: share at the end of the training text set aside where no validation
            part is given.
        findings: findings on what is read are appended to it.
        stack: closes what is kept on disk.

    Raises:
        ZooError: the corpus cannot be read, or something of labels is asked for.
    """
    check_unlabelled(request)
    column_request = ColumnRequest(request.text, labelled=False)
    given = {"train": request.data, "validation": request.validation, "test": request.test}
    given = {name: data for name, data in given.items() if data is not None}
    given = store_tables(given, column_request, findings, stack)
    given = {name: _rereadable(data) for name, data in given.items()}
    sources = part_sources(
        given["train"], given.get("validation"), given.get("test"), corpus_paths, findings
    )
    table, columns = corpus_columns(sources["train"], column_request)
    findings += columns_read(table, columns)
    return _set_apart(sources, column_request, validation_fraction, request.fraction), columns


def check_unlabelled(request: Request) -> None:
    """Refuse what is asked for of labels: a corpus has none.

    Raises:
        ZooError: the message names the option.
    """
    for name in ("label", "classes", "drop_missing"):
        if getattr(request, name):
            raise ZooError(f"a language model has no labels: leave out `{name}`.")


def bundled_corpus() -> Path:
    """Return the path of the corpus that comes with the package, a folder of three parts."""
    return Path(__file__).parent / "bundled" / "tinyshakespeare"


@dataclasses.dataclass(frozen=True)
class Part:
    """A part of a corpus: the lines of a source, or those between two of its characters.

    Args:
        source: path, list of paths, folder, or texts.
        request: which columns of a table.
        content: digest of the whole source.
        between: the first character, the one after the last, and the total; None is all.
    """

    source: Any
    request: ColumnRequest
    content: str
    between: tuple[int, int, int] | None = None

    @property
    def digest(self) -> str:
        """A text that differs where the lines do."""
        between = "" if self.between is None else list(self.between)
        return f"{self.content} {self.request.inputs}{between}"

    def lines(self) -> Iterator[str]:
        """Yield the lines."""
        lines = read_lines(self.source, self.request)
        return lines if self.between is None else lines_between(lines, *self.between)


def _set_apart(
    sources: Mapping[str, Any], request: ColumnRequest, held_out: float, fraction: float
) -> dict[str, Part]:
    """Return the parts, before anything is learned: the end set aside, the sample taken."""
    parts = {name: Part(data, request, content_digest(data)) for name, data in sources.items()}
    train = parts["train"]
    if "validation" in parts and fraction == 1.0:
        return parts
    total = cached_length(train.digest, train.lines())
    end = total
    if "validation" not in parts:
        end = total - max(int(total * held_out), 1)
        parts["validation"] = dataclasses.replace(train, between=(end, total, total))
    parts["train"] = dataclasses.replace(train, between=(0, int(end * fraction), total))
    return parts


def _rereadable(source: Any) -> Any:
    """Return a source that can be read more than once."""
    once = is_in_memory(source) and not isinstance(source, list | StoredTexts)
    return list(source) if once else source
