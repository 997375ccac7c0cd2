"""Texts without labels for a masked language model: parts, tokenizer, rows with hidden tokens."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from zoo.data.columns import Columns
from zoo.data.epochs import EpochCursor
from zoo.data.parts import existing_part
from zoo.errors import ZooError
from zoo.finding import Finding
from zoo.tasks.corpora.parts import corpus_parts
from zoo.tasks.corpora.token_ids import Ids, Tokens, blocks, cached_tokens
from zoo.tasks.masked_language_modeling.masking import Masking, masked_rows
from zoo.tasks.masked_language_modeling.settings import MaskedData
from zoo.tasks.masked_language_modeling.stream import MaskedTokenizer, masked_tokenizer
from zoo.tasks.request import Request
from zoo.text.graph_tokenizer import learn_tokenizer
from zoo.text.tokenizers import TextTokenizer
from zoo.text.vocabulary import KINDS


@dataclasses.dataclass(frozen=True)
class MaskedTexts:
    """Train, validation and test streams of token ids, with the facts the data decide.

    Args:
        train: the training part.
        validation: the validation part.
        test: the test part, or None.
        tokenizer: learned from the training part, or of the weights that training starts from.
        masking: how rows are made of the streams.
        findings: on the data.
        fingerprint: differs where contents or split do.
        settings: the preset's data block.
        seed: of orders, and of what is hidden.
        columns: those of a table that were read; None without one.
        classes: None: there are no labels.
    """

    train: Tokens
    validation: Tokens
    test: Tokens | None
    tokenizer: TextTokenizer
    masking: Masking
    findings: list[Finding]
    fingerprint: str
    settings: MaskedData
    seed: int
    columns: Columns | None = None
    classes: None = None

    def dataset(
        self,
        part: str,
        cursor: EpochCursor | None = None,
        replica_ids: range = range(1),
        replicas: int = 1,
    ) -> tf.data.Dataset:
        """Return the batches of `train`, `validation` or `test`; see `masked_rows`.

        Only the training part is shuffled, and hidden in other places each epoch.

        The arguments are those of `zoo.tasks.task.Data.dataset`.

        Raises:
            ZooError: there is no such part.
        """
        return masked_rows(
            existing_part(self, part).ids,
            self.masking,
            rows=self.settings.batch_size,
            seed=self.seed if part == "train" else None,
            cursor=cursor,
            replica_ids=replica_ids,
            replicas=replicas,
        )

    def close(self) -> None:
        """Do nothing: the ids stay for the next run."""


def load_masked_texts(
    request: Request,
    settings: MaskedData,
    vocabulary_size: int,
    tokenizer: TextTokenizer | None = None,
) -> MaskedTexts:
    """Read texts, learn their tokenizer from the training part, and write their ids once.

    Args:
        request: as `zoo.tasks.language_modeling.data.load_corpus` takes it; every line is a text,
            and so is the text of every row of a table.
        settings: the preset's data block.
        vocabulary_size: number of token ids at the most, that of the mask included.
        tokenizer: of the weights that training starts from, or learned before from the same texts;
            None learns it.

    Raises:
        ZooError: the texts cannot be read or trained on.
    """
    findings: list[Finding] = []
    with contextlib.ExitStack() as stack:
        parts, columns = corpus_parts(request, settings.validation_fraction, findings, stack)
        if tokenizer is None:
            if settings.tokenizer not in KINDS:
                raise ZooError(
                    f"data.tokenizer={settings.tokenizer} cannot be learned: it comes with "
                    f"pretrained weights (--init). Accepted without: {', '.join(KINDS)}."
                )
            tokenizer = learn_tokenizer(
                settings.tokenizer,
                parts["train"].lines(),
                vocabulary_size=vocabulary_size - 1,  # the mask is an id more
                lowercase=settings.lowercase,
                seed=request.seed,
            )
        masked = masked_tokenizer(tokenizer)
        masking = Masking(masked, settings.max_length, settings.mask_fraction)
        tokens = {name: cached_tokens(p.digest, p.lines(), masked) for name, p in parts.items()}
    for name, part in tokens.items():
        if not len(part):
            raise ZooError(f"the {name} part holds no text. Give more text.")
    return MaskedTexts(
        train=tokens["train"],
        validation=tokens["validation"],
        test=tokens.get("test"),
        tokenizer=tokenizer,
        masking=masking,
        findings=findings,
        fingerprint=" ".join(part.digest for part in tokens.values()),
        settings=settings,
        seed=request.seed,
        columns=columns,
    )


def token_shares(ids: Ids, tokenizer: MaskedTokenizer) -> np.ndarray:
    """Return the share of each token in a stream, `(vocabulary,)`, each counted once more.

    Args:
        ids: the stream.
        tokenizer: whose special tokens are left out.
    """
    counts = np.ones(tokenizer.vocabulary_size)
    for block in blocks(ids):
        counts += np.bincount(block, minlength=len(counts))
    counts[tokenizer.special] = 0.0
    shares: np.ndarray = counts / counts.sum()
    return shares


def unigram_scores(shares: np.ndarray, data: Any) -> dict[str, float]:
    """Return loss (nats a token) and accuracy on hidden tokens of whoever knows the shares alone.

    Args:
        shares: of the tokens, `(vocabulary,)`.
        data: batches as `masked_rows` gives them.
    """
    loss, right, count = 0.0, 0, 0
    best = int(shares.argmax())
    for _, targets, weights in data.as_numpy_iterator():
        told = targets[weights > 0]
        loss -= float(np.log(shares[told]).sum())
        right += int((told == best).sum())
        count += len(told)
    return {"loss": loss / max(count, 1), "accuracy": right / max(count, 1)}
