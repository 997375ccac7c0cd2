"""A trained masked language model: scores of hidden tokens, vectors of texts, and a SavedModel."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.data.columns import ColumnRequest, Columns
from zoo.data.texts import text_batches
from zoo.errors import ZooError
from zoo.files import read_json, write_json
from zoo.finding import Finding
from zoo.layers import MaskedMean
from zoo.tasks.archive import load_network, save_network, write_archive
from zoo.tasks.corpora.scored import scored_tokens
from zoo.tasks.corpora.token_ids import Tokens
from zoo.tasks.masked_language_modeling.masking import Masking, masked_rows
from zoo.tasks.masked_language_modeling.model import MaskedLanguageModel, encoder_of
from zoo.tasks.masked_language_modeling.stream import masked_tokenizer
from zoo.tasks.request import Request
from zoo.text.tokenizers import TextTokenizer, load_text_tokenizer
from zoo.training.features import VECTOR

TOGETHER = 4096  # tokens of a forward pass, padding included
FILE = "masking.json"


@dataclasses.dataclass(frozen=True)
class TrainedMaskedModel:
    """Network and tokenizer, and how rows are made and hidden.

    Args:
        network: int32 `(batch, time)` ids to logits `(batch, time, vocabulary)`.
        tokenizer: of single texts.
        max_length: tokens of a row.
        mask_fraction: share of the tokens that are to be told.
    """

    network: keras.Model
    tokenizer: TextTokenizer
    max_length: int
    mask_fraction: float

    def save(self, folder: Path) -> None:
        """Write `model.keras`, `tokenizer/` and `masking.json` into a folder."""
        save_network(self.network, folder)
        self.tokenizer.save(folder / "tokenizer")
        numbers = {"max_length": self.max_length, "mask_fraction": self.mask_fraction}
        write_json(folder / FILE, numbers)

    @property
    def masking(self) -> Masking:
        """How rows are made and hidden."""
        return Masking(masked_tokenizer(self.tokenizer), self.max_length, self.mask_fraction)

    @property
    def _rows(self) -> int:
        return max(TOGETHER // self.max_length, 1)

    def evaluate(
        self,
        request: Request,
        *,
        trained: Columns | None = None,
        findings: list[Finding] | None = None,
    ) -> dict[str, Any]:
        """Return loss and accuracy a hidden token of texts, with the keys of `metrics.json`.

        The arguments are those of `zoo.tasks.task.Predictor.evaluate`.

        Raises:
            ZooError: the data cannot be read, or are empty.
        """
        return self.scores(scored_tokens(request, self.masking.tokenizer, trained, findings))

    def scores(self, tokens: Tokens) -> dict[str, Any]:
        """Return loss and accuracy over the hidden tokens, and how many there are.

        What is hidden is the same every time.
        """
        if not len(tokens):
            raise ZooError("there are no tokens to score.")
        loss = right = count = 0.0
        for x, targets, weights in masked_rows(tokens.ids, self.masking, rows=self._rows):
            losses, hits = self._told(x, targets)
            told = weights.numpy() > 0
            loss += float(losses.numpy()[told].sum(dtype=np.float64))
            right += float(hits.numpy()[told].sum())
            count += int(told.sum())
        return {"loss": loss / count, "accuracy": right / count, "tokens": int(count)}

    @functools.cached_property
    def _told(self) -> Any:
        @tf.function(reduce_retracing=True)
        @tf.autograph.experimental.do_not_convert
        def told(x: Any, targets: Any) -> Any:
            return self.network.token_losses(x, targets, training=False)

        return told

    @functools.cached_property
    def _encoder(self) -> keras.Model:
        return encoder_of(self.network)

    @functools.cached_property
    def _pooling(self) -> MaskedMean:
        return MaskedMean(dtype="float32", name="pooling")

    def _vectors(self, ids: tf.Tensor) -> tf.Tensor:
        """Return the mean of the tokens' features, float32 `(batch, features)`.

        Not a network of its own: an operation more would have the name of one that was loaded.
        """
        features = self._encoder(ids, training=False)
        vectors: tf.Tensor = self._pooling(features, mask=tf.not_equal(ids, 0))
        return vectors

    def embeddings(
        self,
        data: Any,
        *,
        text: str | None = None,
        trained: Columns | None = None,
        findings: list[Finding] | None = None,
        keep_going: bool = False,
    ) -> Iterator[dict[str, Any]]:
        """Yield `{"text": ..., "embedding": vector}` of each text: the mean of its features.

        The arguments are those of `zoo.tasks.task.Predictor.embeddings`.
        """
        del keep_going
        pool = tf.function(
            self._vectors,
            autograph=False,
            input_signature=[tf.TensorSpec([None, None], tf.int32)],
        )
        request = ColumnRequest(text, labelled=False, trained=trained)
        for texts in text_batches(data, request, findings):
            for first in range(0, len(texts), self._rows):
                read = texts[first : first + self._rows]
                vectors = pool(self.tokenizer.encode_dense(tf.constant(read), self.max_length))
                for one, vector in zip(read, vectors.numpy(), strict=True):
                    yield {"text": one, VECTOR: vector.astype(np.float32)}

    def export(self, folder: Path) -> Path:
        """Write a SavedModel whose `serve` takes strings, `texts`, and gives `embedding`.

        float32 `(batch, features)`, the mean of the features of each text's tokens. A process that
        loads it needs `tensorflow` and `import tensorflow_text`, nothing of the zoo.

        Raises:
            ZooError: the folder exists and is not empty, or cannot be written.
        """
        archive = keras.export.ExportArchive()
        archive.track(self._encoder)
        archive.track(self.tokenizer)

        def serve(texts: tf.Tensor) -> dict[str, tf.Tensor]:
            ids = self.tokenizer.encode_dense(texts, self.max_length)
            return {VECTOR: self._vectors(ids)}

        signature = [tf.TensorSpec([None], tf.string, name="texts")]
        archive.add_endpoint("serve", serve, input_signature=signature)
        return write_archive(archive, folder)


def load_masked_model(folder: Path) -> TrainedMaskedModel:
    """Read what `TrainedMaskedModel.save` wrote.

    Raises:
        ZooError: a file is missing or damaged.
    """
    path = folder / FILE
    document = read_json(path)
    try:
        numbers = int(document["max_length"]), float(document["mask_fraction"])
    except (KeyError, TypeError, ValueError) as error:
        raise ZooError(f"{path}: is damaged: max_length and mask_fraction.") from error
    network = load_network(folder)
    if not isinstance(network, MaskedLanguageModel):
        raise ZooError(f"{folder}: '{network.name}' is no masked language model.")
    return TrainedMaskedModel(network, load_text_tokenizer(folder / "tokenizer"), *numbers)
