"""Start vectors: the three text formats, coverage, what is drawn, and what is refused."""

import gzip
import math
from pathlib import Path

import numpy as np
import pytest

from zoo.errors import ZooError
from zoo.text.vectors import read_vectors

PIECES = ["<pad>", "<unk>", "film", "great", "zebra"]
LINES = "film 1 2 3\nother 9 9 9\ngreat -1 0.5 1e-1\n"


def write(tmp_path: Path, text: str, name: str = "vectors.txt") -> Path:
    path = tmp_path / name
    opener = gzip.open if name.endswith(".gz") else open
    with opener(path, "wb") as file:
        file.write(text.encode())
    return path


@pytest.mark.parametrize("header", ["", "3 3\n"], ids=["glove", "word2vec"])
@pytest.mark.parametrize("name", ["vectors.txt", "vectors.vec.gz"])
def test_words_are_found(header: str, name: str, tmp_path: Path) -> None:
    matrix, coverage = read_vectors(write(tmp_path, header + LINES, name), PIECES, 3)
    assert matrix.dtype == np.float32 and matrix.shape == (5, 3)
    np.testing.assert_allclose(matrix[2], [1, 2, 3])
    np.testing.assert_allclose(matrix[3], [-1, 0.5, 0.1], rtol=1e-6)
    assert (coverage["found"], coverage["pieces"]) == (2, 3)
    assert coverage["share"] == pytest.approx(2 / 3)


def test_line_endings_tabs_and_trailing_spaces(tmp_path: Path) -> None:
    path = write(tmp_path, "film\t1\t2\t3\r\n\ngreat 4 5 6 \r\n")
    matrix, _ = read_vectors(path, PIECES, 3)
    np.testing.assert_allclose(matrix[2:4], [[1, 2, 3], [4, 5, 6]])


def test_missing_rows_have_the_variance_of_those_found(tmp_path: Path) -> None:
    pieces = ["<pad>", "<unk>", *(f"w{index}" for index in range(400))]
    found = np.random.default_rng(0).normal(0, 0.4, (200, 50))
    lines = (f"w{i} {' '.join(f'{value:.6f}' for value in row)}" for i, row in enumerate(found))
    matrix, coverage = read_vectors(write(tmp_path, "\n".join(lines)), pieces, 50, seed=3)
    assert coverage["range"] == pytest.approx(math.sqrt(3) * 0.4, rel=0.02)  # var U(-a, a): a²/3
    drawn = matrix[202:]
    assert drawn.var() == pytest.approx(matrix[2:202].var(), rel=0.03)
    assert np.abs(drawn).max() <= coverage["range"]
    assert not matrix[0].any() and matrix[1].all()


def test_the_seed_decides_what_is_drawn(tmp_path: Path) -> None:
    path = write(tmp_path, LINES)
    same, other = (read_vectors(path, PIECES, 3, seed=seed)[0] for seed in (1, 2))
    np.testing.assert_array_equal(same, read_vectors(path, PIECES, 3, seed=1)[0])
    assert (same[4] != other[4]).all() and (same[2] == other[2]).all()


def test_nothing_found_uses_the_default_range(tmp_path: Path) -> None:
    matrix, coverage = read_vectors(write(tmp_path, "x 1 2\n"), PIECES, 2)
    assert coverage == {"found": 0, "pieces": 3, "share": 0.0, "range": 0.25}
    assert np.abs(matrix).max() <= 0.25 and matrix[1:].all()


def test_the_first_of_a_word_counts(tmp_path: Path) -> None:
    matrix, coverage = read_vectors(write(tmp_path, "film 1 1\nfilm 2 2\n"), PIECES, 2)
    np.testing.assert_allclose(matrix[2], [1, 1])
    assert coverage["found"] == 1


def test_sentencepiece_marks_are_ignored(tmp_path: Path) -> None:
    pieces = ["<pad>", "<unk>", "▁film", "film", "▁", "s"]
    matrix, coverage = read_vectors(write(tmp_path, "film 1 1\n▁ 3 3\n"), pieces, 2)
    np.testing.assert_allclose(matrix[[2, 3, 4]], [[1, 1], [1, 1], [3, 3]])
    assert coverage["found"] == 3


def test_words_with_a_space_inside(tmp_path: Path) -> None:
    matrix, _ = read_vectors(write(tmp_path, ". . . 7 7\nat x@y.z 7 7\nfilm 1 2\n"), PIECES, 2)
    np.testing.assert_allclose(matrix[2], [1, 2])


def test_special_pieces_are_never_read(tmp_path: Path) -> None:
    matrix, _ = read_vectors(write(tmp_path, "<pad> 5 5\n<unk> 5 5\n"), PIECES, 2)
    assert not matrix[0].any() and np.abs(matrix[1]).max() <= 0.25


def test_a_vector_of_one_number(tmp_path: Path) -> None:
    matrix, _ = read_vectors(write(tmp_path, "film 3\n2 5\n"), PIECES, 1)
    assert matrix[2] == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("film 1 2 3\ngreat 1 2\n", r"vectors.txt:2: has 2 numbers after the word.* has 3"),
        ("other 1 2 3 4\n", r"vectors.txt:1: has 4 numbers after the word"),
        ("film\n", r"vectors.txt:1: has 0 numbers"),
        ("2 4\nfilm 1 2 3 4\n", r"vectors.txt:1: holds vectors of 4 .*embedding_dim=4"),
        ("film 1 x 3\n", r"vectors.txt:1: 'x' is not a finite number"),
        ("film 1 nan 3\n", r"vectors.txt:1: 'nan' is not a finite number"),
        ("a 1 2 3\nfilm 1 1e39 3\n", r"vectors.txt:2: '1e39' is not a finite number"),
        ("film 1 \0 3\n", r"vectors.txt:1: is not text: a binary word2vec"),
        ("x" * (2**20 + 5), r"vectors.txt:1: is not text"),
    ],
    ids=["short", "long", "word", "header", "letter", "nan", "infinite", "binary", "endless"],
)
def test_bad_lines_are_refused_by_number(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ZooError, match=message):
        read_vectors(write(tmp_path, text), PIECES, 3)


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ZooError, match=r"none\.txt: cannot be read: No such file"):
        read_vectors(tmp_path / "none.txt", PIECES, 3)
    with pytest.raises(ZooError, match="cannot be read"):
        read_vectors(tmp_path, PIECES, 3)
    whole = write(tmp_path, LINES * 100, "a.gz").read_bytes()
    for broken in (LINES.encode(), whole[: len(whole) // 2], whole[:20] + b"xx" + whole[22:]):
        (tmp_path / "a.gz").write_bytes(broken)
        with pytest.raises(ZooError, match=r"a\.gz: cannot be read"):
            read_vectors(tmp_path / "a.gz", PIECES, 3)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ZooError, match=r"vectors\.txt: holds no vectors"):
        read_vectors(write(tmp_path, "\n"), PIECES, 3)
