"""Corpora that failed for users, each through the command a user typed.

They lie outside of the repository, in `../shared/cases`; without them these tests are skipped.
"""

import json

import pytest

PRESET = ("--preset", "lstm_lm/default", "--json")


def look(zoo_command, path) -> dict:
    return json.loads(zoo_command("data", path, *PRESET, code=0).stdout)


@pytest.mark.parametrize("folder", ["ptb", "hf", "parts"])
def test_published_names_are_three_parts(folder, zoo_command, shared_case) -> None:
    found = look(zoo_command, shared_case(f"text/lm/{folder}"))
    assert {name: part["lines"] for name, part in found["parts"].items()} == {
        "train": 1200, "validation": 200, "test": 100,
    }  # fmt: skip
    assert "the parts by their names" in found["findings"][0]["what"]


def test_words_of_the_held_out_tail_are_unknown(zoo_command, shared_case) -> None:
    # The last 60 of its 1,200 lines have words of their own, 39 of them are held out.
    found = look(zoo_command, shared_case("text/lm/tail.txt"))
    assert found["parts"]["train"]["unknown_share"] == 0.0
    assert found["parts"]["validation"]["unknown_share"] > 0.0


def test_old_line_ends_are_line_ends(zoo_command, shared_case) -> None:
    found = look(zoo_command, shared_case("text/lm/cr.txt"))
    assert sum(part["lines"] for part in found["parts"].values()) == 1500


def test_unknown_words_of_a_corpus_stay_one_token(shared_case) -> None:
    from zoo.text.corpus_tokenizer import learn_corpus_tokenizer
    from zoo.text.vocabulary import UNKNOWN

    lines = shared_case("text/lm/unk.txt").read_text().splitlines()
    found = learn_corpus_tokenizer("sentencepiece", lines, vocabulary_size=100, lowercase=True)
    ids = found.encode(lines)
    assert int((ids == UNKNOWN).sum()) == sum(line.count("<unk>") for line in lines) > 0
    assert not any("<" in piece or ">" in piece for piece in found.pieces[2:])
