"""Words that users of other libraries give a builder, and what the zoo has in their place."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from zoo.errors import ZooError, unknown

P = ParamSpec("P")
R = TypeVar("R")

FEATURES = (
    'the last layer of a classifier is "logits"; '
    'keras.Model(model.input, model.get_layer("logits").input) is the network without it'
)
WEIGHTS = (
    "there are no pretrained weights; networks start at random. Those of a run are "
    "zoo.load_run(RUN).model.network, and model.load_weights(PATH) reads saved ones"
)
SIZE = "give image_size=224: one number, of a network that takes images of any size in 3 channels"
# Of keras.applications, KerasHub, timm and torchvision.
ELSEWHERE = {
    "include_top": FEATURES,
    "weights": WEIGHTS,
    "pretrained": WEIGHTS,
    "load_weights": WEIGHTS,
    "input_shape": SIZE,
    "image_shape": SIZE,
    "input_tensor": "call the model on the tensor: model(tensor)",
    "classes": "give num_classes",
    "labels": "give num_classes",
    "classifier_activation": "it gives logits: keras.activations.softmax(model(x))",
    "activation_fn": "give activation",
    "vocab_size": "give vocabulary_size",
    "num_filters": "give filters",
    "dropout_rate": "give dropout",
    "drop_rate": "give dropout",
    "optimizer": "it is the preset's; model.compile(optimizer=...) takes another",
    "learning_rate": "it is the preset's; model.compile(optimizer=...) takes another",
    "epochs": "give them to model.fit(epochs=...)",
    "batch_size": "give it to model.fit(batch_size=...)",
}


def explained(builder: Callable[P, R]) -> Callable[P, R]:
    """Return a builder that says of a word it does not know what to use in its place."""
    accepted = inspect.signature(builder).parameters

    @functools.wraps(builder)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        for word in kwargs:
            if word not in accepted:
                raise _refusal(builder.__name__, word, list(accepted))
        return builder(*args, **kwargs)

    return call


def _refusal(name: str, word: str, accepted: list[str]) -> ZooError:
    if word in ELSEWHERE:
        return ZooError(
            f"zoo.{name} has no '{word}': {ELSEWHERE[word]}. Accepted: {', '.join(accepted)}."
        )
    return unknown(f"argument of zoo.{name}", word, accepted)
