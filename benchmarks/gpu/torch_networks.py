"""The zoo's networks in PyTorch: ResNets of the variants B and D, TextCNN, a bidirectional LSTM."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import nn

from benchmarks.text_classification.speed import CLASSES, DIM, FILTERS, KERNELS

MEAN, DEVIATION = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def unit(channels: int, filters: int, size: int, stride: int = 1) -> nn.Sequential:
    """Return a convolution and its batch norm.

    Args:
        channels: of the input.
        filters: of the output.
        size: of the kernel, in pixels.
        stride: in pixels.
    """
    convolution = nn.Conv2d(channels, filters, size, stride, size // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(filters))


class Block(nn.Module):
    """Two 3 x 3 convolutions, or a bottleneck with the stride in its 3 x 3, and a shortcut.

    Args:
        channels: of the input.
        filters: of the 3 x 3.
        stride: in pixels.
        bottleneck: whether it is one; its output has four times the filters.
        average: whether the shortcut pools before its 1 x 1 (variant D).
    """

    def __init__(
        self, channels: int, filters: int, stride: int, *, bottleneck: bool, average: bool
    ):
        super().__init__()
        self.width = 4 * filters if bottleneck else filters
        sizes = [(filters, 3, stride), (filters, 3, 1)]
        if bottleneck:
            sizes = [(filters, 1, 1), (filters, 3, stride), (self.width, 1, 1)]
        inputs = [channels, *(size[0] for size in sizes)]
        self.units = nn.ModuleList(
            unit(before, *size) for before, size in zip(inputs, sizes, strict=False)
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or channels != self.width:
            pooled = average and stride > 1
            projection = unit(channels, self.width, 1, 1 if pooled else stride)
            parts = [nn.AvgPool2d(2, ceil_mode=True)] if pooled else []
            self.shortcut = nn.Sequential(*parts, projection)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the sum of both branches after ReLU."""
        y = x
        for part in self.units[:-1]:
            y = torch.relu(part(y))
        return torch.relu(self.shortcut(x) + self.units[-1](y))


def resnet(depth: int, variant: str, classes: int) -> nn.Module:
    """Return a ResNet.

    Args:
        depth: 18 or 50.
        variant: `b` has a 7 x 7 stem; `d` three 3 x 3 ones, and shortcuts that pool.
        classes: number of logits.
    """
    bottleneck = depth == 50
    counts = {18: (2, 2, 2, 2), 50: (3, 4, 6, 3)}[depth]
    if variant == "d":
        stem = [unit(3, 32, 3, 2), nn.ReLU(), unit(32, 32, 3), nn.ReLU(), unit(32, 64, 3)]
    else:
        stem = [unit(3, 64, 7, 2)]
    layers: list[nn.Module] = [*stem, nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    channels = 64
    for stage, count in enumerate(counts):
        for number in range(count):
            stride = 2 if stage and not number else 1
            block = Block(
                channels, 64 << stage, stride, bottleneck=bottleneck, average=variant == "d"
            )
            layers.append(block)
            channels = block.width
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)
    )


class Normalized(nn.Module):
    """A network of images in [0, 255].

    Args:
        network: of images of mean 0 and deviation 1.
    """

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(DEVIATION).view(1, 3, 1, 1))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return logits of uint8 `(batch, 3, height, width)`."""
        return self.network((pixels.float() - self.mean) / self.deviation)


class TextCNN(nn.Module):
    """The network of `benchmarks.text_classification.speed`.

    Args:
        vocabulary: number of ids.
    """

    def __init__(self, vocabulary: int):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, DIM)
        self.convolutions = nn.ModuleList(nn.Conv1d(DIM, FILTERS, size) for size in KERNELS)
        self.dropout = nn.Dropout(0.5)
        self.logits = nn.Linear(FILTERS * len(KERNELS), CLASSES)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return logits `(batch, classes)` of `(batch, time)`."""
        margin = max(KERNELS) - 1
        features = nn.functional.pad(self.embedding(tokens).transpose(1, 2), (margin, margin))
        pooled = [torch.relu(layer(features)).amax(dim=2) for layer in self.convolutions]
        return self.logits(self.dropout(torch.cat(pooled, 1)))


class TextRNN(nn.Module):
    """A bidirectional LSTM and the maximum over time, of rows of unlike length.

    Args:
        vocabulary: number of ids; 0 is padding.
        units: of a direction.
    """

    def __init__(self, vocabulary: int, units: int):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, DIM)
        self.lstm = nn.LSTM(DIM, units, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(0.5)
        self.logits = nn.Linear(2 * units, CLASSES)

    def forward(self, tokens: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return logits `(batch, classes)` of `(batch, time)`; `lengths` are on the host."""
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(tokens), lengths, batch_first=True, enforce_sorted=False
        )
        states, _ = nn.utils.rnn.pad_packed_sequence(
            self.lstm(packed)[0], batch_first=True, padding_value=float("-inf")
        )
        return self.logits(self.dropout(states.amax(dim=1)))


class LanguageModel(nn.Module):
    """Tied LSTMs whose states are carried.

    Args:
        vocabulary: number of ids.
        embedding: size of the vectors.
        units: of all layers but the last.
        layers: how many.
    """

    def __init__(self, vocabulary: int, embedding: int, units: int, layers: int):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, embedding)
        self.bias = nn.Parameter(torch.zeros(vocabulary))
        widths = [embedding, *[units] * (layers - 1), embedding]
        self.lstms = nn.ModuleList(nn.LSTM(a, b) for a, b in itertools.pairwise(widths))
        self.states: list[Any] = [None] * layers

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return logits `(time * batch, vocabulary)` of `(time, batch)`."""
        features = self.embedding(tokens)
        for number, lstm in enumerate(self.lstms):
            features, state = lstm(features, self.states[number])
            self.states[number] = tuple(part.detach() for part in state)
        return features.flatten(0, 1) @ self.embedding.weight.t() + self.bias
