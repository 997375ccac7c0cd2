"""PyTorch in a process that TensorFlow may share."""

from __future__ import annotations

import sys
from typing import Any


def pytorch() -> Any:
    """Return the module `torch`, after TensorFlow without triton.

    `torch.optim` of PyTorch 2.14 imports triton, which compiling alone takes, and which ends a
    process that has loaded TensorFlow 2.21 before it (segmentation fault).
    """
    if "tensorflow" in sys.modules:
        sys.modules.setdefault("triton", None)  # type: ignore[arg-type]
    import torch

    return torch
