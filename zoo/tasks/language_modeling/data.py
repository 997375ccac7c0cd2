"""A corpus for a language model: parts, tokenizer of the training part, windows of token ids."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import Any

import tensorflow as tf

from zoo.data.columns import Columns
from zoo.data.epochs import EpochCursor
from zoo.data.parts import existing_part
from zoo.errors import ZooError
from zoo.finding import Finding
from zoo.tasks.corpora.parts import corpus_parts
from zoo.tasks.corpora.token_ids import (
    Tokens,
    cached_tokenizer,
    cached_tokens,
    check_ids,
)
from zoo.tasks.language_modeling.batches import windows
from zoo.tasks.language_modeling.separate import overlapping_windows, shuffled_windows
from zoo.tasks.language_modeling.settings import CarriedWindows, SeparateWindows
from zoo.tasks.request import Request
from zoo.text.corpus_tokenizer import END, CorpusTokenizer
from zoo.text.spacing import long_words
from zoo.text.vocabulary import UNKNOWN, small_vocabulary

MANY_UNKNOWN = 0.1  # of the tokens, and this many times the training part's share
TIMES_UNKNOWN = 2.0
FIRST_TOKENS = 20_000  # of the training part, whose words are looked at


@dataclasses.dataclass(frozen=True)
class Corpus:
    """Train, validation and test streams of token ids, with the facts the data decide.

    Args:
        train: the training part.
        validation: the validation part.
        test: the test part, or None.
        tokenizer: learned from the training part.
        findings: on the data.
        fingerprint: differs where contents, split or tokenizer do.
        settings: the preset's data block.
        seed: of random windows.
        columns: those of a table that were read; None without one.
        classes: None: a corpus has no labels.
        few_lengths: whether random windows have few lengths, because each is compiled.
    """

    train: Tokens
    validation: Tokens
    test: Tokens | None
    tokenizer: CorpusTokenizer
    findings: list[Finding]
    fingerprint: str
    settings: CarriedWindows | SeparateWindows
    seed: int
    columns: Columns | None = None
    classes: None = None
    few_lengths: bool = False

    def dataset(
        self,
        part: str,
        cursor: EpochCursor | None = None,
        replica_ids: range = range(1),
        replicas: int = 1,
    ) -> tf.data.Dataset:
        """Return the windows of `train`, `validation` or `test`; see `windows`.

        The training part's may have random lengths, and leaves out fewer tokens than a batch has
        rows; the others have every token once. Where windows stand by themselves, see
        `shuffled_windows`, and `overlapping_windows` for the others.

        The arguments are those of `zoo.tasks.task.Data.dataset`.

        Raises:
            ZooError: there is no such part.
        """
        ids, settings, training = existing_part(self, part).ids, self.settings, part == "train"
        shape: dict[str, Any] = {"rows": settings.batch_size, "window": settings.window}
        shape |= {"replica_ids": replica_ids, "replicas": replicas}
        if isinstance(settings, CarriedWindows):
            seed = self.seed if training and settings.random_window else None
            return windows(
                ids,
                **shape,
                keep_remainder=not training,
                seed=seed,
                few=self.few_lengths,
                cursor=cursor,
            )
        if training:
            return shuffled_windows(ids, **shape, seed=self.seed, cursor=cursor)
        return overlapping_windows(ids, **shape, stride=settings.scoring_stride)

    def close(self) -> None:
        """Do nothing: the ids stay for the next run."""

    def __enter__(self) -> Corpus:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def load_corpus(
    request: Request,
    settings: CarriedWindows | SeparateWindows,
    vocabulary_size: int,
    tokenizer: CorpusTokenizer | None = None,
) -> Corpus:
    """Read a corpus, learn its tokenizer from the training part, and write its ids once.

    Args:
        request: text file, list of files, folder, array of texts, or table in memory. Files whose
            names say that they are parts (`zoo.data.parts`), and rows of which a column says it,
            are these parts, where no others are given; validation is else the last lines. The
            `fraction` of the training part is taken from its beginning, for the tokenizer, too
            (A30).
        settings: the preset's data block.
        vocabulary_size: number of token ids at the most.
        tokenizer: one that was learned before from the same corpus; None learns it.

    Raises:
        ZooError: the corpus cannot be read or trained on.
    """
    findings: list[Finding] = []
    with contextlib.ExitStack() as stack:
        parts, columns = corpus_parts(request, settings.validation_fraction, findings, stack)
        if tokenizer is None:
            digest, lines = parts["train"].digest, parts["train"].lines()
            tokenizer = cached_tokenizer(
                digest, lines, settings.tokenizer, vocabulary_size, settings.lowercase
            )
        tokens = {name: cached_tokens(p.digest, p.lines(), tokenizer) for name, p in parts.items()}
    findings += small_vocabulary(tokenizer.vocabulary_size, vocabulary_size)
    findings += long_words(settings.tokenizer, _characters_a_word(tokens["train"], tokenizer))
    _check_length(tokens["train"], settings, request.data)
    for name in ("validation", "test"):
        if name in tokens:
            findings += _many_unknown(name, tokens[name], tokens["train"])
            check_ids(tokens[name].ids, tokenizer.vocabulary_size, name)
    return Corpus(
        train=tokens["train"],
        validation=tokens["validation"],
        test=tokens.get("test"),
        tokenizer=tokenizer,
        findings=findings,
        fingerprint=" ".join(part.digest for part in tokens.values()),
        settings=settings,
        seed=request.seed,
        columns=columns,
    )


def _characters_a_word(tokens: Tokens, tokenizer: CorpusTokenizer) -> float:
    first = tokens.ids[:FIRST_TOKENS].tolist()
    sizes = [len(tokenizer.pieces[token]) for token in first if token not in (END, UNKNOWN)]
    return sum(sizes) / max(len(sizes), 1)


def _check_length(train: Tokens, settings: CarriedWindows | SeparateWindows, source: Any) -> None:
    least = settings.batch_size * settings.window
    if len(train) >= least:
        return
    where = source if isinstance(source, str | Path) else "the corpus"
    raise ZooError(
        f"{where}: {len(train):,} tokens are left for training, fewer than one window of "
        f"{settings.batch_size} rows of {settings.window} tokens ({least:,}). Give more text, or "
        "set data.batch_size or data.window lower."
    )


def _many_unknown(name: str, part: Tokens, train: Tokens) -> list[Finding]:
    if not len(part):
        raise ZooError(f"the {name} part is empty. Give more text.")
    share, usual = part.unknown_share, train.unknown_share
    if share < max(MANY_UNKNOWN, TIMES_UNKNOWN * usual):
        return []
    what = (
        f"{100 * share:.1f} % of the {name} tokens are unknown, of the training tokens "
        f"{100 * usual:.1f} %: its perplexity is that of <unk>."
    )
    evidence = {"unknown_share": share, "training": usual}
    advice = "Is it the same language, tokenized alike? data.tokenizer=sentencepiece knows all."
    return [Finding("warning", what, evidence, advice)]
