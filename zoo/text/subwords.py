"""Learning a sentencepiece model in seconds, from any texts."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Iterator

import sentencepiece

from zoo.errors import ZooError

# What costs time is the length of all distinct words together: 2 s for this many on one core where
# nothing repeats (Chinese titles: a title is a word), 5 s at worst (four letters without a space).
# A million English words hold fewer.
DISTINCT_CHARACTERS = 400_000
# Counting words costs little, but does not end by itself where few words are repeated for ever.
ALL_CHARACTERS = 5_000_000
# Learning looks at pieces of at most 16 characters, so a cut in a long text loses next to nothing.
SENTENCE = 1_000
# Share of all characters that the alphabet must cover: sentencepiece's own default, which leaves
# out the long tail of Chinese characters seen once and keeps every character of a small sample.
COVERAGE = 0.9995
# An alphabet this small is covered whole: a dollar sign is rare in messages, and tells spam.
SMALL_ALPHABET = 500
# Learning starts from the most frequent substrings and prunes; 4 candidates a piece give the same
# segmentation as sentencepiece's million (tokens a text equal within 1 %) in a third of the time.
CANDIDATES = 4
# sentencepiece skips sentences that hold its own marks.
RESERVED = str.maketrans({"\u2585": " ", "\u2047": " ", "\u2581": " ", "\x00": " ", "\t": " "})


def rule(lowercase: bool) -> str:
    """Return sentencepiece's name for NFKC, with or without case folding."""
    return "nmt_nfkc_cf" if lowercase else "nmt_nfkc"


def learn_sentencepiece(texts: Iterable[str], *, vocabulary_size: int, lowercase: bool) -> bytes:
    """Return a serialised unigram model: id 0 padding, id 1 unknown, no start or end mark.

    Args:
        texts: strings in random order; reading stops when enough is known.
        vocabulary_size: most pieces, the two special ones included.
        lowercase: whether texts are case folded.

    Raises:
        ZooError: no text holds a character, or sentencepiece fails on them.

    Source: Kudo 2018, https://arxiv.org/abs/1804.10959.
    """
    sentences = list(_sentences(texts, lowercase))
    alphabet = _alphabet(sentences, vocabulary_size - 3)  # padding, unknown and the space mark
    if not alphabet:
        raise ZooError(
            "the tokenizer cannot be learned: every text is empty or blank. "
            "Check that the right text column is read."
        )
    rare = dict.fromkeys(set().union(*sentences) - alphabet, " ")
    table = str.maketrans(rare)
    plain = [sentence.translate(table) for sentence in sentences]
    return _train(plain, vocabulary_size, lowercase)


def _train(sentences: list[str], vocabulary_size: int, lowercase: bool) -> bytes:
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences),
            model_writer=model,
            model_type="unigram",
            vocab_size=vocabulary_size,
            hard_vocab_limit=False,
            character_coverage=1.0,  # the alphabet is chosen before
            normalization_rule_name=rule(lowercase),
            pad_id=0,
            unk_id=1,
            bos_id=-1,
            eos_id=-1,
            max_sentence_length=16 * SENTENCE,  # bytes
            seed_sentencepiece_size=max(10_000, CANDIDATES * vocabulary_size),
            num_threads=1,  # the same bytes on every machine
            minloglevel=2,
        )
    except RuntimeError as error:
        raise ZooError(
            f"the sentencepiece tokenizer cannot be learned from these texts: {error}. "
            "Choose data.tokenizer=words or data.tokenizer=characters."
        ) from error
    return model.getvalue()


def _sentences(texts: Iterable[str], lowercase: bool) -> Iterator[str]:
    """Yield normalised, short pieces of the texts until their distinct words are enough."""
    normalizer = sentencepiece.SentencePieceNormalizer(
        rule_name=rule(lowercase), escape_whitespaces=False, add_dummy_prefix=False
    )
    seen: set[str] = set()
    distinct = total = 0
    for text in texts:
        normal = normalizer.normalize(text).translate(RESERVED)
        for start in range(0, len(normal), SENTENCE):
            sentence = normal[start : start + SENTENCE].strip()
            if not sentence:
                continue
            new = set(sentence.split()) - seen
            seen |= new
            distinct += sum(map(len, new))
            total += len(sentence)
            yield sentence
            if distinct > DISTINCT_CHARACTERS or total > ALL_CHARACTERS:
                return


def _alphabet(sentences: list[str], limit: int) -> set[str]:
    """Return the most frequent characters, until they cover enough or are `limit` many."""
    counts: Counter[str] = Counter()
    for sentence in sentences:
        counts.update(sentence)
    del counts[" "]
    enough = COVERAGE * sum(counts.values())
    alphabet: set[str] = set()
    covered = 0
    for character, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if len(alphabet) >= limit or (covered >= enough and len(alphabet) >= SMALL_ALPHABET):
            break
        alphabet.add(character)
        covered += count
    return alphabet
