"""Curve fitting: a CSV of numbers, the mean as the baseline, squared and largest errors."""

import csv
import dataclasses
import hashlib
import itertools
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from curve_fitting.settings import INFO
from zoo.data.epochs import EpochCursor, epoch_of
from zoo.errors import ZooError
from zoo.files import read_json, write_json
from zoo.finding import Finding
from zoo.tasks.archive import load_network, save_network, write_archive
from zoo.tasks.inspection import Inspection, Line
from zoo.tasks.prepared import Prepared
from zoo.training.model import TrainingModel


def read_points(path: Path) -> np.ndarray:
    """Return float32 `(points, columns)` of a CSV with a header."""
    try:
        with Path(path).open(encoding="utf-8", newline="") as file:
            return np.array(list(csv.reader(file))[1:], np.float32)
    except (OSError, ValueError) as error:
        raise ZooError(f"{path}: is no CSV of numbers: {error}.") from error


@dataclasses.dataclass(frozen=True)
class Points:
    train: np.ndarray
    validation: np.ndarray
    settings: Any
    seed: int
    fingerprint: str
    findings: list[Finding]
    test: None = None
    columns: None = None
    classes: None = None

    def dataset(self, part, cursor=None, replica_ids=range(1), replicas=1) -> tf.data.Dataset:
        points, rows = getattr(self, part), self.settings.batch_size
        cursor = cursor or EpochCursor()

        def batches():
            epoch, skipped = cursor.take()
            order = np.arange(len(points))
            if part == "train":
                order = np.random.default_rng([self.seed, epoch]).permutation(order)
            for start in range(skipped * rows, len(order), rows):
                batch = points[order[start : start + rows]]
                for replica in replica_ids:
                    share = np.array_split(batch, replicas)[replica]
                    yield share[:, :1], share[:, 1:]

        signature = (tf.TensorSpec([None, 1]), tf.TensorSpec([None, 1]))
        dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
        return epoch_of(dataset, -(-len(points) // rows) * len(replica_ids), ahead=2)

    def close(self) -> None:
        pass


@dataclasses.dataclass(frozen=True)
class Curve:
    network: keras.Model

    def save(self, folder: Path) -> None:
        save_network(self.network, folder)
        write_json(folder / "curve.json", {"curve": True})

    def scores(self, points: np.ndarray) -> dict[str, float]:
        errors = self.network.predict_on_batch(points[:, :1])[:, 0] - points[:, 1]
        largest = float(np.abs(errors).max())
        return {"loss": float((errors**2).mean()), "largest": largest, "points": len(points)}

    def predictions(self, data, *, text=None, trained=None, findings=None, keep_going=False):
        for x in read_points(data)[:, 0]:
            yield {"y": float(self.network.predict_on_batch(np.array([[x]]))[0, 0])}

    def evaluate(self, request, *, trained=None, findings=None):
        return self.scores(read_points(request.data))

    def export(self, folder: Path) -> Path:
        archive = keras.export.ExportArchive()
        archive.track(self.network)
        numbers = [tf.TensorSpec([None, 1], tf.float32, name="x")]
        archive.add_endpoint("serve", lambda x: {"y": self.network(x)}, input_signature=numbers)
        return write_archive(archive, folder)


class CurveFitting:
    info = INFO
    recorded_facts = ("architecture.x_mean",)

    def bundled(self):
        raise ZooError("no curve comes with the package: name a CSV of numbers.")

    def recognises(self, source):
        return isinstance(source, str) and source.endswith(".curve.csv")

    def load(self, request, preset, tokenizer):
        points = read_points(request.data)
        held_out = max(int(len(points) * preset.data.validation_fraction), 1)
        digest = hashlib.blake2b(points.tobytes(), digest_size=8).hexdigest()
        train, validation = points[held_out:], points[:held_out]
        return Points(train, validation, preset.data, request.seed, digest, [])

    def inspect(self, request, preset, sheet, tokenizer=None):
        points = read_points(request.data)
        low, high = points[:, 0].min(), points[:, 0].max()
        line = Line(f"{len(points)} points, x from {low:g} to {high:g}")
        return Inspection({"points": len(points)}, [], [line])

    def prepare_data(self, data, preset, seed, baseline):
        errors = data.validation[:, 1] - data.train[:, 1].mean()
        scores = {"loss": float((errors**2).mean()), "largest": float(np.abs(errors).max())}
        facts = self.facts_from_data(data)
        return Prepared(preset.name, [], {"validation": scores, "test": None}, facts)

    def facts_from_data(self, data):
        return {"architecture.x_mean": round(float(data.train[:, 0].mean()), 6)}

    def check_preset(self, preset):
        return []

    def callbacks(self, data):
        return []

    def training_model(self, network, preset):
        return TrainingModel(network.input, network.output, name=network.name)

    def loss_and_metrics(self, network, preset):
        return keras.losses.MeanSquaredError(), None

    def step_bytes(self, network, preset):
        return 0

    def initialise_weights(self, model, preset, data, seed):
        return []

    def evaluate_and_save(self, model, preset, data, prepared, folder):
        curve = Curve(model)
        curve.save(folder / "model")
        return {
            "validation": curve.scores(data.validation),
            "test": None,
            "baseline": prepared.baseline,
        }

    def findings_on_epochs(self, data, preset, history, best):
        return []

    def compare_with_baseline(self, metrics):
        curve, mean = metrics["validation"]["loss"], metrics["baseline"]["validation"]["loss"]
        return Finding("info", f"a loss of {curve:.4f} against {mean:.4f} of the mean.", {}, "")

    def load_predictor(self, folder):
        read_json(folder / "curve.json")
        return Curve(load_network(folder))

    def inputs_to_predict(self, files, standard_input):
        return itertools.chain(map(Path, files))


TASK = CurveFitting()
