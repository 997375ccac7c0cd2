"""MiniLM's network and its fine-tuning in PyTorch: fused attention, AdamW in one op, clipped."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

VOCABULARY, DIM, INNER, LAYERS, HEADS, POSITIONS = 30_522, 384, 1536, 6, 12, 512
DROPOUT, EPSILON, RATE, DECAY = 0.1, 1e-12, 1e-4, 0.01


class Layer(nn.Module):
    """Post-norm Transformer layer of BERT; query, key and value in one product."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(DIM, 3 * DIM), nn.Linear(DIM, DIM)
        self.up, self.down = nn.Linear(DIM, INNER), nn.Linear(INNER, DIM)
        self.norm1, self.norm2 = nn.LayerNorm(DIM, EPSILON), nn.LayerNorm(DIM, EPSILON)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return `(batch, time, features)` of the same; `mask` is what may be attended to."""
        rows, time, _ = x.shape
        q, k, v = self.qkv(x).view(rows, time, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=DROPOUT)
        mixed = self.out(mixed.transpose(1, 2).reshape(x.shape))
        x = self.norm1(x + functional.dropout(mixed, DROPOUT))
        inner = self.down(functional.gelu(self.up(x)))
        return self.norm2(x + functional.dropout(inner, DROPOUT))


class Encoder(nn.Module):
    """Logits from the mean of the last layer over the tokens, in training."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.words, self.positions = nn.Embedding(VOCABULARY, DIM), nn.Embedding(POSITIONS, DIM)
        self.norm = nn.LayerNorm(DIM, EPSILON)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.head = nn.Linear(DIM, classes)

    def forward(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return logits `(batch, classes)` of ids `(batch, time)`."""
        real = torch.arange(ids.shape[1])[None] < lengths[:, None]
        x = self.norm(self.words(ids) + self.positions.weight[: ids.shape[1]])
        x = functional.dropout(x, DROPOUT)
        for layer in self.layers:
            x = layer(x, real[:, None, None])
        mean = (x * real[..., None]).sum(1) / lengths[:, None]
        return self.head(functional.dropout(mean, DROPOUT))


def trainer(classes: int, bfloat16: bool) -> Callable[..., Callable[[], None]]:
    """Return what makes a round of steps from batches of ids, padded with 0, and labels.

    Args:
        classes: of the head.
        bfloat16: by autocast; else all of it is float32.
    """
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    model = Encoder(classes).train()
    parameters = list(model.parameters())
    groups = [
        {"params": [one for one in parameters if one.ndim > 1], "weight_decay": DECAY},
        {"params": [one for one in parameters if one.ndim == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=RATE, fused=True)

    def train(batches: list[tuple[np.ndarray, np.ndarray]]) -> Callable[[], None]:
        tensors: list[Any] = [
            (
                torch.from_numpy(x).long(),
                torch.from_numpy((x > 0).sum(1)),
                torch.from_numpy(y).long(),
            )
            for x, y in batches
        ]

        def run() -> None:
            for ids, lengths, labels in tensors:
                with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                    logits = model(ids, lengths).float()
                loss = functional.cross_entropy(logits, labels)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                nn.utils.clip_grad_norm_(parameters, 1.0)
                optimizer.step()

        return run

    return train
