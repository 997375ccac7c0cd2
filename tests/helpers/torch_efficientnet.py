"""EfficientNets in PyTorch, with its symmetric padding, from the weights of one in Keras."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras


@dataclasses.dataclass(frozen=True)
class TorchTwin:
    """A Keras EfficientNet in PyTorch: its blocks and weights, nothing of its graph.

    Args:
        torch: PyTorch, which may not be installed.
        layers: of a network of `zoo.models.efficientnet.efficientnet`, by name.
    """

    torch: Any
    layers: dict[str, Any]

    def __call__(self, x: Any) -> Any:
        """Return logits of `(batch, 3, height, width)`."""
        x = self.activate(self.convolve(x, "stem"))
        blocks = {name.rpartition("_project")[0] for name in self.layers if "_project" in name}
        for name in sorted(blocks, key=lambda name: (name[:6], int(name.partition("block")[2]))):
            y = self.block(x, name)
            x = x + y if x.shape == y.shape else y
        features = self.activate(self.convolve(x, "top")).mean((2, 3))
        return self.dense(features, self.layers["logits"])

    def block(self, x: Any, name: str) -> Any:
        """Return the branch of a block."""
        inner = [part for part in ("expand", "depthwise") if f"{name}_{part}_conv" in self.layers]
        for part in inner:
            x = self.activate(self.convolve(x, f"{name}_{part}"))
        if f"{name}_se" in self.layers:
            gates = self.layers[f"{name}_se"]
            units = self.activate(self.dense(x.mean((2, 3)), gates.reduce))
            x = x * self.torch.sigmoid(self.dense(units, gates.expand))[:, :, None, None]
        x = self.convolve(x, f"{name}_project")
        return x if inner else self.activate(x)

    def activate(self, x: Any) -> Any:
        """Return ReLU6 or swish of a tensor."""
        if "stem_relu6" in self.layers:
            return x.clamp(0.0, 6.0)
        return x * self.torch.sigmoid(x)

    def dense(self, x: Any, layer: Any) -> Any:
        """Return what a dense layer does, without its activation."""
        kernel, bias = (self.torch.tensor(weight.numpy()) for weight in layer.weights)
        return x @ kernel + bias

    def convolve(self, x: Any, name: str) -> Any:
        """Return the convolution and the norm of a name."""
        layer, norm = self.layers[f"{name}_conv"], self.layers[f"{name}_norm"]
        kernel = self.torch.tensor(layer.kernel.numpy())  # (height, width, channels, filters)
        depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
        kernel = kernel.permute((2, 3, 0, 1) if depthwise else (3, 2, 0, 1)).contiguous()
        functions = self.torch.nn.functional
        x = functions.conv2d(
            x,
            kernel,
            stride=layer.strides[0],
            padding=kernel.shape[-1] // 2,
            groups=kernel.shape[0] if depthwise else 1,
        )
        values = (norm.moving_mean, norm.moving_variance, norm.gamma, norm.beta)
        values = [self.torch.tensor(value.numpy()) for value in values]
        return functions.batch_norm(x, *values, eps=norm.epsilon)
