"""The schema class of the toy family: as a real one, it would stand in its task's settings."""

from zoo.preset.block import Positive
from zoo.tasks.text_classification.settings import TextArchitecture


class ToyNetArchitecture(TextArchitecture):
    """Mean of the token vectors, then a hidden layer.

    Args:
        hidden_dim: units of the hidden layer.

    Example:
        >>> zoo.toynet()(keras.ops.ones((4, 16), "int32")).shape
        TensorShape([4, 2])

    Source: none, it is a toy.
    """

    model = "toynet"

    hidden_dim: Positive
