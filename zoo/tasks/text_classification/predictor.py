"""A trained classifier of texts: strings in, labels and probabilities out; and a SavedModel."""

from __future__ import annotations

import csv
import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.data.columns import ColumnRequest, Columns
from zoo.data.store import Split
from zoo.data.texts import BATCH, batched, text_batches
from zoo.errors import ZooError
from zoo.files import read_json, write_json, written_beside
from zoo.finding import Finding
from zoo.tasks.archive import load_network, save_network, write_archive
from zoo.tasks.classifiers import saved_kind
from zoo.tasks.label_kind import LabelKind
from zoo.tasks.one_label import OneLabel
from zoo.tasks.request import Request
from zoo.tasks.text_classification.data import load_split
from zoo.tasks.text_classification.token_ids import TokenizedSplit
from zoo.tasks.tflite import CLASSIFY, in_float32, write_tflite
from zoo.text.pair_tokenizer import PairTokenizer
from zoo.text.pairs import PAIR, split_pair
from zoo.text.tokenizers import TextTokenizer, load_text_tokenizer
from zoo.training.features import VECTOR, feature_network

TOKENS = 32_768  # of one forward pass, padding included: bounds its memory
ONE = OneLabel()
MISTAKES = 100


@dataclasses.dataclass(frozen=True)
class TextClassifier:
    """What serves: network, tokenizer, labels and the length at which texts are cut.

    Args:
        network: int32 `(batch, time)` token ids to `(batch, classes)` logits.
        tokenizer: the tokenizer the network was trained with.
        labels: the classes in the order of the logits; all strings or all integers.
        max_length: tokens of a text that are read.
        kind: one label a text or several.
    """

    network: keras.Model
    tokenizer: TextTokenizer
    labels: list[Any]
    max_length: int
    kind: LabelKind = ONE

    def with_kind(self, kind: LabelKind) -> TextClassifier:
        """Return the classifier with another threshold of several labels."""
        return dataclasses.replace(self, kind=kind)

    def save(self, folder: Path) -> None:
        """Write `model.keras`, `tokenizer/` and `labels.json` into a folder."""
        save_network(self.network, folder)
        self.tokenizer.save(folder / "tokenizer")
        document = {"labels": self.labels, "max_length": self.max_length, **self.kind.to_dict()}
        write_json(folder / "labels.json", document)

    @functools.cached_property
    def _forward(self) -> Any:
        return _compiled(self.network)

    @functools.cached_property
    def _features(self) -> Any:
        return _compiled(feature_network(self.network))

    def logits(self, texts: list[str]) -> np.ndarray:
        """Return float32 logits `(rows, classes)` of some thousand texts, in their order."""
        return _outputs(self._forward, *self._ids(texts))

    def _ids(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        return self.tokenizer.encode_rows(texts, self.max_length)

    def logits_of(self, split: Split) -> np.ndarray:
        """Return float32 logits `(rows, classes)` of a whole part.

        Texts that were tokenized for training are not tokenized again.
        """
        if not isinstance(split, TokenizedSplit) or not self._tokenized_by(split):
            return np.concatenate([self.logits(texts) for texts in batched(split.iter_inputs())])
        rows = np.arange(len(split))
        ids = (split.token_ids(rows[start : start + BATCH]) for start in range(0, len(rows), BATCH))
        return np.concatenate([_outputs(self._forward, *read) for read in ids])

    def _tokenized_by(self, split: TokenizedSplit) -> bool:
        return split.tokenizer is self.tokenizer and split.max_length == self.max_length

    @property
    def texts(self) -> str:
        """`one` text a row, or a `pair`."""
        return "pair" if isinstance(self.tokenizer, PairTokenizer) else "one"

    def _columns(self, text: str | None, trained: Columns | None) -> ColumnRequest:
        return ColumnRequest(text, labelled=False, trained=trained, texts=self.texts)

    def _named(self, text: str) -> dict[str, str]:
        """Return a text by its name, or both of a pair."""
        if self.texts == "one":
            return {"text": text}
        return dict(zip(("first", "second"), split_pair(text), strict=True))

    def predictions(
        self,
        data: Any,
        *,
        text: str | None = None,
        trained: Columns | None = None,
        findings: list[Finding] | None = None,
        keep_going: bool = False,
    ) -> Iterator[dict[str, Any]]:
        """Yield `{"label": ..., "probabilities": {label: probability}}` of each text.

        Of several labels a text, `labels` is the list of those above the threshold.

        Args:
            data: see `zoo.data.texts.text_batches`, as of the next three.
            text: text column of a table.
            trained: the columns of the run, read where none are named.
            findings: findings on what is read are appended to it.
            keep_going: has no effect: no text is broken by itself.
        """
        del keep_going
        for texts in text_batches(data, self._columns(text, trained), findings):
            yield from self.kind.predictions(self.logits(texts), self.labels)

    def embeddings(
        self,
        data: Any,
        *,
        text: str | None = None,
        trained: Columns | None = None,
        findings: list[Finding] | None = None,
        keep_going: bool = False,
    ) -> Iterator[dict[str, Any]]:
        """Yield `{"text": ..., "embedding": vector}` of each text: what the logits are made of.

        The arguments are those of `predictions`.
        """
        del keep_going
        for texts in text_batches(data, self._columns(text, trained), findings):
            vectors = _outputs(self._features, *self._ids(texts))
            for read, vector in zip(texts, vectors, strict=True):
                yield {**self._named(read), VECTOR: vector}

    def evaluate(
        self,
        request: Request,
        *,
        trained: Columns | None = None,
        findings: list[Finding] | None = None,
    ) -> dict[str, Any]:
        """Return the scores on labelled texts, with the keys of `metrics.json`.

        The arguments are those of `zoo.tasks.task.Predictor.evaluate`.

        Raises:
            ZooError: the data cannot be read, or hold a label unknown to the run.
        """
        with load_split(
            request,
            self.labels,
            kind=self.kind,
            texts=self.texts,
            trained=trained,
            findings=findings,
        ) as split:
            return self.kind.report(split, self.logits_of(split))

    def write_mistakes(self, folder: Path, split: Split, logits: np.ndarray) -> int:
        """Write the most confident mistakes as `mistakes.csv` (A26); return the count of all.

        Worst first. Columns: row (of the file, from 1), probability of the predicted class, label,
        predicted, text, or first and second of a pair.

        Args:
            folder: where the file is written.
            split: the rows.
            logits: of the rows, `(rows, classes)`.
        """
        worst, count = self.kind.mistakes(split, logits, MISTAKES)
        path = folder / "mistakes.csv"
        with (
            written_beside(path) as temporary,
            temporary.open("w", encoding="utf-8", newline="") as file,
        ):
            writer = csv.writer(file)
            writer.writerow(["row", "probability", "label", "predicted", *self._named("")])
            texts = split.inputs([mistake.row for mistake in worst])
            for mistake, text in zip(worst, texts, strict=True):
                writer.writerow(
                    [
                        split.row_number(mistake.row),
                        f"{mistake.probability:.4f}",
                        mistake.label,
                        mistake.predicted,
                        *self._named(text).values(),
                    ]
                )
        return count

    def export(self, folder: Path) -> Path:
        """Write a SavedModel whose `serve` takes a vector of strings, `texts`.

        Of pairs it takes two, `first` and `second`.

        It gives `label` and `probabilities` `(batch, classes)`; of several labels a text `labels`,
        joined, and `predicted`, bool `(batch, classes)`, in place of `label`. Its two halves are
        `tokenize`, from the same strings to `ids`, int32 `(batch, time)`, and `classify`, from
        `ids` to `probabilities`. A process that loads it needs `tensorflow` and `import
        tensorflow_text`, nothing of the zoo.

        Raises:
            ZooError: the folder exists and is not empty, or cannot be written.
        """
        archive = keras.export.ExportArchive()
        archive.track(self.network)
        archive.track(self.tokenizer)

        def serve(*texts: tf.Tensor) -> dict[str, tf.Tensor]:
            return self.kind.serve(self.network(self._encode(*texts), training=False), self.labels)

        def classify(ids: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"probabilities": self.kind.probabilities(self.network(ids, training=False))}

        archive.add_endpoint("serve", serve, input_signature=self._strings)
        self._add_tokenize(archive)
        ids = tf.TensorSpec([None, None], tf.int32, name="ids")
        archive.add_endpoint(CLASSIFY, classify, input_signature=[ids])
        return write_archive(archive, folder)

    def export_tflite(self, folder: Path, *, int8: bool) -> Path:
        """Write `model.tflite`, from token ids to probabilities, with `tokenizer/` and labels.

        `tokenizer/` is a SavedModel with the `tokenize` of `export`. `labels.json` has the labels
        in the order of the probabilities, and the longest text in tokens.

        Args:
            folder: a new or empty one.
            int8: see `zoo.tasks.tflite.write_tflite`, which says what is raised.
        """

        def also(beside: Path) -> None:
            archive = keras.export.ExportArchive()
            archive.track(self.tokenizer)
            self._add_tokenize(archive)
            write_archive(archive, beside / "tokenizer")

        about = {"labels": self.labels, "max_length": self.max_length, **self.kind.to_dict()}
        plain = dataclasses.replace(self, network=in_float32(self.network))
        return write_tflite(plain.export, folder, int8=int8, about=about, also=also)

    @property
    def _strings(self) -> list[tf.TensorSpec]:
        names = ["texts"] if self.texts == "one" else list(self._named(""))
        return [tf.TensorSpec([None], tf.string, name=name) for name in names]

    def _encode(self, *texts: tf.Tensor) -> tf.Tensor:
        rows = texts[0] if len(texts) == 1 else tf.strings.join(texts, PAIR)
        return self.tokenizer.encode_dense(rows, self.max_length)

    def _add_tokenize(self, archive: keras.export.ExportArchive) -> None:
        def tokenize(*texts: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"ids": self._encode(*texts)}

        archive.add_endpoint("tokenize", tokenize, input_signature=self._strings)


def _compiled(network: keras.Model) -> Any:
    return tf.function(
        lambda ids: network(ids, training=False),
        input_signature=[tf.TensorSpec([None, None], tf.int32)],
    )


def _outputs(forward: Any, flat: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return what a network gives for texts, float32 `(rows, outputs)`.

    Texts of like length go through the network together, so that little is padding.

    Args:
        forward: from ids `(batch, time)` to `(batch, outputs)`.
        flat: the ids of all rows, one row after the other.
        lengths: of the rows, at least 1.
    """
    ids = np.split(flat, np.cumsum(lengths)[:-1])
    order = np.argsort(lengths, kind="stable")
    outputs = np.empty((len(lengths), 0), np.float32)
    start = 0
    while start < len(order):
        # the longest of the group decides its width, so grow it while the product is small
        stop = start + 1
        while stop < len(order) and (stop + 1 - start) * lengths[order[stop]] <= TOKENS:
            stop += 1
        rows = order[start:stop]
        batch = np.zeros((len(rows), lengths[rows[-1]]), np.int32)
        for row, position in zip(batch, rows, strict=True):
            row[: lengths[position]] = ids[position]
        values = forward(batch).numpy()
        if not start:
            outputs = np.empty((len(lengths), values.shape[1]), np.float32)
        outputs[rows] = values
        start = stop
    return outputs


def load_text_classifier(folder: Path) -> TextClassifier:
    """Read what `TextClassifier.save` wrote.

    Raises:
        ZooError: a file is missing, corrupt, or holds code such as a Lambda layer.
    """
    path = folder / "labels.json"
    document = read_json(path)
    try:
        labels, max_length = list(document["labels"]), int(document["max_length"])
        kind = saved_kind(document)
    except (KeyError, TypeError, ValueError) as error:
        raise ZooError(f"{path}: is damaged: labels and max_length.") from error
    tokenizer = load_text_tokenizer(folder / "tokenizer")
    return TextClassifier(load_network(folder), tokenizer, labels, max_length, kind)
