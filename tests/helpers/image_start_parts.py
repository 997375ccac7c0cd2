"""Tiny folders of timm's networks, and what these give, computed by NumPy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from zoo.builders import build_started
from zoo.preset.loading import load_preset

Tensors = Mapping[str, np.ndarray]
MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
BLOCKS = {18: (2, 2, 2, 2), 26: (2, 2, 2, 2), 50: (3, 4, 6, 3)}


def images(size: int = 64, count: int = 2) -> np.ndarray:
    """Random pixels in [0, 255], float32 `(count, size, size, 3)`."""
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3)).astype(np.float32)


def exact(model: str, init: Path) -> Any:
    """A family's network with the weights of a start, in float32."""
    changes = {"recipe.init": str(init), "recipe.dtype_policy": "float32"}
    return build_started(load_preset(model, changes=changes))


class Drawn(dict[str, np.ndarray]):
    """Random tensors in PyTorch's layouts, by name; no norm is the identity."""

    def __init__(self, seed: int = 0):
        super().__init__()
        self.generator = np.random.default_rng(seed)

    def conv(self, name: str, filters: int, channels: int, size: int, bias: bool = False) -> None:
        spread = 1 / np.sqrt(channels * size**2)
        self[f"{name}.weight"] = self._draw(spread, filters, channels, size, size)
        if bias:
            self[f"{name}.bias"] = self._draw(0.3, filters)

    def norm(self, name: str, channels: int) -> None:
        self[f"{name}.weight"] = 1 + self._draw(0.3, channels)
        self[f"{name}.bias"] = self._draw(0.3, channels)
        self[f"{name}.running_mean"] = self._draw(0.3, channels)
        self[f"{name}.running_var"] = 0.5 + np.abs(self._draw(0.5, channels))

    def dense(self, name: str, units: int, features: int) -> None:
        self[f"{name}.weight"] = self._draw(0.3, units, features)
        self[f"{name}.bias"] = self._draw(0.3, units)

    def _draw(self, spread: float, *shape: int) -> np.ndarray:
        return self.generator.normal(0, spread, shape).astype(np.float32)


# --- what PyTorch computes, channels first


def conv(
    x: np.ndarray, kernel: np.ndarray, stride: int = 1, border: Any = None, depthwise: bool = False
) -> np.ndarray:
    """A convolution of `(batch, channels, height, width)` by `(filters, channels, k, k)`.

    Args:
        x: the map.
        kernel: of a depthwise convolution `(channels, 1, k, k)`.
        stride: in pixels.
        border: zeros at the top and the left, and at the bottom and the right; None is k // 2.
        depthwise: whether each channel has a kernel of its own.
    """
    size = kernel.shape[-1]
    before, after = border or (size // 2, size // 2)
    x = np.pad(x, ((0, 0), (0, 0), (before, after), (before, after)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(2, 3))
    windows = windows[:, :, ::stride, ::stride]
    if depthwise:
        return np.einsum("bchwij,cij->bchw", windows, kernel[:, 0])
    return np.einsum("bchwij,fcij->bfhw", windows, kernel)


def same(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's border of a map of `size` pixels."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def norm(x: np.ndarray, made: Tensors, name: str, epsilon: float) -> np.ndarray:
    mean, variance, weight, bias = (
        made[f"{name}.{part}"][:, None, None]
        for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / np.sqrt(variance + epsilon) * weight + bias


def pool(x: np.ndarray, size: int, stride: int, border: int, kind: Any) -> np.ndarray:
    fill = -np.inf if kind is np.max else np.nan
    sides = ((0, 0), (0, 0), (border, border), (border, border))
    x = np.pad(x, sides, constant_values=fill)
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(2, 3))
    return kind(windows[:, :, ::stride, ::stride], axis=(4, 5))


def normalised(images: np.ndarray) -> np.ndarray:
    """Pixels in [0, 255], channels last, as timm's networks see them, in float64."""
    return ((images / 255.0 - np.array(MEAN)) / np.array(STD)).transpose(0, 3, 1, 2)


# --- ResNets


def resnet_tensors(
    depth: int = 18, variant: str = "b", filters: Any = (4, 4, 8, 8), width: int = 1, classes=3
) -> Drawn:
    """The tensors of a narrow ResNet under timm's names.

    Args:
        depth: of `BLOCKS`.
        variant: b, c or d.
        filters: of each stage.
        width: factor on the filters within bottlenecks.
        classes: of the head.
    """
    made, channels = Drawn(depth), filters[0]
    if variant == "b":
        made.conv("conv1", channels, 3, 7)
    else:
        for layer, (count, inputs) in enumerate(
            ((channels // 2, 3), (channels // 2, channels // 2), (channels, channels // 2))
        ):
            made.conv(f"conv1.{3 * layer}", count, inputs, 3)
            if layer < 2:
                made.norm(f"conv1.{3 * layer + 1}", count)
    made.norm("bn1", channels)
    for stage, (count, own) in enumerate(zip(BLOCKS[depth], filters, strict=True), start=1):
        for block in range(count):
            name = f"layer{stage}.{block}"
            wide, inner = (own, own) if depth == 18 else (4 * own, width * own)
            shapes = [(inner, channels, 3), (own, own, 3)]
            if depth != 18:
                shapes = [(inner, channels, 1), (inner, inner, 3), (wide, inner, 1)]
            for number, shape in enumerate(shapes, start=1):
                made.conv(f"{name}.conv{number}", *shape)
                made.norm(f"{name}.bn{number}", shape[0])
            if block == 0 and (stage > 1 or channels != wide):
                first = int(variant == "d")
                made.conv(f"{name}.downsample.{first}", wide, channels, 1)
                made.norm(f"{name}.downsample.{first + 1}", wide)
            channels = wide
    made.dense("fc", classes, channels)
    return made


def resnet_logits(
    tensors: Tensors, images: np.ndarray, depth: int = 18, variant: str = "b"
) -> np.ndarray:
    """The logits `(batch, classes)` of a ResNet, by its tensors.

    Args:
        tensors: under timm's names.
        images: pixels in [0, 255], `(batch, height, width, 3)`.
        depth: as `resnet_tensors`.
        variant: as `resnet_tensors`.
    """
    made = {name: tensor.astype(np.float64) for name, tensor in tensors.items()}

    def unit(x: np.ndarray, own: str, normed: str, stride: int = 1) -> np.ndarray:
        return norm(conv(x, made[f"{own}.weight"], stride), made, normed, 1e-5)

    def relu(x: np.ndarray) -> np.ndarray:
        return np.maximum(x, 0)

    x = normalised(images)
    if variant == "b":
        x = relu(unit(x, "conv1", "bn1", 2))
    else:
        x = relu(unit(x, "conv1.0", "conv1.1", 2))
        x = relu(unit(x, "conv1.3", "conv1.4"))
        x = relu(unit(x, "conv1.6", "bn1"))
    x = pool(x, 3, 2, 1, np.max)
    for stage, count in enumerate(BLOCKS[depth], start=1):
        for block in range(count):
            name, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            strides = (stride, 1) if depth == 18 else (1, stride, 1)
            y = x
            for number, own in enumerate(strides, start=1):
                y = unit(y, f"{name}.conv{number}", f"{name}.bn{number}", own)
                y = relu(y) if number < len(strides) else y
            first = int(variant == "d")
            if f"{name}.downsample.{first}.weight" in made:
                if variant == "d" and stride > 1:  # rounded up; the border does not count
                    odd = [(0, 0), (0, 0), (0, x.shape[2] % 2), (0, x.shape[3] % 2)]
                    x = pool(np.pad(x, odd, constant_values=np.nan), 2, 2, 0, np.nanmean)
                    stride = 1
                x = unit(x, f"{name}.downsample.{first}", f"{name}.downsample.{first + 1}", stride)
            x = relu(x + y)
    return x.mean((2, 3)) @ made["fc.weight"].T + made["fc.bias"]


def timm_config(name: str, size: int = 64, **more: Any) -> dict[str, Any]:
    """A config.json as timm writes it."""
    about = {
        "input_size": [3, size, size], "crop_pct": 0.9, "mean": MEAN, "std": STD,
        "interpolation": "bicubic", "classifier": "fc",
    }  # fmt: skip
    return {"architecture": name, "num_classes": 3, "pretrained_cfg": about, **more}


def timm_folder(folder: Path, config: Mapping[str, Any], tensors: Tensors) -> Path:
    """Write config.json and model.safetensors."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    counted = {"bn1.num_batches_tracked": np.array(7)}
    save_file({**tensors, **counted}, folder / "model.safetensors")
    return folder


# --- EfficientNets: stages as timm writes them, repeats, kernel, stride, expansion, filters, gates

B0 = [
    (1, 3, 1, 1, 16, 8), (2, 3, 2, 6, 24, 4), (2, 5, 2, 6, 40, 6), (3, 3, 2, 6, 80, 10),
    (3, 5, 1, 6, 112, 20), (4, 5, 2, 6, 192, 28), (1, 3, 1, 6, 320, 48),
]  # fmt: skip
LITE0 = [(*stage[:5], 0) for stage in B0]


def efficientnet_tensors(stages: Any = B0, classes: int = 3) -> Drawn:
    """The tensors of an EfficientNet under timm's names.

    Args:
        stages: `B0` or `LITE0`.
        classes: of the head.
    """
    made, channels = Drawn(1), 32
    made.conv("conv_stem", channels, 3, 3)
    made.norm("bn1", channels)
    for stage, (count, size, _, expansion, filters, gates) in enumerate(stages):
        for block in range(count):
            name, inner = f"blocks.{stage}.{block}", channels * expansion
            norms = iter(("bn1", "bn2", "bn3"))
            if expansion > 1:
                made.conv(f"{name}.conv_pw", inner, channels, 1)
                made.norm(f"{name}.{next(norms)}", inner)
            made.conv(f"{name}.conv_dw", inner, 1, size)
            made.norm(f"{name}.{next(norms)}", inner)
            if gates:
                units = gates if block == 0 else filters // 4
                made.conv(f"{name}.se.conv_reduce", units, inner, 1, bias=True)
                made.conv(f"{name}.se.conv_expand", inner, units, 1, bias=True)
            made.conv(f"{name}.{'conv_pwl' if expansion > 1 else 'conv_pw'}", filters, inner, 1)
            made.norm(f"{name}.{next(norms)}", filters)
            channels = filters
    made.conv("conv_head", 1280, channels, 1)
    made.norm("bn2", 1280)
    made.dense("classifier", classes, 1280)
    return made


def efficientnet_logits(
    tensors: Tensors, images: np.ndarray, stages: Any = B0, tensorflow: bool = False
) -> np.ndarray:
    """The logits `(batch, classes)` of an EfficientNet, by its tensors.

    Args:
        tensors: under timm's names.
        images: pixels in [0, 255], `(batch, height, width, 3)`.
        stages: as `efficientnet_tensors`.
        tensorflow: whether border and epsilon are those of TensorFlow.
    """
    made = {name: tensor.astype(np.float64) for name, tensor in tensors.items()}
    lite = not stages[0][5]

    def activate(x: np.ndarray) -> np.ndarray:
        return np.clip(x, 0, 6) if lite else x / (1 + np.exp(-x))

    def unit(x: np.ndarray, own: str, normed: str, stride: int = 1) -> np.ndarray:
        kernel = made[f"{own}.weight"]
        border = same(x.shape[2], kernel.shape[-1], stride) if tensorflow else None
        x = conv(x, kernel, stride, border, depthwise=own.endswith("conv_dw"))
        return norm(x, made, normed, 1e-3 if tensorflow else 1e-5)

    x = activate(unit(normalised(images), "conv_stem", "bn1", 2))
    for stage, (count, _, stride, expansion, _, gates) in enumerate(stages):
        for block in range(count):
            name, y = f"blocks.{stage}.{block}", x
            norms = iter((f"{name}.bn1", f"{name}.bn2", f"{name}.bn3"))
            if expansion > 1:
                y = activate(unit(y, f"{name}.conv_pw", next(norms)))
            y = activate(unit(y, f"{name}.conv_dw", next(norms), stride if block == 0 else 1))
            if gates:
                mean = y.mean((2, 3))
                for layer in ("reduce", "expand"):
                    kernel = made[f"{name}.se.conv_{layer}.weight"][:, :, 0, 0]
                    mean = mean @ kernel.T + made[f"{name}.se.conv_{layer}.bias"]
                    mean = activate(mean) if layer == "reduce" else 1 / (1 + np.exp(-mean))
                y = y * mean[:, :, None, None]
            y = unit(y, f"{name}.{'conv_pwl' if expansion > 1 else 'conv_pw'}", next(norms))
            x = x + y if x.shape == y.shape else y
    x = activate(unit(x, "conv_head", "bn2"))
    return x.mean((2, 3)) @ made["classifier.weight"].T + made["classifier.bias"]
