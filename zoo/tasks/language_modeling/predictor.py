"""A trained language model: exact scores, text out of it, and a SavedModel with its state."""

from __future__ import annotations

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

from zoo.data.columns import ColumnRequest, Columns
from zoo.data.texts import text_batches
from zoo.errors import ZooError, check_seed
from zoo.finding import Finding
from zoo.layers.kernels import use_kernels
from zoo.models import with_cache, with_states
from zoo.preset.schemas import architectures
from zoo.tasks.archive import load_network, save_network, write_archive
from zoo.tasks.corpora.scored import scored_tokens
from zoo.tasks.corpora.token_ids import Ids, Tokens
from zoo.tasks.language_modeling.batches import windows
from zoo.tasks.language_modeling.model import LanguageModel
from zoo.tasks.language_modeling.sampling import check_sampling, draw, unknown_in_prompt
from zoo.tasks.language_modeling.separate import overlapping_windows, window_number
from zoo.tasks.language_modeling.settings import LanguageRecipe
from zoo.tasks.request import Request
from zoo.text.corpus_tokenizer import END, CorpusTokenizer, load_corpus_tokenizer
from zoo.training.features import VECTOR
from zoo.training.kernels import fast_kernels
from zoo.training.kernels.token_loss import token_losses

WINDOW = 512  # tokens scored at once, one after the other
TOGETHER = 4096  # tokens scored at once, in windows beside each other


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
        """The network with what a window leaves to the next, in and out."""
        return with_states(self.network)

    @functools.cached_property
    def stepwise(self) -> keras.Model:
        """The network with what a token leaves to those after it, in and out."""
        return with_cache(self.network)

    @property
    def _embedding(self) -> Any:
        return self.network.get_layer("embedding")

    def first_input(self, count: int) -> int:
        """Return the first of so many inputs that the last of them sees the text from.

        0 where a state is carried on. Else the context moves on by the network's scoring stride
        when it is full, in scores as in text that is made: so many tokens later it is full again.
        """
        context, stride = self.network.context, self.network.scoring_stride
        return 0 if context is None else stride * window_number(count, context, stride)

    def _continued(self, tokens: Any, states: Any) -> list[tf.Tensor]:
        """Return features and states after a window; Keras gives a single output bare."""
        outputs: list[tf.Tensor] = keras.tree.flatten(
            self.windowed([tokens, *states], training=False)
        )
        return outputs

    @functools.cached_property
    def _losses(self) -> Any:
        @tf.function(reduce_retracing=True)
        @tf.autograph.experimental.do_not_convert
        def losses(tokens: Any, targets: Any, states: Any) -> Any:
            with use_kernels(fast_kernels()):
                features, *after = self._continued(tokens, states)
            flat = tf.reshape(features, [-1, features.shape[-1]])
            table, bias = self._embedding.output_embeddings.value, self._embedding.bias.value
            return token_losses(flat, table, bias, tf.reshape(tf.transpose(targets), [-1])), after

        return losses

    @functools.cached_property
    def _next(self) -> Any:
        @tf.function(reduce_retracing=True)
        @tf.autograph.experimental.do_not_convert
        def following(tokens: Any, states: Any) -> Any:
            features, *after = self.stepwise([tokens, *states], training=False)
            return self._embedding(features[-1], reverse=True), after

        return following

    def losses(self, ids: Ids) -> np.ndarray:
        """Return the loss of each token of a stream in nats, from `<eos>` on.

        Where a state is carried from the first token to the last, this is the exact perplexity. A
        network with a context scores each token once, in windows that overlap: after `context -
        scoring_stride` tokens at the least, or all that there are (`overlapping_windows`).
        """
        return np.concatenate([np.zeros(0, np.float32), *self._window_losses(ids)])

    def _window_losses(self, ids: Ids) -> Iterator[np.ndarray]:
        states = zeros(self.windowed)
        for tokens, targets, weights in self._windows(ids):
            losses, states = self._losses(tokens, targets, states)
            by_row = losses.numpy().reshape(weights.shape[::-1]).T
            yield by_row[weights.numpy() > 0.0]

    def _windows(self, ids: Ids) -> Iterator[tuple[tf.Tensor, tf.Tensor, tf.Tensor]]:
        """Yield tokens, targets and weights of windows that hold every token once, in order."""
        context, stride = self.network.context, self.network.scoring_stride
        if context is None:
            for x, targets, weights in windows(ids, rows=1, window=WINDOW, keep_remainder=True):
                yield x["tokens"], targets, weights
        elif len(ids):
            window = min(context, len(ids))
            count = 1 + window_number(len(ids), context, stride)
            rows = min(max(TOGETHER // context, 1), count)
            stride = min(stride, window)
            yield from overlapping_windows(ids, rows=rows, window=window, stride=stride)

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
        return self.scores(scored_tokens(request, self.tokenizer, trained, findings))

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

        They are those that the logits of each token of the text are made of, `<eos>` included.
        The arguments are those of `zoo.tasks.task.Predictor.embeddings`.
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
        states = zeros(self.windowed)
        total: Any = 0.0
        for tokens, _, weights in self._windows(ids):
            sums, states = self._feature_sums(tokens, weights, states)
            total += sums.numpy().astype(np.float64)
        return (total / len(ids)).astype(np.float32)

    @functools.cached_property
    def _feature_sums(self) -> Any:
        @tf.function(reduce_retracing=True)
        @tf.autograph.experimental.do_not_convert
        def sums(tokens: Any, weights: Any, states: Any) -> Any:
            features, *after = self._continued(tokens, states)
            counted = tf.cast(features, tf.float32) * tf.transpose(weights)[..., None]
            return tf.reduce_sum(counted, axis=[0, 1]), after

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
        check_sampling(length, temperature, top_k)
        check_seed(seed)
        random = np.random.default_rng(seed)
        ids = np.concatenate([[END], self.tokenizer.encode(prompt.split("\n"))[:-1]])
        if findings is not None:
            findings += unknown_in_prompt(ids[1:])
        text = ids.tolist()
        following = self.logits_after(text)
        for _ in range(length):
            text.append(draw(next(following), temperature, top_k, random))
        return self.tokenizer.continue_text(prompt, text[len(ids) :])

    def logits_after(self, text: list[int]) -> Iterator[np.ndarray]:
        """Yield the logits of the token after a text, `(vocabulary,)`, again as it gets longer.

        Each token goes through the network once, and once more when the context moves on.

        Args:
            text: ids, `<eos>` first; the caller appends one before asking for the next logits.
        """
        first, done, states = 0, 0, zeros(self.stepwise)
        while True:
            if first != (start := self.first_input(len(text))):
                first, done, states = start, start, zeros(self.stepwise)
            logits, states = self._next(tf.constant([text[done:]], tf.int32), states)
            done = len(text)
            yield logits[0].numpy()

    def export(self, folder: Path) -> Path:
        """Write a SavedModel whose `serve` takes ids and the state, and gives logits and state.

        Inputs are `tokens`, int32 `(batch, time)`, and the state, zeros before the first token:
        `hidden_0`, `cell_0` and so on, float32 `(batch, units)`, of LSTMs; of Transformers
        `before`, int32 `(batch,)`, the number of tokens before, and `cache_0` and so on, `(batch,
        positions, 2 * features)`, the keys and values of each layer. Outputs are `logits` `(batch,
        vocabulary)` of the token after the last, and the state under the same names.
        `vocabulary.json` beside it names the ids.

        Raises:
            ZooError: the folder exists and is not empty, or cannot be written.
        """
        states = self.stepwise.inputs[1:]
        names = [state.name for state in states]

        def serve(tokens: Any, *states: Any) -> dict[str, tf.Tensor]:
            features, *after = self.stepwise([tokens, *states], training=False)
            logits = self._embedding(features[-1], reverse=True)
            return {"logits": logits, **dict(zip(names, after, strict=True))}

        archive = keras.export.ExportArchive()
        archive.track(self.stepwise)
        archive.add_endpoint(
            "serve",
            serve,
            input_signature=[
                tf.TensorSpec([None, None], tf.int32, name="tokens"),
                *(tf.TensorSpec(state.shape, state.dtype, name=state.name) for state in states),
            ],
        )
        return write_archive(archive, folder, self.tokenizer.save)


def load_language_model(folder: Path) -> TrainedLanguageModel:
    """Read what `TrainedLanguageModel.save` wrote.

    Raises:
        ZooError: a file is missing or damaged.
    """
    network = load_network(folder)
    families = [name for name, each in architectures().items() if each.task == LanguageRecipe.task]
    if not isinstance(network, LanguageModel) or network.name not in families:
        raise ZooError(f"{folder}: '{network.name}' is no language model: {', '.join(families)}.")
    tokenizer = load_corpus_tokenizer(folder)
    if int(network.output.shape[-1]) != tokenizer.vocabulary_size:
        raise ZooError(
            f"{folder}: network and vocabulary do not belong together: "
            f"{network.output.shape[-1]} and {tokenizer.vocabulary_size} tokens."
        )
    return TrainedLanguageModel(network, tokenizer)


def zeros(network: keras.Model) -> list[tf.Tensor]:
    """Return the state of one text before its first token.

    Args:
        network: of `[tokens, *states]`.
    """
    return [tf.zeros((1, *state.shape[1:]), state.dtype) for state in network.inputs[1:]]
