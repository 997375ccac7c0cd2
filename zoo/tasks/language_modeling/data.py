"""A corpus for a language model: parts, tokenizer of the training part, windows of token ids."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from zoo.data.checks import columns_read
from zoo.data.columns import ColumnRequest, Columns
from zoo.data.epochs import EpochCursor
from zoo.data.parts import existing_part, part_sources
from zoo.errors import ZooError
from zoo.finding import Finding
from zoo.tasks.language_modeling.batches import windows
from zoo.tasks.language_modeling.lines import (
    StoredTexts,
    content_digest,
    corpus_columns,
    corpus_paths,
    is_in_memory,
    lines_between,
    read_lines,
    store_tables,
)
from zoo.tasks.language_modeling.separate import overlapping_windows, shuffled_windows
from zoo.tasks.language_modeling.settings import CarriedWindows, SeparateWindows
from zoo.tasks.language_modeling.token_ids import (
    Tokens,
    cached_length,
    cached_tokenizer,
    cached_tokens,
    check_ids,
)
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


def corpus_parts(
    request: Request,
    validation_fraction: float,
    findings: list[Finding],
    stack: contextlib.ExitStack,
) -> tuple[dict[str, Part], Columns | None]:
    """Return the lines of train, validation and, if there is one, test; and the columns read.

    Args:
        request: see `load_corpus`.
        validation_fraction: share at the end of the training text set aside where no validation
            part is given.
        findings: findings on what is read are appended to it.
        stack: closes what is kept on disk.

    Raises:
        ZooError: the corpus cannot be read, or something of labels is asked for.
    """
    check_unlabelled(request)
    column_request = ColumnRequest(request.text, labelled=False)
    given = {"train": request.data, "validation": request.validation, "test": request.test}
    given = {name: data for name, data in given.items() if data is not None}
    given = store_tables(given, column_request, findings, stack)
    given = {name: _rereadable(data) for name, data in given.items()}
    sources = part_sources(
        given["train"], given.get("validation"), given.get("test"), corpus_paths, findings
    )
    table, columns = corpus_columns(sources["train"], column_request)
    findings += columns_read(table, columns)
    return _set_apart(sources, column_request, validation_fraction, request.fraction), columns


def check_unlabelled(request: Request) -> None:
    """Refuse what is asked for of labels: a corpus has none.

    Raises:
        ZooError: the message names the option.
    """
    for name in ("label", "classes", "drop_missing"):
        if getattr(request, name):
            raise ZooError(f"a language model has no labels: leave out `{name}`.")


def bundled_corpus() -> Path:
    """Return the path of the corpus that comes with the package, a folder of three parts."""
    return Path(__file__).parent / "bundled" / "tinyshakespeare"


@dataclasses.dataclass(frozen=True)
class Part:
    """A part of a corpus: the lines of a source, or those between two of its characters."""

    source: Any
    request: ColumnRequest
    content: str
    between: tuple[int, int, int] | None = None  # first, the one after the last, and the total

    @property
    def digest(self) -> str:
        """A text that differs where the lines do."""
        between = "" if self.between is None else list(self.between)
        return f"{self.content} {self.request.inputs}{between}"

    def lines(self) -> Iterator[str]:
        """Yield the lines."""
        lines = read_lines(self.source, self.request)
        return lines if self.between is None else lines_between(lines, *self.between)


def _set_apart(
    sources: Mapping[str, Any], request: ColumnRequest, held_out: float, fraction: float
) -> dict[str, Part]:
    """Return the parts, before anything is learned: the end set aside, the sample taken."""
    parts = {name: Part(data, request, content_digest(data)) for name, data in sources.items()}
    train = parts["train"]
    if "validation" in parts and fraction == 1.0:
        return parts
    total = cached_length(train.digest, train.lines())
    end = total
    if "validation" not in parts:
        end = total - max(int(total * held_out), 1)
        parts["validation"] = dataclasses.replace(train, between=(end, total, total))
    parts["train"] = dataclasses.replace(train, between=(0, int(end * fraction), total))
    return parts


def _rereadable(source: Any) -> Any:
    """Return a source that can be read more than once."""
    once = is_in_memory(source) and not isinstance(source, list | StoredTexts)
    return list(source) if once else source


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
