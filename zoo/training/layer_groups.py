"""A network from the bottom to its head, and what fine-tuning does with each part of it.

What is not public in Keras was written against 3.15.1: an optimizer's `update_step`,
`_apply_weight_decay` and `_var_key`, as in `zoo.training.optimizers`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import keras

from zoo.errors import ZooError
from zoo.layers import NgramWeights, VocabularyEmbedding
from zoo.preset.recipe import ByBlock, FineTuning

# Names of layers that are a block, or parts of one, from the bottom to the top.
BLOCK = re.compile(r"(layer_\d+|lstm_\d+|stage\d+|top)(_|$)")
HEAD = {"head", "logits", "mixed_logits", "projection"}
TABLES = (keras.layers.Embedding, VocabularyEmbedding)


def layer_groups(model: keras.Model) -> list[list[Any]]:
    """Return the layers that have weights: the bottom, each block, and the head.

    The bottom is what comes before the first block, such as embedding tables or a stem; the head
    what comes after the last one, such as the classifier. Layers without numbers in their names
    are one block.

    Args:
        model: functional; its layers come in the order in which they are computed.
    """
    layers = [layer for layer in model.layers if layer.weights and not _is_random(layer)]
    numbers = [i for i, layer in enumerate(layers) if BLOCK.match(layer.name)]
    bottom: list[Any] = []
    blocks: dict[str, list[Any]] = {}
    head: list[Any] = []
    name = ""
    for i, layer in enumerate(layers):
        table = isinstance(layer, TABLES) and not isinstance(layer, NgramWeights)
        if numbers:
            before, after = i < numbers[0], i > numbers[-1]
        else:
            before, after = table, layer.name in HEAD or isinstance(layer, NgramWeights)
        if before:
            bottom.append(layer)
        elif after:
            head.append(layer)
        else:
            match = BLOCK.match(layer.name)
            name = match[1] if match else name
            blocks.setdefault(name, []).append(layer)
    return [bottom, *blocks.values(), head]


def _is_random(layer: Any) -> bool:
    return all(variable.name == "seed_generator_state" for variable in layer.weights)


def rate_factors(
    model: keras.Model, settings: FineTuning, of_all: float = 1.0
) -> list[tuple[Any, float]]:
    """Return each variable of a model with the factor on its learning rate.

    Args:
        model: the network.
        settings: the recipe's; all factors are 1 where it trains every layer alike.
        of_all: a factor on all of them.
    """
    if settings.name == "uniform":
        return []
    *body, head = layer_groups(model)
    factors = [settings.rate_decay ** (len(body) - depth) for depth in range(len(body))]
    return [
        (variable, of_all * factor)
        for group, factor in zip((*body, head), (*factors, settings.head_rate_factor), strict=True)
        for layer in group
        for variable in layer.weights
    ]


def scale_rates(optimizer: Any, factors: list[tuple[Any, float]]) -> None:
    """Let an optimizer of any class update some variables at a multiple of its rate.

    Decoupled weight decay is scaled as the rate is.

    Args:
        optimizer: the one inside what scales the loss, if there is that.
        factors: variables with their factors; those that are not named have 1.
    """
    for name in ("update_step", "_apply_weight_decay"):
        vars(optimizer).pop(name, None)
    others = {optimizer._var_key(one): factor for one, factor in factors if factor != 1.0}
    if not others:
        return
    update_step, apply_decay = optimizer.update_step, optimizer._apply_weight_decay
    decay = getattr(optimizer, "weight_decay", None)

    def factor_of(variable: Any) -> float:
        return others.get(optimizer._var_key(variable), 1.0)

    def scaled_step(gradient: Any, variable: Any, learning_rate: Any) -> None:
        update_step(gradient, variable, learning_rate * factor_of(variable))

    def scaled_decay(variables: Any) -> None:
        for factor in sorted({factor_of(variable) for variable in variables}):
            try:
                optimizer.weight_decay = decay and decay * factor
                apply_decay([one for one in variables if factor_of(one) == factor])
            finally:
                optimizer.weight_decay = decay

    optimizer.update_step = scaled_step
    if decay:
        optimizer._apply_weight_decay = scaled_decay


def freeze_layers(model: keras.Model, settings: FineTuning) -> None:
    """Set the layers that a recipe does not train to not trainable.

    These are blocks, those at the bottom first, and batch norms, which then normalise by the
    statistics they have, in training, too.

    Raises:
        ZooError: there are not so many blocks.
    """
    if settings.name == "uniform":
        return
    if settings.freeze_norm is True:
        for layer in model._flatten_layers(include_self=False):
            if isinstance(layer, keras.layers.BatchNormalization):
                _freeze(layer)
    if not settings.frozen_blocks:
        return
    body = layer_groups(model)[:-1]
    count = len(body) if settings.frozen_blocks == "all" else settings.frozen_blocks
    if count > len(body):
        names = "; ".join(", ".join(layer.name for layer in group) or "nothing" for group in body)
        raise ZooError(
            f"recipe.fine_tuning.frozen_blocks {count}: {model.name} has {len(body)} below its "
            f"head: {names}. Set {len(body)} or less, or all."
        )
    for group in body[:count]:
        for layer in group:
            _freeze(layer)


def _freeze(layer: Any) -> None:
    # Keras 3.15.1 ignores a value that a layer has already, and does not give it to the layers
    # within that are made when one is loaded.
    layer.trainable = True
    layer.trainable = False


class Unfreeze(keras.callbacks.Callback):
    """Train the head alone at first, and the blocks later: all of them, or one more every time.

    What the recipe freezes for good stays frozen. What is trained, and at which rate, follows from
    the epoch alone, so that a resumed run continues as it would have.

    Args:
        settings: of a recipe that trains by block.

    Source: Howard and Ruder 2018, https://arxiv.org/abs/1801.06146, section 3.3 (one more block);
        Howard and Gugger 2020, https://arxiv.org/abs/2002.04688 (all at once).
    """

    def __init__(self, settings: ByBlock):
        super().__init__()
        self.settings = settings
        self._groups: list[list[Any]] = []
        self._factor = 1.0

    def on_train_begin(self, logs: Any = None) -> None:
        """Note what is trained in the end."""
        *body, _ = layer_groups(self.model)
        self._groups = [[one for one in group if one.trainable] for group in body]
        self._groups = [group for group in self._groups if group]

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Set what is trained in this epoch; the step is traced anew where that changes."""
        every, first = self.settings.unfreeze_epochs, self.settings.freeze_epochs
        waiting = len(self._groups) if epoch < first else 0
        if every is not None:
            waiting = max(len(self._groups) - epoch // every, 0)
        factor = self.settings.unfrozen_rate_factor if first and epoch >= first else 1.0
        before = [layer.trainable for group in self._groups for layer in group]
        for number, group in enumerate(self._groups):
            for layer in group:
                layer.trainable = number >= waiting
        after = [layer.trainable for group in self._groups for layer in group]
        if before != after or factor != self._factor:
            self._set_factor(factor)
            self.model.make_train_function(force=True)

    def on_train_end(self, logs: Any = None) -> None:
        """Leave all that was to be trained trainable, at the recipe's rates."""
        for group in self._groups:
            for layer in group:
                layer.trainable = True
        self._set_factor(1.0)

    def _set_factor(self, factor: float) -> None:
        self._factor = factor
        factors = rate_factors(self.model, self.settings, factor)
        scale_rates(self.model.inner_optimizer, factors)


def top_weights(model: keras.Model, count: int) -> Mapping[str, Any]:
    """Return the variables of the topmost blocks, those of the head not among them, by path.

    Args:
        model: the network.
        count: number of blocks; the bottom is none.

    Raises:
        ZooError: there are not so many.
    """
    blocks = layer_groups(model)[1:-1]
    if count > len(blocks):
        raise ZooError(
            f"recipe.fine_tuning.reset_blocks {count}: {model.name} has {len(blocks)} blocks. Set "
            f"{len(blocks)} or less."
        )
    chosen = blocks[len(blocks) - count :]
    return {one.path: one for group in chosen for layer in group for one in layer.weights}
