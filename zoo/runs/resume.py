"""Whether a run can be resumed: the same settings, versions, code and data as when it began."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.errors import ZooError
from zoo.files import read_json
from zoo.preset.loading import load_preset
from zoo.preset.override import values_of
from zoo.preset.preset import Preset
from zoo.runs.resolve import with_facts
from zoo.starts.pretrained import Pretrained
from zoo.tasks.request import Request
from zoo.tasks.task import load_task

# What of the environment changes the numbers; the rest may differ on another machine.
VERSIONS = ("zoo", "keras", "tensorflow", "tensorflow-text", "sentencepiece", "numpy")
REQUEST = ("seed", "fraction", "classes", "text", "label", "drop_missing")


def check_same(
    folder: Path,
    preset: Preset,
    request: Mapping[str, Any],
    about: Mapping[str, Any],
    finished: bool = False,
) -> None:
    """Refuse to resume a run under other settings, versions or code (A65).

    Args:
        folder: of the run.
        preset: what it would be resumed with; facts of the data are left out, such as classes.
        request: the document of the request.
        about: the present environment, with the number of workers and devices.
        finished: whether nothing is left to train, so that versions and code do not matter.

    Raises:
        ZooError: the message names each difference with the old and the new value.
    """
    recorded = _environment(folder)
    try:
        written = load_preset(None, folder / "preset.yaml")
        keys = load_task(preset.task).recorded_facts
        facts = {key: value for key, value in written.values().items() if key in keys}
        before = _settings(written, recorded["request"])
        now = _settings(with_facts(preset, request["fixed"], facts), request)
        if not finished:
            before |= _versions(recorded)
            now |= _versions(about)
    except (KeyError, TypeError) as error:
        raise ZooError(
            f"{folder / 'environment.json'}: is damaged: {error!r} is missing."
        ) from error
    different = [
        f"{key} was {before.get(key)!r} and is {now.get(key)!r}"
        for key in dict.fromkeys([*before, *now])
        if before.get(key) != now.get(key)
    ]
    if different:
        # Their number decides values that were not set, such as that of the batch's norm.
        different[:0] = [
            f"the number of {name} was {recorded[name]} and is {about[name]}"
            for name in ("workers", "devices")
            if recorded.get(name, about[name]) != about[name]
        ]
        raise ZooError(
            f"{folder}: --resume would not continue the same training: {'; '.join(different)}. "
            "Set them back, or begin again with --overwrite."
        )


def check_fingerprint(folder: Path, fingerprint: str) -> None:
    """Refuse to resume a run on other data.

    Raises:
        ZooError: the message names both fingerprints.
    """
    before = _environment(folder).get("fingerprint")
    if before != fingerprint:
        raise ZooError(
            f"{folder}: --resume would not continue the same training: the fingerprint of the "
            f"data was {before!r} and is {fingerprint!r}. Bring the data back, or begin again with "
            "--overwrite."
        )


def _environment(folder: Path) -> dict[str, Any]:
    document = read_json(folder / "environment.json")
    if not isinstance(document, dict):
        raise ZooError(f"{folder / 'environment.json'}: is damaged: an object was expected.")
    return document


def _settings(preset: Preset, request: Mapping[str, Any]) -> dict[str, Any]:
    document = preset.document()
    settings = {"model": document["model"], **values_of(document)}
    for key in load_task(preset.task).recorded_facts:
        settings.pop(key, None)
    # tuples as they come back from JSON
    return settings | {
        name: list(request[name]) if isinstance(request[name], tuple) else request[name]
        for name in REQUEST
    }


def _versions(about: Mapping[str, Any]) -> dict[str, Any]:
    versions = {f"the version of {name}": about["versions"][name] for name in VERSIONS}
    return versions | {"the code of zoo": about["code"]}


def recorded_start(folder: Path | None, source: str) -> Pretrained | None:
    """Return what a run has written down of its start, without weights; None of another start.

    Its weights are in the run's checkpoint, so that the source is not needed again.

    Args:
        folder: of the run; None where none is resumed.
        source: that it starts from.
    """
    if folder is None or not (folder / "environment.json").is_file():
        return None
    record = _environment(folder).get("start")
    if not isinstance(record, dict) or record.get("source") != source:
        return None
    try:
        return Pretrained(**record)
    except TypeError as error:
        raise ZooError(f"{folder / 'environment.json'}: is damaged: {error}.") from error


def request_beside(preset: Path) -> Request | None:
    """Return the request of the run whose preset file this is; None of a file elsewhere.

    Raises:
        ZooError: the run's environment.json is damaged.
    """
    path = preset.parent / "environment.json"
    if not path.is_file():
        return None
    try:
        return Request.from_dict(read_json(path)["request"])
    except (KeyError, TypeError) as error:
        raise ZooError(f"{path}: is damaged: it does not hold a run's request.") from error
