"""A trained language model: exact scores, text out of it, and a SavedModel with its state."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.data.checks import columns_read
from zoo.data.columns import ColumnRequest, Columns
from zoo.data.parts import scored_source
from zoo.data.texts import text_batches
from zoo.errors import ZooError, check_seed
from zoo.finding import Finding
from zoo.models.lstm_lm import with_states
from zoo.tasks.archive import load_network, save_network, write_archive
from zoo.tasks.features import VECTOR
from zoo.tasks.language_modeling.batches import windows
from zoo.tasks.language_modeling.data import check_unlabelled
from zoo.tasks.language_modeling.lines import (
    content_digest,
    corpus_columns,
    corpus_paths,
    read_lines,
    store_scored_table,
)
from zoo.tasks.language_modeling.token_ids import Ids, Tokens, cached_tokens
from zoo.tasks.request import Request
from zoo.text.corpus_tokenizer import END, CorpusTokenizer, load_corpus_tokenizer
from zoo.text.vocabulary import UNKNOWN
from zoo.training.kernels.token_loss import token_losses

WINDOW = 512  # tokens scored at once
LONGEST = 100_000  # tokens of a text that is made


@dataclasses.dataclass(frozen=True)
class TrainedLanguageModel:
    """Network and tokenizer.

    Args:
        network: int32 `(batch, time)` ids to logits `(batch, time, vocabulary)`.
        tokenizer: lines to ids and back.
    """

    network: keras.Model
    tokenizer: CorpusTokenizer

    def save(self, folder: Path) -> None:
        """Write `model.keras` and `vocabulary.json` into a folder."""
        save_network(self.network, folder)
        self.tokenizer.save(folder)

    @functools.cached_property
    def windowed(self) -> keras.Model:
        """The network with its state in and out."""
        return with_states(self.network)

    @property
    def _embedding(self) -> Any:
        return self.network.get_layer("embedding")

    def zeros(self, rows: int) -> list[tf.Tensor]:
        """Return the state before the first token."""
        return [tf.zeros((rows, state.shape[1])) for state in self.windowed.inputs[1:]]

    @functools.cached_property
    def _losses(self) -> Any:
        @tf.function(reduce_retracing=True)
        @tf.autograph.experimental.do_not_convert
        def losses(tokens: Any, targets: Any, states: Any) -> Any:
            features, *after = self.windowed([tokens, *states], training=False)
            flat = tf.reshape(features, [-1, features.shape[-1]])
            table, bias = self._embedding.output_embeddings.value, self._embedding.bias.value
            return token_losses(flat, table, bias, tf.reshape(tf.transpose(targets), [-1])), after

        return losses

    @functools.cached_property
    def _next(self) -> Any:
        @tf.function(reduce_retracing=True)
        @tf.autograph.experimental.do_not_convert
        def following(tokens: Any, states: Any) -> Any:
            features, *after = self.windowed([tokens, *states], training=False)
            return self._embedding(features[-1], reverse=True), after

        return following

    def losses(self, ids: Ids) -> np.ndarray:
        """Return the loss of each token of a stream in nats, from `<eos>` and a state of zeros.

        The state is carried from the first token to the last: this is the exact perplexity.
        """
        return np.concatenate([np.zeros(0, np.float32), *self._window_losses(ids)])

    def _window_losses(self, ids: Ids) -> Iterator[np.ndarray]:
        states = self.zeros(1)
        for x, targets, _ in windows(ids, rows=1, window=WINDOW, keep_remainder=True):
            losses, states = self._losses(x["tokens"], targets, states)
            yield losses.numpy()

    def evaluate(
        self,
        request: Request,
        *,
        trained: Columns | None = None,
        findings: list[Finding] | None = None,
    ) -> dict[str, Any]:
        """Return loss and perplexity a token of a corpus, with the keys of `metrics.json`.

        Of files that are parts by their names, the test part is scored.

        The arguments are those of `zoo.tasks.task.Predictor.evaluate`.

        Raises:
            ZooError: the data cannot be read, or are empty.
        """
        check_unlabelled(request)
        findings = [] if findings is None else findings
        column_request = ColumnRequest(request.text, labelled=False, trained=trained)
        with contextlib.ExitStack() as stack:
            data = store_scored_table(request.data, column_request, findings, stack)
            data = scored_source(data, corpus_paths, findings)
            table, columns = corpus_columns(data, column_request)
            findings += columns_read(table, columns, trained=trained)
            digest = f"{content_digest(data)} {columns.inputs if columns else None}"
            lines = read_lines(data, column_request)
            return self.scores(cached_tokens(digest, lines, self.tokenizer))

    def scores(self, tokens: Tokens) -> dict[str, Any]:
        """Return loss and perplexity a token, each scored once, and what they are taken over."""
        if not len(tokens):
            raise ZooError("there are no tokens to score.")
        total = sum(float(w.sum(dtype=np.float64)) for w in self._window_losses(tokens.ids))
        loss = total / len(tokens)
        return {
            "loss": loss,
            "perplexity": math.exp(min(loss, 700.0)),
            "tokens": len(tokens),
            "unknown_share": tokens.unknown_share,
        }

    def score(self, texts: Iterable[str]) -> list[dict[str, Any]]:
        """Return the log probability of every token of each text, `<eos>` included.

        Returns:
            A list of `{"tokens": [...], "log_probabilities": [...], "loss": ..., "perplexity":
            ...}`, one a text; nats a token.
        """
        if isinstance(texts, str):
            raise ZooError("score takes a list of texts. Received one string: wrap it in [].")
        scored = []
        for text in itertools.chain.from_iterable(text_batches(texts)):
            ids = self.tokenizer.encode(text.split("\n"))
            losses = self.losses(ids)
            loss = float(losses.astype(np.float64).mean())
            scored.append(
                {
                    "tokens": [self.tokenizer.pieces[token] for token in ids],
                    "log_probabilities": [round(-float(value), 6) for value in losses],
                    "loss": loss,
                    "perplexity": math.exp(min(loss, 700.0)),
                }
            )
        return scored

    def embeddings(
        self,
        data: Any,
        *,
        text: str | None = None,
        trained: Columns | None = None,
        findings: list[Finding] | None = None,
        keep_going: bool = False,
    ) -> Iterator[dict[str, Any]]:
        """Yield `{"text": ..., "embedding": vector}` of each text: the mean of its last features.

        They are those that the logits of each token of the text are made of, `<eos>` included, from
        a state of zeros. The arguments are those of `zoo.tasks.task.Predictor.embeddings`.
        """
        del keep_going
        request = ColumnRequest(text, labelled=False, trained=trained)
        for read in itertools.chain.from_iterable(text_batches(data, request, findings)):
            yield {
                "text": read,
                VECTOR: self._mean_features(self.tokenizer.encode(read.split("\n"))),
            }

    def _mean_features(self, ids: Ids) -> np.ndarray:
        """Return the mean over the tokens of a text, float32 `(features,)`."""
        states = self.zeros(1)
        total: Any = 0.0
        for x, _, _ in windows(ids, rows=1, window=WINDOW, keep_remainder=True):
            sums, states = self._feature_sums(x["tokens"], states)
            total += sums.numpy().astype(np.float64)
        return (total / len(ids)).astype(np.float32)

    @functools.cached_property
    def _feature_sums(self) -> Any:
        @tf.function(reduce_retracing=True)
        @tf.autograph.experimental.do_not_convert
        def sums(tokens: Any, states: Any) -> Any:
            features, *after = self.windowed([tokens, *states], training=False)
            return tf.reduce_sum(tf.cast(features, tf.float32), axis=[0, 1]), after

        return sums

    def generate(
        self,
        prompt: str = "",
        length: int = 100,
        temperature: float = 1.0,
        top_k: int | None = None,
        seed: int = 0,
        findings: list[Finding] | None = None,
    ) -> str:
        """Return the prompt with `length` tokens more, drawn one after the other.

        `<unk>` is never drawn.

        Args:
            prompt: what the text begins with; "" begins after `<eos>`.
            length: tokens to draw.
            temperature: what logits are divided by; 0 takes the most probable token.
            top_k: only so many of the most probable tokens are drawn from; None is all.
            seed: the same seed gives the same text.
            findings: findings on the prompt are appended to it.

        Raises:
            ZooError: a value is out of range.
        """
        _check(length, temperature, top_k)
        check_seed(seed)
        random = np.random.default_rng(seed)
        ids = np.concatenate([[END], self.tokenizer.encode(prompt.split("\n"))[:-1]])
        if findings is not None:
            findings += _unknown(ids[1:])
        logits, states = self._next(tf.constant(ids[None], tf.int32), self.zeros(1))
        drawn: list[int] = []
        for _ in range(length):
            drawn.append(_draw(logits[0].numpy(), temperature, top_k, random))
            logits, states = self._next(tf.constant([[drawn[-1]]], tf.int32), states)
        return self.tokenizer.continue_text(prompt, drawn)

    def export(self, folder: Path) -> Path:
        """Write a SavedModel whose `serve` takes ids and the state, and gives logits and state.

        Inputs are `tokens`, int32 `(batch, time)`, and `hidden_0`, `cell_0` and so on, float32
        `(batch, units)`, zeros before the first token; outputs are `logits` `(batch, vocabulary)`
        of the token after the last, and the states under the same names. `vocabulary.json` beside
        it names the ids.

        Raises:
            ZooError: the folder exists and is not empty, or cannot be written.
        """
        names = [state.name for state in self.windowed.inputs[1:]]

        def serve(tokens: Any, *states: Any) -> dict[str, tf.Tensor]:
            features, *after = self.windowed([tokens, *states], training=False)
            logits = self._embedding(features[-1], reverse=True)
            return {"logits": logits, **dict(zip(names, after, strict=True))}

        archive = keras.export.ExportArchive()
        archive.track(self.windowed)
        archive.add_endpoint(
            "serve",
            serve,
            input_signature=[
                tf.TensorSpec([None, None], tf.int32, name="tokens"),
                *(
                    tf.TensorSpec([None, state.shape[1]], tf.float32, name=state.name)
                    for state in self.windowed.inputs[1:]
                ),
            ],
        )
        return write_archive(archive, folder, self.tokenizer.save)


def load_language_model(folder: Path) -> TrainedLanguageModel:
    """Read what `TrainedLanguageModel.save` wrote.

    Raises:
        ZooError: a file is missing or damaged.
    """
    network = load_network(folder)
    tokenizer = load_corpus_tokenizer(folder)
    if int(network.output.shape[-1]) != tokenizer.vocabulary_size:
        raise ZooError(
            f"{folder}: network and vocabulary do not belong together: "
            f"{network.output.shape[-1]} and {tokenizer.vocabulary_size} tokens."
        )
    return TrainedLanguageModel(network, tokenizer)


def _check(length: int, temperature: float, top_k: int | None) -> None:
    if not 0 < length <= LONGEST:
        raise ZooError(f"`length` must be in [1, {LONGEST:,}]. Received: {length}.")
    if not (temperature >= 0.0 and math.isfinite(temperature)):
        raise ZooError(f"`temperature` must be 0 or more. Received: {temperature}.")
    if top_k is not None and top_k < 1:
        raise ZooError(f"`top_k` must be at least 1. Received: {top_k}.")


def _unknown(ids: np.ndarray) -> list[Finding]:
    """Return a finding on a prompt that holds what the model does not know."""
    count = int((ids == UNKNOWN).sum())
    if not count:
        return []
    what = f"{count:,} of the {len(ids):,} tokens of the prompt are unknown to the model."
    advice = "Its vocabulary is that of its training part; see model/vocabulary.json."
    return [Finding("warning", what, {"unknown": count, "tokens": len(ids)}, advice)]


def _draw(
    logits: np.ndarray, temperature: float, top_k: int | None, random: np.random.Generator
) -> int:
    """Return a token drawn from logits `(vocabulary,)`, never `<unk>`."""
    logits = logits.astype(np.float64)
    logits[UNKNOWN] = -np.inf
    if temperature == 0.0:
        return int(logits.argmax())
    if top_k is not None and top_k < len(logits):
        logits[logits < np.partition(logits, -top_k)[-top_k]] = -np.inf
    shares = np.exp((logits - logits.max()) / temperature)
    return int(random.choice(len(shares), p=shares / shares.sum()))
