"""The builders: what a family's schema says of it is their signature, docstring and stub."""

import inspect
import pickle
import re
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pytest
from write_stub import PATH, stub

import zoo
from zoo import ZooError
from zoo.models import MODELS
from zoo.models.encoder import Encoder
from zoo.preset.schemas import architectures
from zoo.training.model import TrainingModel

models = pytest.mark.parametrize("model", architectures())


def test_the_stub_is_up_to_date() -> None:
    assert PATH.read_text(encoding="utf-8") == stub(), "run: python tests/write_stub.py"


def network_arguments(model: str) -> list[inspect.Parameter]:
    """The arguments of a family's function, with those of the encoder for its `**sizes`."""
    own = list(inspect.signature(MODELS[model]).parameters.values())
    if own[-1].kind != inspect.Parameter.VAR_KEYWORD:
        return own
    assert own[-1].name == "sizes"
    return [*own[:-1], *inspect.signature(Encoder).parameters.values()]


@models
def test_schema_network_and_builder_have_the_same_names(model: str) -> None:
    fields = list(architectures()[model].model_fields)
    network = network_arguments(model)
    assert sorted(argument.name for argument in network) == sorted(fields)
    assert {argument.kind for argument in network} == {inspect.Parameter.KEYWORD_ONLY}
    assert {argument.default for argument in network} == {inspect.Parameter.empty}
    preset, *others = inspect.signature(getattr(zoo, model)).parameters.values()
    assert preset.name == "preset" and preset.default == "default"
    assert [parameter.name for parameter in others] == ["init", *fields]
    assert {parameter.kind for parameter in others} == {inspect.Parameter.KEYWORD_ONLY}
    assert {parameter.default for parameter in others} == {None}


def test_types_are_those_of_the_schema_without_bounds() -> None:
    hints = typing.get_type_hints(zoo.textcnn)
    assert hints["preset"] == str | Path and hints["return"] is TrainingModel
    assert hints["filters"] == int | None and hints["max_norm"] == float | None
    assert hints["kernel_sizes"] == Sequence[int] | None
    assert hints["embedding"] == Literal["non-static", "static", "multichannel"] | None
    assert typing.get_type_hints(zoo.resnet)["pixel_mean"] == Sequence[float] | None
    assert typing.get_type_hints(zoo.resnet)["filters"] == Sequence[int] | None


@models
def test_every_argument_is_described_once_and_in_order(model: str) -> None:
    builder = getattr(zoo, model)
    sections = re.split(r"^(\w+):", builder.__doc__, flags=re.M)
    assert sections[1::2] == ["Args", "Returns", "Raises", "Example", "Source"]
    described = re.findall(r"^    (\w+): \S", sections[2], flags=re.M)
    assert described == list(inspect.signature(builder).parameters)
    assert max(map(len, builder.__doc__.splitlines())) <= 96  # indented, a line has 100


def test_help_begins_with_the_summary_and_inherits_what_is_shared() -> None:
    document = inspect.getdoc(zoo.textrnn)
    assert document.startswith("Bidirectional LSTM classifier with maximum, last-state or")
    assert "vocabulary_size: number of token ids; id 0 is padding" in document
    assert "int32 `(batch, time)` token ids to float32" in document
    assert "ZooError: the preset does not exist" in document


@models
def test_a_builder_is_a_function_of_zoo(model: str) -> None:
    builder = getattr(zoo, model)
    assert builder.__name__ == builder.__qualname__ == model and builder.__module__ == "zoo"
    assert pickle.loads(pickle.dumps(builder)) is builder
    assert model in zoo.__all__ and model in dir(zoo)


@pytest.mark.parametrize(
    ("word", "value", "message"),
    [
        ("include_top", False, r"zoo\.resnet has no 'include_top': .*get_layer\(\"logits\"\)"),
        ("weights", "imagenet", "give init: a name such as 'minilm'"),
        ("input_shape", (224, 224, 3), "give image_size=224"),
        ("classes", 10, r"give num_classes\. Accepted: preset, init, image_size, num_classes"),
        ("num_clases", 10, r"unknown argument of zoo\.resnet 'num_clases'.*mean 'num_classes'"),
    ],
)
def test_words_of_other_libraries_are_explained(word, value, message) -> None:
    with pytest.raises(ZooError, match=message):
        zoo.resnet(**{word: value})


def test_a_second_positional_argument_is_refused() -> None:
    with pytest.raises(TypeError, match=r"textcnn\(\) takes from 0 to 1 positional arguments"):
        zoo.textcnn("default", 1000)


def test_a_name_that_is_no_family_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="module 'zoo' has no attribute 'vgg'"):
        zoo.vgg  # noqa: B018
    with pytest.raises(KeyError):
        MODELS["vgg"]
