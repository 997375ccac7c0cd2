"""EfficientNet-B0 in PyTorch, as timm has it: symmetric borders, eps 1e-3, drop paths."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from zoo.models.efficientnet import B0, TOP

EPSILON = 1e-3
STEM = 32


def pytorch_network(classes: int, stochastic_depth: float, dropout: float) -> Any:
    """Return the network, whose blocks are those of `zoo.models.efficientnet`.

    Args:
        classes: number of logits.
        stochastic_depth: rate at which the last block is dropped, linear in its number.
        dropout: of the pooled features.
    """
    import torch
    from torch import nn

    def unit(channels: int, filters: int, size: int, stride: int = 1, groups: int = 1) -> list[Any]:
        convolution = nn.Conv2d(
            channels, filters, size, stride, size // 2, groups=groups, bias=False
        )
        return [convolution, nn.BatchNorm2d(filters, EPSILON)]

    class Gates(nn.Module):
        def __init__(self, channels: int, units: int):
            super().__init__()
            self.reduce, self.expand = nn.Conv2d(channels, units, 1), nn.Conv2d(units, channels, 1)

        def forward(self, x: Any) -> Any:
            means = x.mean((2, 3), keepdim=True)
            return x * self.expand(nn.functional.silu(self.reduce(means))).sigmoid()

    class Block(nn.Module):
        def __init__(self, channels: int, stage: Any, stride: int, drop_rate: float):
            super().__init__()
            inner = channels * stage.expansion
            layers = [*unit(channels, inner, 1), nn.SiLU(True)] if stage.expansion > 1 else []
            layers += [*unit(inner, inner, stage.size, stride, inner), nn.SiLU(True)]
            layers += [Gates(inner, int(channels * stage.squeeze_excitation))]
            self.body = nn.Sequential(*layers, *unit(inner, stage.filters, 1))
            self.shortcut = stride == 1 and channels == stage.filters
            self.drop_rate = drop_rate

        def forward(self, x: Any) -> Any:
            y = self.body(x)
            if not self.shortcut:
                return y
            if self.training and self.drop_rate:
                kept = torch.rand(len(x), 1, 1, 1) >= self.drop_rate
                y = y * (kept / (1 - self.drop_rate)).to(y.dtype)
            return x + y

    layers, channels, done = [*unit(3, STEM, 3, 2), nn.SiLU(True)], STEM, 0
    count = sum(stage.repeats for stage in B0)
    for stage in B0:
        for number in range(stage.repeats):
            stride = 1 if number else stage.stride
            layers.append(Block(channels, stage, stride, stochastic_depth * done / count))
            channels, done = stage.filters, done + 1
    layers += [*unit(channels, TOP, 1), nn.SiLU(True), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Dropout(dropout), nn.Linear(TOP, classes))


def pytorch_calls(
    images: np.ndarray, labels: np.ndarray, settings: Any, *, channels_last: bool, bfloat16: bool
) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Return a training step on one batch, SGD with Nesterov's momentum, and a prediction.

    Args:
        images: uint8 `(batch, height, width, 3)`.
        labels: `(batch,)`.
        settings: the architecture block of the zoo's preset.
        channels_last: whether tensors are in that memory format.
        bfloat16: whether convolutions are in half precision (autocast).
    """
    # Loaded after TensorFlow 2.21, triton, which PyTorch 2.14 imports for compiling alone, ends the
    # process.
    sys.modules.setdefault("triton", None)  # type: ignore[arg-type]
    import torch

    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = pytorch_network(settings.num_classes, settings.stochastic_depth, settings.dropout)
    model = model.to(memory_format=layout)
    x = (torch.from_numpy(images).permute(0, 3, 1, 2).float() - 120.0) / 64.0
    x = x.contiguous(memory_format=layout)
    y = torch.from_numpy(labels.astype(np.int64))
    optimizer = torch.optim.SGD(
        model.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-5
    )
    loss = torch.nn.CrossEntropyLoss()

    def step() -> None:
        model.train()
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            logits = model(x)
        value = loss(logits.float(), y)
        value.backward()
        optimizer.step()
        (logits.argmax(1) == y).float().mean().item()  # the accuracy that the others also keep

    def predict() -> np.ndarray:
        model.eval()
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            return model(x).float().numpy()

    return step, predict
