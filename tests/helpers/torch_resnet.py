"""ResNet v1.5 in PyTorch, as torchvision has it, and the way its weights are copied there."""

from typing import Any


def basic(nn: Any, channels: int, filters: int, stride: int) -> tuple[Any, int]:
    """Return convolutions and norms of a block of two 3 x 3, and its width."""
    return _units(nn, [(channels, filters, 3, stride), (filters, filters, 3, 1)]), filters


def bottleneck(nn: Any, channels: int, filters: int, stride: int) -> tuple[Any, int]:
    """Return those of 1 x 1, 3 x 3 with the stride, 1 x 1."""
    wide = 4 * filters
    shapes = [(channels, filters, 1, 1), (filters, filters, 3, stride), (filters, wide, 1, 1)]
    return _units(nn, shapes), wide


def _units(nn: Any, shapes: list[tuple[int, int, int, int]]) -> Any:
    return nn.ModuleList(
        nn.Sequential(nn.Conv2d(i, o, k, s, k // 2, bias=False), nn.BatchNorm2d(o))
        for i, o, k, s in shapes
    )


def torch_resnet(torch: Any, kind: Any, blocks: tuple[int, ...]) -> Any:
    """Return a network of four stages and ten classes.

    Args:
        torch: PyTorch, which may not be installed.
        kind: `basic` or `bottleneck`.
        blocks: of each stage.
    """
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self, channels: int, filters: int, stride: int):
            super().__init__()
            self.units, self.width = kind(nn, channels, filters, stride)
            self.shortcut = None
            if stride > 1 or channels != self.width:
                self.shortcut = _units(nn, [(channels, self.width, 1, stride)])[0]

        def forward(self, x: Any) -> Any:
            y = x
            for unit in self.units[:-1]:
                y = torch.relu(unit(y))
            shortcut = x if self.shortcut is None else self.shortcut(x)
            return torch.relu(shortcut + self.units[-1](y))

    class ResNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = _units(nn, [(3, 64, 7, 2)])[0]
            self.pool = nn.MaxPool2d(3, 2, 1)
            self.blocks, channels = nn.ModuleList(), 64
            for stage, (count, filters) in enumerate(zip(blocks, (64, 128, 256, 512), strict=True)):
                for number in range(count):
                    block = Block(channels, filters, 2 if stage and not number else 1)
                    self.blocks.append(block)
                    channels = block.width
            self.head = nn.Linear(channels, 10)

        def forward(self, x: Any) -> Any:
            x = self.pool(torch.relu(self.stem(x)))
            for block in self.blocks:
                x = block(x)
            return self.head(x.mean((2, 3)))

    return ResNet()


def copy_weights(torch: Any, network: Any, other: Any) -> None:
    """Copy the weights of a Keras network into its PyTorch twin."""

    def copy(name: str, unit: Any) -> None:
        kernel = network.get_layer(f"{name}_conv").kernel.numpy()
        unit[0].weight.copy_(torch.tensor(kernel.transpose(3, 2, 0, 1)))
        norm = network.get_layer(f"{name}_norm")
        pairs = {
            "gamma": unit[1].weight, "beta": unit[1].bias,
            "moving_mean": unit[1].running_mean, "moving_variance": unit[1].running_var,
        }  # fmt: skip
        for weight, buffer in pairs.items():
            buffer.copy_(torch.tensor(getattr(norm, weight).numpy()))

    blocks = [layer.name[:-4] for layer in network.layers if layer.name.endswith("_add")]
    with torch.no_grad():
        copy("stem", other.stem)
        for name, block in zip(blocks, other.blocks, strict=True):
            for number, unit in enumerate(block.units, 1):
                copy(f"{name}_{number}", unit)
            if block.shortcut is not None:
                copy(f"{name}_shortcut", block.shortcut)
        head = network.get_layer("logits")
        other.head.weight.copy_(torch.tensor(head.kernel.numpy().T))
        other.head.bias.copy_(torch.tensor(head.bias.numpy()))
