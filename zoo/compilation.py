"""From a network and a preset to the model that trains."""

from __future__ import annotations

from typing import Any

import keras

from zoo.preset.loading import Preset
from zoo.tasks.language_modeling.model import LanguageModel
from zoo.training.losses import Accuracy, MacroF1, make_loss
from zoo.training.model import TrainingModel
from zoo.training.optimizers import make_optimizer
from zoo.training.schedules import RecipeSchedule


def compile_model(network: keras.Model, preset: Preset) -> TrainingModel:
    """Return a network as a model compiled with the preset's optimizer, schedule and loss.

    Under Keras' dtype policy `mixed_float16` the loss is scaled, so that small gradients do not
    vanish, and a step whose gradients overflow is left out (Micikevicius 2018,
    https://arxiv.org/abs/1710.03740).

    Args:
        network: functional, from token ids to logits `(batch, classes)`, or of a language model
            `(batch, time, vocabulary)`; its weights are shared.
        preset: what the recipe and the batch size are taken from.
    """
    recipe = preset.recipe
    language = preset.task == "language-modeling"
    kind = LanguageModel if language else TrainingModel
    model: TrainingModel = kind(network.inputs[0], network.outputs[0], name=network.name)
    model.recipe = recipe
    model.batch_size = preset.data.batch_size
    schedule = RecipeSchedule(
        recipe.optimizer.learning_rate, recipe.schedule.model_dump(mode="json")
    )
    loss: Any = make_loss(recipe.loss)
    metrics: Any = [Accuracy(name="accuracy")]
    if isinstance(model, LanguageModel):
        model.window = preset.data.window if preset.data.random_window else None
        # Of an array of texts; windows of a corpus have a loss of their own.
        loss, metrics = keras.losses.SparseCategoricalCrossentropy(from_logits=True), None
    elif recipe.best == "macro_f1":
        metrics.append(MacroF1(network.output.shape[-1]))
    optimizer = make_optimizer(recipe, schedule)
    if keras.config.dtype_policy().name == "mixed_float16":
        # Keras would wrap it, too, but not when a saved model is compiled again.
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    model.compile(
        optimizer=optimizer,
        loss=loss,
        metrics=metrics,
        jit_compile=False,  # XLA loses on these networks on a CPU
    )
    # Its variables are saved with the model, also before the first step.
    model.optimizer.build(model.trainable_variables)
    model.set_exemptions()
    return model
