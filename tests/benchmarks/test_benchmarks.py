"""The benchmarks: listed with what they cost, written against today's package, small ones run."""

import ast
import csv
import fcntl
import importlib
import inspect
import lzma
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from conftest import ROOT, sentences
from image_parts import write_folder
from PIL import Image

from benchmarks import datasets, few_tables, results, text_tables
from benchmarks.catalogue import BENCHMARKS, table
from benchmarks.gpu import speed as gpu
from benchmarks.gpu.jobs import JOBS
from benchmarks.gpu.turns import Rounds, Turns
from benchmarks.image_classification import few_images, image_sets
from benchmarks.image_classification.image_sets import class_files
from benchmarks.image_classification.mobile_peers import pytorch_network
from benchmarks.language_modeling import perplexity
from benchmarks.plot import BOTTOM, HEIGHT, INSET, WIDTH
from benchmarks.pytorch import pytorch
from benchmarks.tables import ENCODER_SPEED
from benchmarks.text_classification import encoder_speed, few, quality, serving, svm
from benchmarks.timing import Timings, time_in_turn
from zoo.errors import ZooError
from zoo.preset.loading import load_preset

SCRIPTS = sorted((ROOT / "benchmarks").rglob("*.py"))
WITHOUT_GPU = pytest.mark.filterwarnings("ignore:CUDA initialization:UserWarning")  # PyTorch's
# The least options that still run everything of a benchmark.
SMALLEST = {
    "quality": {"data": "trec", "seeds": "0"},
    "svm": {"data": "trec"},
    "few": {
        "models": "fasttext/default, 16,384 buckets;svm",
        "data": "trec",
        "sizes": "50",
        "seeds": "0",
    },
    "few_images": {
        "models": "resnet/debug",
        "data": "cifar10_folder,bccd",
        "sizes": "5",
        "seeds": "0",
    },
    "serving": {"models": "textcnn/default", "rows": "50", "rounds": "1", "requests": "2"},
    "ablation": {"data": "trec", "changes": "words"},
    "speed": {"rounds": "1", "steps": "2"},
    "encoder_speed": {"data": "trec", "rounds": "1", "steps": "1"},
    "language_speed": {"rounds": "1", "steps": "1", "shapes": "2x200"},
    "image_speed": {"rounds": "1", "steps": "1", "networks": "resnet20", "inputs": "default"},
    "efficientnet_speed": {"rounds": "1", "calls": "1", "size": "32", "batch": "2"},
    "gpu": {"jobs": "textcnn,textrnn", "rounds": "1", "size": "tiny", "at_once": "2"},
    "overhead": {"rounds": "1", "steps": "2"},
    "memory": {"small": "200", "large": "400"},
    "image_memory": {"small": "40", "large": "80"},
    "startup": {"repeats": "1"},
    "diagnosis": {"runs": "dead ReLUs;sorted, not shuffled"},
    "find_lr": {"presets": "textcnn/small", "data": "trec"},
    "resume": {"kills": "2", "runs": "1"},
}


def programs(text: str) -> list[str]:
    """Return the constants of a script that are programs: upper-case names of lines that import."""
    return [
        node.value.value
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        and re.search(r"^(import|from) ", node.value.value, flags=re.MULTILINE)
    ]


def test_contributing_lists_them() -> None:
    assert table() in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_measures_and_says_what(name: str) -> None:
    module = importlib.import_module(f"benchmarks.{BENCHMARKS[name].module}")
    assert module.__doc__
    options = inspect.signature(module.measure).parameters.values()
    assert all(isinstance(option.default, str) for option in options)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_of_the_package_exist(path: Path) -> None:
    """Within functions, and within the programs that benchmarks run as processes of their own."""
    text = path.read_text(encoding="utf-8")
    for program in [text, *programs(text)]:
        tree, imported = ast.parse(program), {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("zoo"):
                module = importlib.import_module(node.module)
                for alias in node.names:
                    if not hasattr(module, alias.name):  # a module not imported so far, or nothing
                        importlib.import_module(f"{node.module}.{alias.name}")
                    imported[alias.asname or alias.name] = getattr(module, alias.name)
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                owner = imported.get(node.value.id)
                if inspect.ismodule(owner):
                    assert hasattr(owner, node.attr), f"{owner.__name__}.{node.attr}"


def test_the_programs_of_benchmarks_are_known() -> None:
    texts = [path.read_text(encoding="utf-8") for path in SCRIPTS]
    assert sum(len(programs(text)) for text in texts) >= 2


def test_ratios_are_medians_within_a_round() -> None:
    timings = Timings({"ours": [1.0, 2.0, 4.0], "theirs": [2.0, 4.0, 40.0]})
    assert timings.milliseconds("ours") == 2000.0
    assert timings.times("theirs", "ours") == 2.0  # of 2, 2 and 10


def test_encoders_are_compared_at_the_same_precision_and_those_that_lack_left_out() -> None:
    batches = [(np.array([[5, 6, 0, 0], [5, 6, 7, 8]]), np.array([0, 1]))]
    seconds = {"zoo": [0.2], "zoo_bfloat16": [0.1], "pytorch_bfloat16": [0.3], "kerashub": [0.5]}
    entry = encoder_speed._entry("trec", batches, Timings(seconds))
    ratios = {key: one for key, one in entry.items() if "faster_than" in key}
    assert ratios == pytest.approx(
        {"zoo_bfloat16_faster_than_pytorch": 3.0, "zoo_faster_than_kerashub": 2.5}
    )
    assert entry["padding"] == 0.25
    cells = {
        heading: cell(entry | {"r_drop_milliseconds": 1.0})
        for heading, cell in ENCODER_SPEED.items()
    }
    assert cells["zoo, ms a step (bfloat16)"] == "200 (100)"
    assert cells["PyTorch (bfloat16)"] == "-"


def test_the_efficientnet_of_pytorch_has_the_weights_of_the_paper() -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    network = pytorch_network(1000, 0.2, 0.2)
    assert sum(weight.numel() for weight in network.parameters()) == 5_288_548


@WITHOUT_GPU
def test_pytorch_trains_in_a_process_of_tensorflow() -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    assert "tensorflow" in sys.modules
    torch = pytorch()
    weight = torch.nn.Parameter(torch.ones(()))
    optimizer = torch.optim.SGD([weight], 0.5)  # imports triton, where it may
    weight.backward()
    optimizer.step()
    assert float(weight.detach()) == 0.5


def test_the_memory_of_pytorch_is_measured_without_tensorflow() -> None:
    code = "import sys, benchmarks.image_classification.mobile_speed as module\n"
    code += "module.contestants(32, 2)\nprint(*sys.modules, sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True, cwd=ROOT
    )
    assert not {"tensorflow", "keras"} & set(done.stdout.split())


def test_contestants_take_turns_and_the_first_round_is_not_counted() -> None:
    order: list[str] = []
    contestants = {name: lambda name=name: order.append(name) for name in ("a", "b")}
    timings = time_in_turn(contestants, 2, calls=2)
    assert order == ["a", "a", "b", "b"] * 3
    assert {name: len(seconds) for name, seconds in timings.seconds.items()} == {"a": 2, "b": 2}


def test_language_models_are_chosen_by_their_names() -> None:
    assert perplexity.chosen("default") == ("lstm_lm", "default", {})
    assert perplexity.chosen("transformer_lm/char") == ("transformer_lm", "char", {})
    for variant in perplexity.VARIANTS:
        model, preset, changes = perplexity.chosen(variant)
        assert changes and load_preset(model, preset, changes).task == "language-modeling"


@pytest.mark.parametrize("variant", sorted({*quality.VARIANTS, *few.MODELS[:-1]}))
def test_variants_of_quality_are_of_presets_that_are_there(variant: str) -> None:
    model, preset, changes = quality.chosen(variant)
    assert load_preset(model, preset, changes).model == model
    assert bool(changes) == ("," in variant)


def test_data_of_other_bytes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "DATA", tmp_path)
    datasets.folder_of.cache_clear()
    with pytest.raises(SystemExit, match=r"test.csv: is not there. It is from github"):
        datasets.folder_of("trec")
    (tmp_path / "trec").mkdir()
    for part in ("train", "test"):
        (tmp_path / "trec" / f"{part}.csv").write_text("text,label\n")
    with pytest.raises(SystemExit, match="other bytes than results were measured with"):
        datasets.folder_of("trec")


def test_jobs_of_a_gpu_are_checked() -> None:
    with pytest.raises(ZooError, match="resnet50"):
        next(gpu.measure(jobs="resnet5"))
    with pytest.raises(ZooError, match="size is full or tiny"):
        next(gpu.measure(size="small"))


def test_a_job_without_the_zoo_is_no_result(monkeypatch, capsys) -> None:
    def contestant(name: str, who: str, *_: object) -> dict:
        if name == "textcnn" and who == "zoo":
            return gpu._missing(name, who, "failed")
        versions = {"versions": {}, "device": "none"}
        return {"milliseconds": 1.0, "gradient_megabytes": 1.0, **versions}

    monkeypatch.setattr(gpu, "_contestant", contestant)
    assert [one["id"] for one in gpu.measure(jobs="textcnn,textrnn")] == ["textrnn"]
    assert "gpu: textcnn: without zoo: failed" in capsys.readouterr().err


def test_a_machine_without_a_gpu_is_said() -> None:
    result = gpu._contestant("textcnn", "pytorch", ["full", "1", "unused"], 300.0)
    if "no_gpu" not in result:
        pytest.skip("there is a GPU, or no PyTorch")
    results = dict.fromkeys(JOBS["textcnn"].contestants, result)
    with pytest.raises(ZooError, match=r"sees no GPU.*size=tiny"):
        gpu._entry("textcnn", JOBS["textcnn"], results, "full")


def test_ratios_and_units_of_a_gpu() -> None:
    def result(milliseconds: float) -> dict[str, object]:
        return {"milliseconds": milliseconds, "device": "H200", "versions": {"a": "1"}}

    zoo = result(10.0) | {"gradient_megabytes": 300.0, "host_milliseconds": 16.0}
    results = {"zoo": zoo, "keras": result(20.0), "pytorch": {"missing": "why"}}
    entry = gpu._entry("resnet50", JOBS["resnet50"], results, "full")
    assert entry["zoo_per_second"] == 25_600.0
    assert (entry["times_keras"], entry["times_host"]) == (2.0, 1.6)
    assert entry["missing"] == {"pytorch": "why"}
    assert entry["scaling"] == pytest.approx(10 / (10 + 2 * 7 / 8))  # 300 MB at 300 GB/s: 1 ms


def test_rounds_wait_at_their_ends_and_the_first_does_not_count(tmp_path: Path) -> None:
    rounds = Rounds(Turns(tmp_path / "lock"), warm=3, steps=2, rounds=2)
    rounds.begin()
    waited = []
    for number in range(1, rounds.total + 1):
        if rounds.waits:
            waited.append(number)
        rounds.step()
    assert (rounds.total, waited) == (9, [1, 3, 5, 7, 9])
    assert len(rounds._times) == 4  # one round that warms up, and two that count
    assert rounds.result()["milliseconds"] > 0


def test_the_gpu_is_one_contestants_from_its_first_step_to_its_last(tmp_path: Path) -> None:
    rounds = Rounds(Turns(tmp_path / "lock"), warm=2, steps=1, rounds=1)
    rounds.begin()
    with (tmp_path / "lock").open() as other:
        for _ in range(rounds.total):
            with pytest.raises(BlockingIOError):
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            rounds.step()
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_rows_of_several_labels_are_scored_by_their_f1(tmp_path: Path, monkeypatch) -> None:
    rows = ["text,label\n"] + [
        f"{text} {number},{label}\n"
        for number in range(30)
        for text, label in (("great fun", "joy|love"), ("so sad", "grief"), ("fun", "joy"))
    ]
    for part in ("data", "test"):
        (tmp_path / f"{part}.csv").write_text("".join(rows))
    parts = {part: str(tmp_path / f"{part}.csv") for part in ("data", "test")}
    monkeypatch.setattr(quality, "files", lambda name, folder: parts)
    short = {"recipe.epochs": 1, "architecture.ngram_buckets": 64}
    monkeypatch.setitem(quality.VARIANTS, "textcnn/small, short", short)
    entry = quality.scores("textcnn/small, short", "emotions", 0)
    assert entry["epochs"] == 1
    assert "accuracy" not in entry
    assert "floor" not in entry
    assert 0 < entry["micro_f1"] <= 1
    assert entry["linear"] == entry["linear_macro_f1"] == 1.0
    with pytest.raises(KeyError):
        quality.scores("textcnn/small, of no such change", "emotions", 0)


def test_an_svm_learns_one_label_and_several() -> None:
    texts = [f"{text} {number}" for number in range(20) for text in ("good fun", "bad", "both")]
    one = ["good", "bad", "good"] * 20
    several = ["good", "bad", "good|bad"] * 20
    assert svm.scores({"data": (texts, one), "test": (texts, one)})["accuracy"] == 1.0
    entry = svm.scores({"data": (texts, several), "test": (texts, several)}, "|")
    assert entry["micro_f1"] == entry["exact_match"] == 1.0
    assert entry["strength"] in svm.STRENGTHS
    # Of a text without a known word no label is predicted, and so the best one is.
    unknown = svm.fits(texts, several, [1.0], "|")[1.0].scores(["?"], ["good"])
    assert unknown["micro_f1"] > 0


def test_a_compressed_set_is_read(tmp_path: Path) -> None:
    path = tmp_path / "train.csv.xz"
    with lzma.open(path, "wt", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["label", "text"], ["pos", "a\nb"], ["neg", "c"]])
    assert datasets.read_rows(path) == (["a\nb", "c"], ["pos", "neg"])


def test_pretrained_starts_stand_beside_pytorch_textcnn_and_the_svm(monkeypatch) -> None:
    entry = {"data": "mr", "seed": 0, "accuracy": 0.84, "linear": 0.7, "minutes": 2.0}
    about = {"commit": "0123456789ab", "code": "other", "values": "other"}
    stored = {
        "quality": [
            entry | about | {"preset": preset, "accuracy": accuracy, **more}
            for preset, accuracy, more in (
                ("transformer/minilm", 0.84, {}),
                ("transformer/minilm, plain", 0.83, {"gpu": "NVIDIA H200"}),
                ("textcnn/default", 0.78, {}),
            )
        ],
        "svm": [{"id": "mr", "data": "mr", "accuracy": 0.81}],
    }
    for module in (results, text_tables):
        monkeypatch.setattr(module, "load", lambda name: stored.get(name, []))
    plain, changed = (
        next(line for line in text_tables.pretrained().splitlines() if preset in line).split(" | ")
        for preset in ("| transformer/minilm |", "| transformer/minilm, plain |")
    )
    assert plain[2:7] == ["84.0 (1 seed)", "83.3", "78.0 (1 seed)", "81.0", "70.0"]
    assert changed[3] == "83.3"
    assert changed[7] == "2.0, NVIDIA H200"


def test_few_rows_are_drawn_with_the_classes_shares() -> None:
    labels = ["often"] * 700 + ["less"] * 290 + ["rare"] * 10
    rows = few.drawn(labels, 50, 0)
    assert len(rows) == len(set(rows)) == 50
    assert Counter(labels[row] for row in rows) == {"often": 35, "less": 14, "rare": 1}
    assert few.drawn(labels, 50, 0) == rows != few.drawn(labels, 50, 1)
    assert set(few.drawn(labels, 50, 0)) < set(few.drawn(labels, 100, 0))


def test_few_rows_train_a_network_and_an_svm(tmp_path: Path, monkeypatch) -> None:
    texts = [(f"{text} {number}", text) for number in range(40) for text in ("good", "bad")]
    for part in ("data", "test"):
        with (tmp_path / f"{part}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("text", "label"), *texts])
    parts = {part: str(tmp_path / f"{part}.csv") for part in ("data", "test")}
    monkeypatch.setattr(few, "files", lambda name, folder: parts)
    short = {"recipe.epochs": 2, "architecture.ngram_buckets": 64, "recipe.ema": None}
    monkeypatch.setitem(quality.VARIANTS, "fasttext/default, short", short)
    network, baseline = few.measure(
        models="fasttext/default, short;svm", data="toy", sizes="40", seeds="1"
    )
    assert network["preset"] == network["model"] == "fasttext/default, short"
    assert baseline["id"] == "svm toy 40 rows seed 1"
    assert "preset" not in baseline  # an SVM has none whose values could change
    assert network["epochs"] == 2
    assert network["accuracy"] == baseline["accuracy"] == 1.0


def test_few_rows_have_a_table_and_a_plot(monkeypatch) -> None:
    def entry(model: str, rows: int, seed: int, accuracy: float) -> dict:
        about = {"data": "trec", "commit": "0123456789ab", "code": "other"}
        return about | {"model": model, "rows": rows, "seed": seed, "accuracy": accuracy}

    entries = [
        entry("svm", 50, 0, 0.58),
        entry("svm", 1000, 0, 0.8),
        *(entry("transformer/minilm", 50, seed, score) for seed, score in ((0, 0.84), (1, 0.86))),
    ]
    monkeypatch.setattr(few_tables, "load", lambda name: entries)
    head, _, fifty, thousand = few_tables.FEW_ROWS.table().splitlines()
    assert head == "| data | rows | transformer/minilm | svm | measured at |"
    assert fifty.endswith("**85.0 ± 1.4 (2 seeds)** | 58.0 (1 seed) | 0123456, old: other code |")
    # The code of an SVM is not the zoo's: its scores do not grow old with it.
    assert thousand == "| trec | 1,000 | - | **80.0 (1 seed)** | 0123456 |"
    plot = ElementTree.fromstring(few_tables.FEW_ROWS.plot())
    polylines = [element for element in plot.iter() if element.tag.endswith("polyline")]
    assert len(polylines) == 2
    ends = [point.split(",") for point in polylines[1].get("points").split(" ")]
    # From the lowest line of the grid, 50 %, to the highest, 90 %: in pixels from below.
    heights = [(BOTTOM - float(y)) / HEIGHT for _, y in ends]
    assert heights == pytest.approx([0.2, 0.75], abs=1e-3)
    assert float(ends[1][0]) - float(ends[0][0]) == pytest.approx(WIDTH - 2 * INSET)
    texts = [element.text for element in plot.iter() if element.tag.endswith("text")]
    assert {"trec", "svm", "transformer/minilm", "50", "1,000", "90"} <= set(texts)
    monkeypatch.setattr(few_tables, "load", lambda name: [])
    assert few_tables.FEW_ROWS.plot() == ""


def test_few_images_are_drawn_alike_of_each_class(tmp_path: Path) -> None:
    source = write_folder(tmp_path / "all", 12)
    (source / "red" / "011.png").unlink()
    drawn = {
        (size, seed): few_images.draw(source, tmp_path / f"{size} {seed}", size, seed)
        for size, seed in ((5, 0), (5, 1), (100, 0))
    }
    names = {
        key: {label: {file.name for file in files} for label, files in class_files(folder).items()}
        for key, folder in drawn.items()
    }
    assert [len(files) for files in names[5, 0].values()] == [5, 5]
    assert [len(files) for files in names[100, 0].values()] == [12, 11]
    assert names[5, 0]["blue"] < names[100, 0]["blue"]
    assert names[5, 0] != names[5, 1]


def test_cells_are_cut_out_by_their_boxes(tmp_path: Path, monkeypatch) -> None:
    source = tmp_path / "bccd"
    for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (source / folder).mkdir(parents=True)
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[10:20, 30:50] = 255
    Image.fromarray(pixels).save(source / "JPEGImages" / "a.jpg")
    box = "<object><name>{}</name><bndbox>{}</bndbox></object>"
    sides = "<xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax>"
    objects = [("WBC", (30, 10, 50, 20)), ("RBC", (0, 0, 9, 9)), ("RBC", (5, 5, 5, 9))]
    text = "".join(box.format(name, sides.format(*numbers)) for name, numbers in objects)
    (source / "Annotations" / "a.xml").write_text(f"<annotation>{text}</annotation>")
    for part in ("trainval", "test"):
        (source / "ImageSets" / "Main" / f"{part}.txt").write_text("a\n")
    monkeypatch.setattr(image_sets, "folder_of", lambda name: source)
    parts = image_sets.image_parts("bccd", tmp_path / "cut")
    for folder in parts.values():
        files = class_files(folder)
        assert {label: len(own) for label, own in files.items()} == {"RBC": 1, "WBC": 1}
        with Image.open(files["WBC"][0]) as image:
            assert image.size == (20, 10) and np.asarray(image).mean() > 200


def test_few_images_have_a_table_and_a_plot(monkeypatch) -> None:
    about = {"data": "bccd", "commit": "0123456789ab", "code": "other", "images": 5}
    entries = [
        about | {"model": model, "seed": 0, "accuracy": accuracy}
        for model, accuracy in (
            ("keras", 0.4), ("resnet/default", 0.5), ("efficientnet/lite0, x", 0.7),
            ("efficientnet/lite0", 0.8),
        )
    ]  # fmt: skip
    monkeypatch.setattr(few_tables, "load", lambda name: entries)
    head, _, line = few_tables.FEW_IMAGES.table().splitlines()
    models = "efficientnet/lite0 | efficientnet/lite0, x | resnet/default | keras"
    assert head == f"| data | images a class | {models} | measured at |"
    assert line.startswith("| bccd | 5 | **80.0 (1 seed)** | 70.0 (1 seed) |")
    assert "labelled images a class" in few_tables.FEW_IMAGES.plot()
    assert few_tables.FEW_IMAGES.section().endswith("(benchmarks/results/few_images.svg)\n")
    monkeypatch.setattr(few_tables, "load", lambda name: [])
    assert few_tables.FEW_IMAGES.section() == few_tables.FEW_IMAGES.table()


@pytest.mark.slow
def test_plain_keras_learns_from_few_images(tmp_path: Path, monkeypatch) -> None:
    parts = {part: write_folder(tmp_path / part, 6) for part in ("data", "test")}
    monkeypatch.setattr(few_images, "image_parts", lambda name, folder: parts)
    monkeypatch.setattr(few_images, "AS", ("resnet", "debug"))
    (entry,) = few_images.measure(models="keras", data="toy", sizes="4", seeds="0")
    assert entry["id"] == "keras toy 4 images a class seed 0"
    assert (entry["image_size"], entry["epochs"]) == (
        32,
        load_preset("resnet", "debug").recipe.epochs,
    )
    assert 0 <= entry["accuracy"] <= 1


@pytest.mark.slow
def test_exports_have_sizes_and_times(trained, tmp_path: Path) -> None:
    texts = [text for text, _ in sentences(40, seed=5)]
    whole, lite, eighth = serving._forms(trained, tmp_path, texts, rounds=1, requests=1)
    assert whole["form"] == "SavedModel"
    assert whole["same_labels"] == lite["same_labels"] == 1.0
    assert eighth["same_labels"] > 0.9
    assert eighth["megabytes"] < lite["megabytes"] < whole["megabytes"]
    times = [form[f"milliseconds_{size}"] for form in (whole, lite, eighth) for size in (1, 32)]
    assert min(times) > 0
    assert serving._texts_per_second(trained, texts, 90, 1, tmp_path / "lines.txt") > 0
    assert (tmp_path / "lines.txt").read_text().count("\n") == 90


@pytest.mark.slow
@WITHOUT_GPU
@pytest.mark.parametrize("name", SMALLEST)
def test_benchmark_runs_at_its_smallest(name: str) -> None:
    if not datasets.DATA.is_dir():
        pytest.skip(f"{datasets.DATA}: the benchmark data are not here")
    if "PyTorch" in BENCHMARKS[name].peers:
        pytest.importorskip("torch")
    module = importlib.import_module(f"benchmarks.{BENCHMARKS[name].module}")
    entries = list(module.measure(**SMALLEST[name]))
    assert entries
    assert all(entry["id"] for entry in entries)
