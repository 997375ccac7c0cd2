"""Corpora in tables that lines alone do not tell: parts by a column, and tables in memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from zoo.data.columns import ColumnRequest, Columns
from zoo.data.inputs import is_table
from zoo.data.parts import SCORED, given_parts, rows_of_part
from zoo.data.paths import table_kind
from zoo.data.store import Store
from zoo.data.tables import read_rows
from zoo.finding import Finding
from zoo.tasks.language_modeling.lines import corpus_columns, corpus_paths, is_in_memory


class Texts:
    """The texts of rows that are kept on disk, in order, as often as they are asked for.

    Args:
        store: where the rows are.
        rows: positions there.
    """

    def __init__(self, store: Store, rows: np.ndarray):
        self._store, self._rows = store, rows
        self.where = store.file

    @property
    def columns(self) -> Columns | None:
        """The columns that were read."""
        return self._store.columns

    def __iter__(self) -> Iterator[str]:
        """Yield the texts."""
        return self._store.iter_inputs(self._rows)


def kept_tables(
    sources: dict[str, Any], text: str | None, findings: list[Finding], kept: contextlib.ExitStack
) -> dict[str, Any]:
    """Return the sources of a training, with tables that say parts, and those in memory, as texts.

    Args:
        sources: of `train`, and of the other parts that data are given for.
        text: text column of a table.
        findings: what there is to say is added to it.
        kept: closes what is kept on disk.

    Raises:
        ZooError: a table cannot be read, or it cannot be told which rows are held out.
    """
    stores = {}
    for name, source in sources.items():
        store = _stored(source, text, None, kept)
        if store is not None:
            stores[name] = store
    others = [name for name in sources if name != "train"]
    return sources | {
        name: Texts(*part) for name, part in given_parts(stores, findings, others).items()
    }


def kept_table(
    source: Any,
    text: str | None,
    trained: Columns | None,
    findings: list[Finding],
    kept: contextlib.ExitStack,
) -> Any:
    """Return what is scored: of a table that says parts the test rows; else see `kept_tables`."""
    store = _stored(source, text, trained, kept)
    return source if store is None else Texts(store, rows_of_part(store, SCORED, findings))


def _stored(
    source: Any, text: str | None, trained: Columns | None, kept: contextlib.ExitStack
) -> Store | None:
    """Return the rows of a table in memory, or of files with a column that may say parts."""
    if not is_table(source):
        if is_in_memory(source) or not all(map(table_kind, corpus_paths(source).paths)):
            return None
        columns = corpus_columns(source, text=text, trained=trained)[1]
        if columns is None or columns.part is None:
            return None
        source = list(corpus_paths(source).paths)
    return kept.enter_context(
        Store(read_rows(source, ColumnRequest(text, labelled=False, trained=trained)))
    )
