"""Sentencepiece, the subwords of XLM-R and of the zoo's own tokenizers, in the TensorFlow graph."""

from __future__ import annotations

import tensorflow as tf
import tensorflow_text


class SentencePieces(tf.Module):
    """Strings to the ids of a sentencepiece model, normalised by the rule in it.

    Args:
        model: serialised.

    Source: Kudo 2018, https://arxiv.org/abs/1808.06226.
    """

    def __init__(self, model: bytes):
        super().__init__(name="sentence_pieces")
        self._model = model
        self._load()

    def _load(self) -> None:
        self._op = tensorflow_text.SentencepieceTokenizer(self._model, out_type=tf.int32)

    def __call__(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Return int32 ids `(batch, None)` of strings `(batch,)`; rows may be empty."""
        # Setting a seed (`keras.utils.set_random_seed`) clears TensorFlow's cache of eager kernels,
        # and with its kernel goes the model that tensorflow-text 2.21 keeps in it.
        with tf.init_scope():
            try:
                self._op.tokenize([""])
            except tf.errors.NotFoundError:
                self._load()
        return self._op.tokenize(texts)
