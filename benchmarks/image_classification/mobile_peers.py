"""EfficientNet-B0 in PyTorch, as timm has it: symmetric borders, eps 1e-3, drop paths."""

from __future__ import annotations

from typing import Any

from benchmarks.pytorch import pytorch

# Of each stage (Tan 2019, table 1): expansion, filters, blocks, stride of the first, kernel. Not
# those of `zoo.models`, which would load TensorFlow in a process whose memory is PyTorch's.
STAGES = (
    (1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5), (6, 320, 1, 1, 3),
)  # fmt: skip
STEM, TOP = 32, 1280
GATES = 0.25  # squeeze-and-excitation: units, of a block's channels
EPSILON = 1e-3


def pytorch_network(classes: int, stochastic_depth: float, dropout: float) -> Any:
    """Return the network.

    Args:
        classes: number of logits.
        stochastic_depth: rate at which the last block is dropped, linear in its number.
        dropout: of the pooled features.
    """
    torch = pytorch()
    nn = torch.nn

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
        def __init__(
            self, channels: int, expansion: int, filters: int, stride: int, size: int, rate: float
        ):
            super().__init__()
            inner = channels * expansion
            layers = [*unit(channels, inner, 1), nn.SiLU(True)] if expansion > 1 else []
            layers += [*unit(inner, inner, size, stride, inner), nn.SiLU(True)]
            layers += [Gates(inner, int(channels * GATES))]
            self.body = nn.Sequential(*layers, *unit(inner, filters, 1))
            self.shortcut = stride == 1 and channels == filters
            self.drop_rate = rate

        def forward(self, x: Any) -> Any:
            y = self.body(x)
            if not self.shortcut:
                return y
            if self.training and self.drop_rate:
                kept = torch.rand(len(x), 1, 1, 1) >= self.drop_rate
                y = y * (kept / (1 - self.drop_rate)).to(y.dtype)
            return x + y

    layers, channels, done = [*unit(3, STEM, 3, 2), nn.SiLU(True)], STEM, 0
    count = sum(repeats for _, _, repeats, _, _ in STAGES)
    for expansion, filters, repeats, stride, size in STAGES:
        for number in range(repeats):
            rate = stochastic_depth * done / count
            layers.append(Block(channels, expansion, filters, 1 if number else stride, size, rate))
            channels, done = filters, done + 1
    layers += [*unit(channels, TOP, 1), nn.SiLU(True), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Dropout(dropout), nn.Linear(TOP, classes))
