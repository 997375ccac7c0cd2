"""One call of `train`: what it was asked for, and what its parts share."""

from __future__ import annotations

import dataclasses
import functools
import shlex
from pathlib import Path
from typing import Any

import tensorflow as tf

from zoo.distribute import workers
from zoo.environment import environment
from zoo.finding import Finding
from zoo.preset.loading import Preset
from zoo.runs.folder import can_resume
from zoo.tasks.request import Request
from zoo.tasks.task import Task, load_task
from zoo.training.interruption import Stop


@dataclasses.dataclass(frozen=True)
class Job:
    """One call of `train`."""

    preset: Preset
    findings: list[Finding]
    request: Request
    folder: Path
    started: float
    note: str
    verbose: bool
    stop: Stop
    strategy: tf.distribute.Strategy

    @property
    def kind(self) -> Task:
        """What the model is for."""
        return load_task(self.preset.task)

    @functools.cached_property
    def environment(self) -> dict[str, Any]:
        """Versions and machine, and how many workers and devices share the training."""
        shared = {"workers": workers(self.strategy), "devices": self.strategy.num_replicas_in_sync}
        return environment() | shared

    @property
    def resume_hint(self) -> str:
        """What goes on from the checkpoint, or an empty string when there is none."""
        if not can_resume(self.folder):
            return ""
        folder = self.folder.absolute()  # the command works wherever it is typed
        words = ["zoo", "train", str(folder / "preset.yaml"), "--out", str(folder), "--resume"]
        command = shlex.join(words)
        if "<" in str(self.request.to_dict()["data"]):
            command = f'zoo.train(..., out="{folder}", resume=True)'
        return f"`{command}` goes on from its last checkpoint."
