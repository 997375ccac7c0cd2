"""The tokens of a corpus that a trained model is asked to score."""

from __future__ import annotations

import contextlib

from zoo.data.checks import columns_read
from zoo.data.columns import ColumnRequest, Columns
from zoo.data.parts import scored_source
from zoo.finding import Finding
from zoo.tasks.corpora.lines import (
    content_digest,
    corpus_columns,
    corpus_paths,
    read_lines,
    store_scored_table,
)
from zoo.tasks.corpora.parts import check_unlabelled
from zoo.tasks.corpora.token_ids import LineTokenizer, Tokens, cached_tokens
from zoo.tasks.request import Request


def scored_tokens(
    request: Request,
    tokenizer: LineTokenizer,
    trained: Columns | None,
    findings: list[Finding] | None,
) -> Tokens:
    """Return the ids of a corpus; of files that are parts by their names, of the test part.

    Args:
        request: the data, and the column of texts of a table.
        tokenizer: of the trained model.
        trained: the columns that it was trained with.
        findings: on what is read; those made here are appended.

    Raises:
        ZooError: the data cannot be read, or something of labels is asked for.
    """
    check_unlabelled(request)
    findings = [] if findings is None else findings
    columns_asked = ColumnRequest(request.text, labelled=False, trained=trained)
    with contextlib.ExitStack() as stack:
        data = store_scored_table(request.data, columns_asked, findings, stack)
        data = scored_source(data, corpus_paths, findings)
        table, columns = corpus_columns(data, columns_asked)
        findings += columns_read(table, columns, trained=trained)
        digest = f"{content_digest(data)} {columns.inputs if columns else None}"
        return cached_tokens(digest, read_lines(data, columns_asked), tokenizer)
