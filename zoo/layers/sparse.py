"""Products of sparse and dense matrices: Keras has none, so whoever trains may offer one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol


class SparseMatmul(Protocol):
    """The product of a sparse matrix, or of its transpose, with a dense one."""

    def __call__(
        self,
        rows: Any,
        columns: Any,
        values: Any,
        shape: tuple[Any, Any],
        dense: Any,
        transpose: bool = False,
    ) -> Any:
        """Multiply; the places `(rows, columns)` come in order, none of them twice."""


_OFFERED: ContextVar[SparseMatmul | None] = ContextVar("sparse_matmul", default=None)


@contextmanager
def offer_matmul(matmul: SparseMatmul | None) -> Iterator[None]:
    """Let the layers called in the block use a product; None for none."""
    token = _OFFERED.set(matmul)
    try:
        yield
    finally:
        _OFFERED.reset(token)


def offered_matmul() -> SparseMatmul | None:
    """Return the product on offer, None if there is none."""
    return _OFFERED.get()
