"""The tokenizers of all tasks: what they have in common, and reading them from a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from zoo.files import read_json
from zoo.text.corpus_tokenizer import FILE as CORPUS_FILE
from zoo.text.corpus_tokenizer import CorpusTokenizer, load_corpus_tokenizer
from zoo.text.graph_tokenizer import GraphTokenizer, load_graph_tokenizer
from zoo.text.pair_tokenizer import SAVED, PairTokenizer
from zoo.text.pretrained_tokenizer import FORM, PretrainedTokenizer, load_pretrained_tokenizer

TextTokenizer = GraphTokenizer | PretrainedTokenizer | PairTokenizer  # of classifiers


class Tokenizer(Protocol):
    """Strings to ids: `TextTokenizer` of classifiers, `CorpusTokenizer` of language models.

    Attributes:
        kind: `sentencepiece`, `words` and so on.
        lowercase: whether case is folded.
    """

    kind: str
    lowercase: bool

    @property
    def vocabulary_size(self) -> int:
        """Number of ids."""

    @property
    def pieces(self) -> list[str]:
        """What each id stands for."""

    def save(self, folder: Path) -> None:
        """Write it into a folder, for `load_tokenizer`.

        Raises:
            ZooError: a file cannot be written.
        """


def of_single_texts(tokenizer: TextTokenizer) -> GraphTokenizer | PretrainedTokenizer:
    """Return the tokenizer within one of pairs; others as they are."""
    return tokenizer.tokenizer if isinstance(tokenizer, PairTokenizer) else tokenizer


def load_tokenizer(folder: Path) -> TextTokenizer | CorpusTokenizer:
    """Read what `Tokenizer.save` wrote; nothing in the files is ever executed.

    Raises:
        ZooError: a file is missing, is not what it should be, or was changed after it was written.
    """
    if (Path(folder) / CORPUS_FILE).is_file():
        return load_corpus_tokenizer(folder)
    return load_text_tokenizer(folder)


def load_text_tokenizer(folder: Path) -> TextTokenizer:
    """Read the tokenizer of a classifier.

    Raises:
        ZooError: as `load_tokenizer`.
    """
    folder = Path(folder)
    facts = read_json(folder / "tokenizer.json")
    tokenizer: GraphTokenizer | PretrainedTokenizer
    if isinstance(facts, dict) and facts.get("form") == FORM:
        tokenizer = load_pretrained_tokenizer(folder, facts)
    else:
        tokenizer = load_graph_tokenizer(folder)
    return PairTokenizer(tokenizer) if facts.get(SAVED) else tokenizer
