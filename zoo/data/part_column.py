"""Parts that a column of a table says: `split` with train, validation and test in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from zoo.data.columns import quoted
from zoo.data.parts import PARTS, part_of
from zoo.errors import ZooError

MOST_VALUES = 50  # of such a column; more are the numbers of folds, or something else


def part_text(value: Any) -> str:
    """Return a value of such a column as text; a missing one is empty."""
    return "" if value is None or value != value else str(value).strip()


def rows_of_parts(
    where: str,
    column: str,
    values: Sequence[str],
    codes: np.ndarray,
    named: Callable[[np.ndarray], str],
) -> dict[str, np.ndarray]:
    """Return the rows of each part, none of them empty; nothing when the values are no parts.

    Rows that are said to be without labels are in no part. `eval` is the validation part, or the
    test part where another is called validation.

    Args:
        where: the table.
        column: name of the column.
        values: its different values.
        codes: positions in `values`, one a row.
        named: from rows to words for them.

    Raises:
        ZooError: some values are parts and others are not, so that it cannot be told which rows
            are held out.
    """
    kinds = [part_of(value) for value in values]
    others = [value for value, kind in zip(values, kinds, strict=True) if not kind]
    if len(others) == len(values):
        return {}
    if others:
        if others != [""] and "train" not in kinds:
            return {}
        rows = np.flatnonzero(np.isin(codes, [values.index(value) for value in others]))
        said = f"{quoted(others)} is no part" if others != [""] else "is empty"
        raise ZooError(
            f"{where}: column '{column}' says the part of each row "
            f"({quoted(value for value in values if value not in others)}), but {said} "
            f"({named(rows)}). Write train, validation or test there, or rename the column to "
            "leave it unread."
        )
    evaluation = "test" if "validation" in kinds else "validation"
    kinds = [evaluation if kind == "evaluation" else kind for kind in kinds]
    of_row = np.array(kinds)[codes]
    found = {part: np.flatnonzero(of_row == part).astype(np.int32) for part in PARTS}
    return {part: rows for part, rows in found.items() if len(rows)}
