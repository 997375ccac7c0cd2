"""WordPiece, the subwords of BERT, in the TensorFlow graph."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf
import tensorflow_text

# Control characters and those that show nothing; tab and line ends are blanks and stay.
INVISIBLE = r"[\x00-\x08\x0B\x0C\x0E-\x1F\x7F-\x9F\x{FFFD}\p{Cf}\p{Co}]+"
ACCENTS = r"\p{Mn}+"
# BERT reads words of up to 100 characters, the op counts bytes, of which a character has up to 4.
WORD_BYTES = 400


class WordPiece(tf.Module):
    """Normalised words, each cut into the longest pieces of a vocabulary, from the left.

    The same ids as BERT's own tokenizer and Hugging Face's, but for characters that Unicode named
    after theirs were written, and words of more than 100 characters in at most 400 bytes, which
    are cut as any other, not unknown (`python -m benchmarks run tokenizers`).

    Args:
        pieces: what each id stands for; a piece within a word begins with `##`.
        lowercase: whether case is folded and accents are taken away, as `uncased` models have it.
        unknown: the piece of a word that cannot be cut.

    Source: Devlin 2019, https://github.com/google-research/bert (`tokenization.py`);
    Song 2021, https://arxiv.org/abs/2012.15524, for the algorithm.
    """

    def __init__(self, pieces: Sequence[str], *, lowercase: bool, unknown: str):
        super().__init__(name="wordpiece")
        self.lowercase = lowercase
        self._words = tensorflow_text.FastWordpieceTokenizer(
            list(pieces),
            suffix_indicator="##",
            max_bytes_per_word=WORD_BYTES,
            token_out_type=tf.int32,
            unknown_token=unknown,
            support_detokenization=False,
        )

    def __call__(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Return int32 ids `(batch, None)` of strings `(batch,)`; rows may be empty."""
        ids = self._words.tokenize(self.normalize(texts))
        return ids.merge_dims(1, -1) if ids.ragged_rank > 1 else ids

    def normalize(self, texts: tf.Tensor) -> tf.Tensor:
        """Return strings without invisible characters, and as `lowercase` says."""
        visible = tf.strings.regex_replace(texts, INVISIBLE, "")
        if not self.lowercase:
            return visible
        plain = tensorflow_text.normalize_utf8(visible, "NFD")
        plain = tf.strings.regex_replace(plain, ACCENTS, "")
        # Character by character, as BERT does it: the last sigma of a word is one like the others.
        plain = tf.strings.regex_replace(plain, "Σ", "σ")
        return tf.strings.lower(plain, encoding="utf-8")
