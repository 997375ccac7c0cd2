"""Which rows of which data are the parts that are trained on, validated and tested with."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from zoo.data.columns import quoted
from zoo.data.parts import PARTS
from zoo.data.store import Store
from zoo.errors import ZooError
from zoo.finding import Finding

SCORED = ("test", "validation", "train")  # which of several parts is scored


def given_parts(
    stores: Mapping[str, Store], findings: list[Finding], others: Collection[str] = ()
) -> dict[str, tuple[Store, np.ndarray]]:
    """Return store and rows of each part: of its own data, or as a column of the table says.

    Rows that a column holds out of training stay out, also where other data are given for them.

    Args:
        stores: `train`, and of the other parts those that data are given for.
        findings: what there is to say is added to it.
        others: parts that data are given for which are no stores.

    Raises:
        ZooError: the column leaves nothing to train on, or says several parts of data that were
            given for another one.
    """
    given: dict[str, tuple[Store, np.ndarray]] = {}
    for name, store in stores.items():
        if name != "train" or not store.parts:
            given[name] = (store, rows_of_part(store, (name,), findings))
            continue
        if "train" not in store.parts:
            raise ZooError(
                f"{_where(store)} says {quoted(store.parts)}: no row is for training. Give the "
                "training rows, or rename the column to leave it unread."
            )
        unused = [part for part in store.parts if part != "train" and part in (*stores, *others)]
        findings.append(_parts_finding(store, unused))
        given |= {part: (store, rows) for part, rows in store.parts.items() if part not in unused}
    return {part: given[part] for part in PARTS if part in given}


def rows_of_part(store: Store, wanted: Sequence[str], findings: list[Finding]) -> np.ndarray:
    """Return the rows of the first part that is there, or all where no column says parts.

    Args:
        store: where the rows are.
        wanted: names of parts; of a table of one part that one is taken, whatever its name.
        findings: what there is to say is added to it.

    Raises:
        ZooError: there are several parts, and none of those that are wanted.
    """
    parts = store.parts
    if len(parts) < 2:
        return next(iter(parts.values()), np.arange(len(store), dtype=np.int32))
    part = next((part for part in wanted if part in parts), None)
    if part is None:
        raise ZooError(
            f"{_where(store)} says {quoted(parts)}, but the table is given as the {wanted[0]} "
            "data. Give its rows as a table of their own."
        )
    findings.append(scored_part(_where(store), part, parts))
    return parts[part]


def scored_part(where: str, part: str, parts: Iterable[str]) -> Finding:
    """Return what there is to say when one part of several is read."""
    others = quoted(other for other in parts if other != part)
    return Finding("info", f"{where}: the {part} part is read, not {others}.", {"part": part})


def _where(store: Store) -> str:
    column = store.columns.part if store.columns else None
    return f"{store.file}: column '{column}'"


def _parts_finding(store: Store, unused: Sequence[str]) -> Finding:
    counts = {part: len(rows) for part, rows in store.parts.items()}
    said = [
        f"{part} {count:,}{' (not used: others are given)' if part in unused else ''}"
        for part, count in counts.items()
    ]
    left = len(store) - sum(counts.values())
    if left:
        said.append(f"without labels {left:,} (not used)")
    what = f"{_where(store)} gives the parts, in rows: {', '.join(said)}."
    return Finding("info", what, {"parts": counts})
