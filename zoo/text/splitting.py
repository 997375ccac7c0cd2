"""Normalising and splitting texts, in the TensorFlow graph: one rule for training and serving."""

from __future__ import annotations

import tensorflow as tf
import tensorflow_text

# Punctuation inside a number keeps it whole: 3.5, 10,000.
NUMBER = r"\pN+(?:[.,]\pN+)+"
# Contractions apart from their word, as the Penn Treebank and Kim 2014 (clean_str) have them.
CONTRACTION = r"(?:n't|N'T|'(?:s|re|ve|ll|d|m|S|RE|VE|LL|D|M))\b"
# Chinese and Japanese are written without spaces: one character, one token.
IDEOGRAPH = r"[\p{Han}\p{Hiragana}\p{Katakana}]"
LETTERS = r"(?:[^\PL\p{Han}\p{Hiragana}\p{Katakana}]|\pM|\pN|_)+"
BLANK = r"[\s\pZ\p{Cc}\p{Cf}]"  # format characters (zero width, direction) carry no word
TOKEN = rf"{CONTRACTION}|{NUMBER}|{IDEOGRAPH}|{LETTERS}|[^\s\pZ\p{{Cc}}\p{{Cf}}]"


def normalize(texts: tf.Tensor, lowercase: bool) -> tf.Tensor:
    """Return strings `(batch,)` in Unicode NFKC, case folded when `lowercase`."""
    if lowercase:
        return tensorflow_text.case_fold_utf8(texts)
    return tensorflow_text.normalize_utf8(texts, "NFKC")


def split_words(texts: tf.Tensor) -> tf.RaggedTensor:
    """Split normalised strings `(batch,)` into words, numbers and single punctuation marks.

    Made for English and other languages with spaces: "It's 3.5, don't!" becomes
    `It 's 3.5 , do n't !`. Chinese and Japanese fall into characters; other scripts without
    spaces (Thai, Khmer) stay one token a run, so use the sentencepiece tokenizer for them.

    Source: contractions as Kim 2014, https://github.com/yoonkim/CNN_sentence (`clean_str`).
    Differs: keeps every punctuation mark and every script.
    """
    plain = tf.strings.regex_replace(texts, "[’‘ʼ]", "'")
    # A word match would swallow the n of n't, so it is set apart first.
    apart = tf.strings.regex_replace(plain, r"([nN]'[tT])\b", r" \1")
    return tensorflow_text.regex_split(apart, rf"{TOKEN}|{BLANK}+", TOKEN)


def split_characters(texts: tf.Tensor) -> tf.RaggedTensor:
    """Split normalised strings `(batch,)` into int32 code points; runs of blanks become a space."""
    plain = tf.strings.strip(tf.strings.regex_replace(texts, r"[\s\pZ\p{Cc}]+", " "))
    return tf.strings.unicode_decode(plain, "UTF-8", errors="replace")
