"""Small real inputs that many tests share."""

from __future__ import annotations

import csv
import dataclasses
import gc
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("COLUMNS", "200")  # rich tables keep a row on a line
os.environ["ZOO_CACHE"] = tempfile.mkdtemp(prefix="zoo-cache-")

ROOT = Path(__file__).resolve().parent.parent

GOOD = ["great", "lovely", "moving", "funny", "brilliant"]
BAD = ["dull", "awful", "tired", "clumsy", "boring"]
NEUTRAL = ["the", "film", "was", "a", "story", "with", "actors", "and", "music", "plot"]


def pytest_configure(config: pytest.Config) -> None:
    """Split the CPU into two logical devices, before TensorFlow starts: replicas without GPUs.

    `pytest -m gpu` leaves the devices as they are.
    """
    if config.option.markexpr == "gpu":
        os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # several processes, one GPU
        return
    import tensorflow as tf

    from zoo.distribute import strategy_for

    if "PYTEST_XDIST_WORKER" in os.environ:  # as many processes as cores: threads would only wait
        tf.config.threading.set_intra_op_parallelism_threads(1)
    strategy_for("cpu:0,1")
    # Graphs are many small objects that stay: looking for garbage among them costs time.
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)


# The same examples in every run, and few: a property is to fail here, not to be hunted for hours.
hypothesis.settings.register_profile(
    "tests",
    max_examples=25,
    derandomize=True,
    deadline=None,
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate, hypothesis.Phase.shrink],
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
hypothesis.settings.load_profile("tests")

# Files that take longest, so that no process is left with one of them in the end.
LONGEST = (
    "test_launch", "test_resume", "test_replicas", "test_train", "test_training_model",
    "test_resnet", "test_models", "test_several_labels", "test_starts", "test_language_training",
    "test_compiled", "test_recurrent_layers", "test_language_models", "test_transformer_lm_run",
    "test_fine_tuning", "test_image_task", "test_hypermodel", "test_batches", "test_presets",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest."""
    ranks = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(item.path.stem, len(ranks)))


# One small, quick training: a few seconds with everything on.
QUICK = {
    "recipe.epochs": 2,
    "recipe.min_steps": 0,
    "architecture.filters": 16,
    "architecture.embedding_dim": 16,
    "architecture.vocabulary_size": 200,
}


def importing(test_file: str) -> dict[str, str]:
    """Return the environment of a process that imports a test file, and what tests share."""
    folders = [Path(test_file).parent, ROOT / "tests" / "helpers", ROOT / "tests", ROOT]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))}


def sentences(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """Return learnable `(text, label)` rows, every text different."""
    generator = random.Random(seed)
    rows = []
    for index in range(count):
        label = ("good", "bad")[index % 2]
        words = generator.sample(NEUTRAL, 5)
        words.insert(generator.randrange(6), generator.choice(GOOD if label == "good" else BAD))
        rows.append((" ".join([*words, str(index)]), label))
    return rows


def write_csv(path: Path, rows: list[tuple[str, str]], header: tuple[str, ...] = ("text", "label")):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """A CSV of 200 learnable rows."""
    return write_csv(tmp_path / "reviews.csv", sentences(200))


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory):
    """A finished run on learnable rows, with a test part; tests must not change it."""
    import zoo

    folder = tmp_path_factory.mktemp("trained")
    return zoo.train(
        "textcnn",
        data=str(write_csv(folder / "train.csv", sentences(300))),
        test=str(write_csv(folder / "test.csv", sentences(60, seed=1))),
        set=QUICK | {"recipe.epochs": 6},
        out=folder / "run",
        seed=1,
        note="the run of the tests",
        verbose=False,
    )


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a command ended: exit code, and all that it wrote."""

    code: int
    stdout: str
    stderr: str


@pytest.fixture
def zoo_command(capfd: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch):
    """The `zoo` command in this process, as a person types it: errors become messages and codes.

    What it raises beside `SystemExit` comes through: a traceback fails the test.
    """
    from zoo.__main__ import main

    def call(*arguments: object, code: int | None = None) -> Ended:
        monkeypatch.setattr(sys, "argv", ["zoo", *map(str, arguments)])
        capfd.readouterr()
        try:
            main()
            found = 0
        except SystemExit as end:
            found = end.code if isinstance(end.code, int) else int(end.code is not None)
        written = capfd.readouterr()
        ended = Ended(found, written.out, written.err)
        assert code is None or ended.code == code, ended
        return ended

    return call


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB; the test is skipped where none can be mounted."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a file system needs root")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


GOLDEN = ROOT / "tests" / "golden.json"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-golden", action="store_true", help="write tests/golden.json anew")


@pytest.fixture
def assert_golden(request: pytest.FixtureRequest):
    """Compare the validation scores of a run with those of `golden.json`, within its tolerances.

    `pytest -n 0 -k golden --write-golden` writes them; the commit says why they are others.
    """

    def compare(run: Any) -> None:
        document = json.loads(GOLDEN.read_text())
        name, tolerances = run.preset.model, document["tolerances"]
        scores = {key: run.metrics["validation"].get(key) for key in tolerances}
        scores = {key: round(score, 5) for key, score in scores.items() if score is not None}
        if request.config.getoption("--write-golden"):
            document["scores"][name] = scores
            GOLDEN.write_text(json.dumps(document, indent=2) + "\n")
            return
        for key, golden in document["scores"][name].items():
            assert scores[key] == pytest.approx(golden, **tolerances[key]), key

    return compare


SHARED = ROOT.parent / "shared"
SHARED_CASES = SHARED / "cases"


@pytest.fixture
def shared_case(tmp_path: Path):
    """A copy of an input of the shared cases, such as `text/columns`; the test is skipped without.

    A copy, so that what a command writes beside its input touches nothing.
    """

    def copied(name: str) -> Path:
        source = SHARED_CASES / name
        if not source.exists():
            pytest.skip(f"{source}: the shared cases are not here")
        target = tmp_path / source.name
        shutil.copytree(source, target, symlinks=True) if source.is_dir() else shutil.copy(
            source, target
        )
        return target

    return copied


# --- of the tests in tests/gpu ----------------------------------------------------------------


@pytest.fixture
def gpu() -> Iterator[None]:
    """Skip where there is no GPU, unless the tests are to be tried out on the CPU."""
    import gpu_parts
    import tensorflow as tf

    import zoo.gpu

    if not gpu_parts.ON_CPU and not tf.config.list_physical_devices("GPU"):
        pytest.skip(zoo.gpu.why_unused() or "this machine has no GPU")
    yield
    tf.keras.backend.clear_session()


@pytest.fixture
def exact_float32() -> Iterator[None]:
    """Products of float32 in float32, not in TF32."""
    import tensorflow as tf

    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    yield
    tf.config.experimental.enable_tensor_float_32_execution(before)


@pytest.fixture(scope="session")
def cpu_losses() -> Iterator[Any]:
    """From a family to its losses on the CPU."""
    import gpu_parts

    yield from gpu_parts.losses_on_cpu()
