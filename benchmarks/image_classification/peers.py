"""Training in PyTorch, and two networks: ResNet-20 of He 2015 and the fast one of airbench."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.pytorch import pytorch


def pytorch_step(
    name: str, filters: tuple[int, ...], images: np.ndarray, labels: np.ndarray, *,
    channels_last: bool, bfloat16: bool,
) -> Callable[[], Any]:  # fmt: skip
    """Return a training step of PyTorch on one batch.

    Args:
        name: `resnet20` or `fast`.
        filters: of the three stages.
        images: uint8 `(batch, height, width, 3)`.
        labels: `(batch,)`.
        channels_last: whether tensors are in that memory format.
        bfloat16: whether convolutions are in half precision (autocast).
    """
    model = (_resnet20 if name == "resnet20" else fast_network)(pytorch(), filters)
    step, _ = pytorch_calls(
        model, images, labels,
        weight_decay=5e-4, channels_last=channels_last, bfloat16=bfloat16,
    )  # fmt: skip
    return step


def pytorch_calls(
    model: Any, images: np.ndarray, labels: np.ndarray, *,
    weight_decay: float, channels_last: bool, bfloat16: bool,
) -> tuple[Callable[[], Any], Callable[[], Any]]:  # fmt: skip
    """Return a training step on one batch, SGD with Nesterov's momentum, and a prediction.

    Args:
        model: the network, from images to logits.
        images: uint8 `(batch, height, width, 3)`.
        labels: `(batch,)`.
        weight_decay: a step, which goes through the momentum.
        channels_last: whether tensors are in that memory format.
        bfloat16: whether convolutions are in half precision (autocast).
    """
    torch = pytorch()
    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = model.to(memory_format=layout)
    x = (torch.from_numpy(images).permute(0, 3, 1, 2).float() - 120.0) / 64.0
    x = x.contiguous(memory_format=layout)
    y = torch.from_numpy(labels.astype(np.int64))
    optimizer = torch.optim.SGD(
        model.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=weight_decay
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


def _unit(torch: Any, channels: int, filters: int, stride: int = 1) -> list[Any]:
    convolution = torch.nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
    return [convolution, torch.nn.BatchNorm2d(filters)]


def _resnet20(torch: Any, filters: tuple[int, ...]) -> Any:
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self, channels: int, width: int, stride: int):
            super().__init__()
            first, second = _unit(torch, channels, width, stride), _unit(torch, width, width)
            self.body = nn.Sequential(*first, nn.ReLU(), *second)
            self.stride, self.more = stride, (width - channels) // 2

        def forward(self, x: Any) -> Any:
            y = self.body(x)
            if self.stride > 1:
                x = nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more, self.more))
            return torch.relu(x + y)

    layers: list[Any] = [*_unit(torch, 3, filters[0]), nn.ReLU()]
    channels = filters[0]
    for stage, width in enumerate(filters):
        for number in range(3):
            layers.append(Block(channels, width, 2 if stage and not number else 1))
            channels = width
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)]
    return nn.Sequential(*layers)


def fast_network(torch: Any, filters: tuple[int, ...]) -> Any:
    """Return the fast network of airbench with ReLU.

    Args:
        torch: PyTorch, which may not be installed.
        filters: of the three stages.
    """
    nn = torch.nn
    layers: list[Any] = [nn.Conv2d(3, 24, 2), nn.ReLU()]
    layers[0].weight.requires_grad = False
    channels = 24
    for width in filters:
        convolution, norm = _unit(torch, channels, width)
        layers += [convolution, nn.MaxPool2d(2), norm, nn.ReLU()]
        layers += [*_unit(torch, width, width), nn.ReLU()]
        channels = width
    layers += [nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(channels, 10)]
    return nn.Sequential(*layers)
