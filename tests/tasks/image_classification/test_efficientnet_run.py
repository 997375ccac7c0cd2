"""An EfficientNet from files to predictions: small images first, loaded again, at a tiny width."""

import numpy as np
import pytest
from image_parts import QUICK, write_folder

import zoo

TINY = {key: value for key, value in QUICK.items() if "filters" not in key and "depth" not in key}
TINY |= {
    "architecture.width_factor": 0.1,
    "architecture.depth_factor": 0.1,
    "data.resizing.name": "progressive",
    "data.resizing.stages": 2,
    "data.resizing.first_size": 16,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run on a folder of parts; tests must not change it."""
    folder = tmp_path_factory.mktemp("images")
    for number, part in enumerate(("train", "test")):
        write_folder(folder / "data" / part, 40 - 25 * number, first=100 * number)
    return zoo.train(
        "efficientnet", str(folder / "data"), set=TINY | {"recipe.epochs": 14}, out=folder / "run",
        verbose=False,
    )  # fmt: skip


def test_golden_scores(run, assert_golden):
    assert_golden(run)


def test_it_learns_and_is_loaded_with_its_scores(run, tmp_path):
    assert run.metrics["test"]["accuracy"] > 0.9
    assert "data.resizing: 2 stages in 14 epochs, of 16, 24 pixels" in "".join(
        map(str, run.findings)
    )
    source = write_folder(tmp_path / "new", 3, first=300)
    again = zoo.load_run(run.path)
    probabilities = [
        [prediction["probabilities"] for prediction in one.predict([str(source)])]
        for one in (run, again)
    ]
    one, other = ([list(row.values()) for row in rows] for rows in probabilities)
    np.testing.assert_allclose(one, other, atol=1e-5)
