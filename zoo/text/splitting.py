"""Normalising and splitting texts, in the TensorFlow graph: one rule for training and serving."""

from __future__ import annotations

import tensorflow as tf
import tensorflow_text

# A modifier letter, no punctuation: holds a contraction together while punctuation is set apart.
APOSTROPHE = "ʼ"
# Several plain patterns run five times faster than one that lists every kind of token: RE2 leaves
# its fast path for long alternations that have to tell which part matched.
CONTRACTIONS = (
    (r"([nN])'([tT])\b", rf" \1{APOSTROPHE}\2"),
    (r"'(s|re|ve|ll|d|m|S|RE|VE|LL|D|M)\b", rf" {APOSTROPHE}\1"),
)
# Chinese and Japanese are written without spaces: one character, one token.
APART = r"([\pP\pS\p{Han}\p{Hiragana}\p{Katakana}])"
IGNORABLE = r"[\p{Cf}\x{FE00}-\x{FE0F}]+"  # soft hyphens, joiners, variation selectors
# Runs, and single blanks other than the space: a space alone is no match, which is what makes it
# fast (NFKC has already turned the other spaces into it, all but U+1680).
BLANK = r"[\pZ\p{Cc}]{2,}|[\p{Cc}\p{Zl}\p{Zp}\x{1680}]"


def normalize(texts: tf.Tensor, lowercase: bool) -> tf.Tensor:
    """Return strings `(batch,)` in Unicode NFKC, case folded when `lowercase`.

    Characters that show nothing are dropped and a run of blanks becomes one space.
    """
    fold = tensorflow_text.case_fold_utf8 if lowercase else tensorflow_text.normalize_utf8
    plain = tf.strings.regex_replace(fold(texts), IGNORABLE, "")
    return tf.strings.strip(tf.strings.regex_replace(plain, BLANK, " "))


def split_words(texts: tf.Tensor) -> tf.RaggedTensor:
    """Split normalised strings `(batch,)` into words and single punctuation marks.

    Made for English and other languages with spaces: `It's good, don't!` becomes
    `It 's good , do n't !`. Chinese and Japanese fall into characters; other scripts without
    spaces (Thai, Khmer) stay one token a run, so use the sentencepiece tokenizer for them.

    Source: contractions as Kim 2014, https://github.com/yoonkim/CNN_sentence (`clean_str`).
    Differs: keeps every punctuation mark and every script.
    """
    apart = tf.strings.regex_replace(texts, f"[’‘{APOSTROPHE}]", "'")
    for pattern, marked in CONTRACTIONS:
        apart = tf.strings.regex_replace(apart, pattern, marked)
    apart = tf.strings.regex_replace(apart, APART, r" \1 ")
    return tf.strings.split(tf.strings.regex_replace(apart, APOSTROPHE, "'"))


def split_characters(texts: tf.Tensor) -> tf.RaggedTensor:
    """Split normalised strings `(batch,)` into int32 Unicode code points; a space is one too."""
    return tf.strings.unicode_decode(texts, "UTF-8", errors="replace")
