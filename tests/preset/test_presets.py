"""Presets: complete, strict, and each value with a reason."""

import functools
import re
import shutil
import time
from pathlib import Path

import pytest

import zoo
from zoo import ZooError, builders
from zoo import plain_yaml as yaml
from zoo.environment import training_code
from zoo.memory import without_values
from zoo.models import MODELS
from zoo.plain_yaml import parse_value
from zoo.preset.advice import load_advice, load_sources
from zoo.preset.block import presets_root
from zoo.preset.loading import load_preset, names, presets, recipe_from, summaries
from zoo.preset.measured import read_scores
from zoo.preset.override import ADAMS, USUAL_RATES, values_of
from zoo.preset.reasons import ANY, read_reasons, table_value
from zoo.preset.schemas import architectures, variants
from zoo.training.schedules import RecipeSchedule

NAMES = names()
ROOT = Path(__file__).parents[2]


@functools.cache
def preset(name: str):
    return load_preset(*name.split("/"))


def test_every_model_has_presets_a_default_among_them() -> None:
    assert sorted({name.split("/")[0] for name in NAMES}) == sorted(architectures())
    assert [n for n in NAMES if n.endswith("/default")] == [f"{m}/default" for m in architectures()]


def test_the_readme_names_every_preset() -> None:
    """A preset that is dropped or renamed breaks its users."""
    table = (ROOT / "README.md").read_text("utf-8").partition("| model | presets |")[2]
    listed = []
    for model, cell in re.findall(r"^\| `(\w+)` \| ([^|]+) \|", table, re.MULTILINE):
        stem = ""
        for name in cell.split(", "):  # `zaremba-small, -medium` are of one stem
            listed.append(f"{model}/{stem if name.startswith('-') else ''}{name}")
            stem = stem if name.startswith("-") else name.partition("-")[0]
    assert sorted(listed) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_value_has_a_reason_of_its_own(name: str) -> None:
    loaded = preset(name)
    missing = [key for key in loaded.values() if key not in loaded.why]
    assert not missing
    assert all(len(why.note) > 12 for why in loaded.why.values())  # more than the value again


@pytest.mark.parametrize("name", NAMES)
def test_sources_exist(name: str) -> None:
    known = {*load_sources(), *load_advice()}
    for key, why in preset(name).why.items():
        assert set(why.sources) <= known, key


def written() -> list[tuple[str, tuple[str, tuple[str, ...]]]]:
    """Where each reason stands, its note and sources: in presets, and in files of models and all.

    Works that say the same of different presets have an entry each, so that none is cited for more.
    """
    root = presets_root()
    files = [root / "why.yaml", *root.glob("*/why.yaml")]
    reasons = [
        (f"{path.parent.name}: {key[0]}", reason)
        for path in files
        for key, reason in {
            (tuple(keys.split(", ")), (reason["note"], tuple(sorted(reason["sources"]))))
            for keys, by_value in yaml.read_yaml(path).items()
            for entry in ([by_value] if "sources" in by_value else by_value.values())
            for reason in (entry if isinstance(entry, list) else [entry])
        }
    ]
    for name in NAMES:
        why = yaml.read_yaml(root / f"{name}.yaml").get("why", {})
        reasons += [
            (f"{name}: {keys}", (reason["note"], tuple(sorted(reason["sources"]))))
            for keys, reason in why.items()
        ]
    return reasons


def test_no_reason_stands_twice() -> None:
    places: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for place, reason in written():
        places.setdefault(reason, []).append(place)
    assert {reason: where for reason, where in places.items() if len(where) > 1} == {}
    assert len(places) > 400


def test_every_written_reason_is_of_a_value_that_some_preset_has() -> None:
    root = presets_root()
    for path in [root / "why.yaml", *root.glob("*/why.yaml")]:
        of_file = NAMES if path.parent == root else names(path.parent.name)
        cited = {
            (key, value, repr(why))
            for name in of_file
            for key, why in preset(name).why.items()
            for value in (table_value(preset(name).values()[key]), ANY)
        }
        for (key, value), reasons in read_reasons(path).items():
            for why in reasons:
                assert (key, value, repr(why)) in cited, (path, key, value, why)
                assert set(why.presets) <= {name.split("/")[1] for name in of_file}


def test_presets_are_of_one_screen_and_complete() -> None:
    texts = {name: (presets_root() / f"{name}.yaml").read_text("utf-8") for name in NAMES}
    lines = sorted(text.count("\n") for text in texts.values())
    assert lines[len(lines) // 2] < 90 and lines[-1] <= 100
    for name, text in texts.items():
        assert max(map(len, text.splitlines())) <= 100, name
        loaded = preset(name)
        document = yaml.read_yaml(presets_root() / f"{name}.yaml")
        # A default of the schema that changes does not change a shipped preset.
        assert list(values_of(document)) == list(loaded.values()), name
        assert loaded.summary and not {"task", "measured"} & set(document)
        assert loaded.notices == ()


@pytest.mark.parametrize("model", architectures())
def test_a_preset_may_hold_nothing_but_its_model(model: str, tmp_path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"model: {model}\n")
    mine = load_preset(None, path)
    assert mine.architecture == preset(f"{model}/default").architecture
    assert (mine.search, mine.reasons, mine.notices) == ({}, {}, ())
    path.write_text(f"model: {model}\nrecipe: {{epochs: 2}}\n")
    fewer = load_preset(model, path)
    changes = {"recipe.epochs": mine.recipe.epochs, "recipe.min_steps": mine.recipe.min_steps}
    assert fewer.recipe.epochs == 2
    assert fewer.override(changes).values() == mine.values()
    path.write_text(mine.to_yaml())
    assert load_preset(model, path).document() == mine.document()


@pytest.mark.parametrize("name", NAMES)
def test_search_covers_the_value(name: str) -> None:
    loaded = preset(name)
    values = loaded.values()
    assert 3 <= len(loaded.search) <= 6
    for key, search in loaded.search.items():
        value = values[key]
        if search.values is not None:
            choices = [list(v) if isinstance(v, tuple) else v for v in search.values]
            assert value in choices, key
            for choice in search.values:
                loaded.override({key: choice})
        else:
            assert search.min <= value <= search.max, key
            loaded.override({key: search.min})
            loaded.override({key: search.max})


# Classes of the public sets that presets were measured on, and the vocabulary where it is fixed.
CLASSES = {
    "ag_news_part": 4, "chnsenticorp": 2, "mr": 2, "newsgroups20": 20, "sst1": 5, "sst2": 2,
    "subj": 2, "thucnews_45k": 10, "trec": 6, "cifar10": 10, "imdb": 2, "go_emotions": 28,
}  # fmt: skip
# Vocabularies that are smaller than the preset's, since the data have no more, by tokenizer.
VOCABULARIES = {
    ("sentencepiece", "trec"): 4_956,
    ("words", "trec"): 7_975,
    ("characters", "thucnews_45k"): 4_154,
    ("words", "ptb"): 10_000,
    ("characters", "tinyshakespeare"): 66,  # 65, and the unknown one
}


@functools.cache
def parameters(name: str, **changes: int) -> int:
    values = {f"architecture.{key}": value for key, value in changes.items()}
    changed = preset(name).override(values)
    with without_values():
        return MODELS[changed.model](**dict(changed.architecture)).count_params()


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_builds_and_measured_parameters_are_true(name: str) -> None:
    loaded = preset(name)
    settings = loaded.architecture
    small = {"vocabulary_size": 50} if hasattr(settings, "vocabulary_size") else {}
    if getattr(settings, "ngram_sizes", ()):
        small["ngram_buckets"] = 64
    model = builders.build(loaded.override({f"architecture.{k}": v for k, v in small.items()}))
    language = loaded.task.endswith("language-modeling")
    assert model.output_shape == (None, *((None, 50) if language else (settings.num_classes,)))
    for entry in loaded.measured:
        sized = small | ({} if language else {"num_classes": CLASSES[entry.data]})
        expected = parameters(name, **sized)
        for key in small:
            # A table of its full size is not built: each row costs the same.
            full = getattr(settings, key)
            if key == "vocabulary_size":
                full = VOCABULARIES.get((loaded.data.tokenizer, entry.data), full)
            row = parameters(name, **sized | {key: sized[key] + 1}) - parameters(name, **sized)
            expected += (full - sized[key]) * row
        assert entry.parameters == expected


@pytest.mark.parametrize("name", [name for name in NAMES if preset(name).measured])
def test_scores_are_of_exactly_these_values(name: str, tmp_path) -> None:
    loaded = preset(name)
    assert loaded.measured == read_scores(loaded.model)[loaded.name]  # none is of other values
    for entry in loaded.measured:
        assert (entry.std is None) == (entry.seeds == 1)
        assert entry.mean > 1 if entry.metric == "perplexity" else 0 < entry.mean < 1
    epochs = loaded.recipe.epochs
    changed = loaded.override({"recipe.epochs": epochs + 1})
    assert changed.measured == ()
    assert changed.based_on == name
    assert f"based_on: {name}" in changed.to_yaml()
    # Epochs that are set hold, so the least number of steps has to be set with them.
    same = {"recipe.epochs": epochs, "recipe.min_steps": loaded.recipe.min_steps}
    assert loaded.override(same) == loaded
    # A copy that a person changes claims none of them either.
    copy = tmp_path / "mine.yaml"
    copy.write_text(re.sub(r"\n  epochs: \d+", f"\n  epochs: {epochs + 1}", loaded.to_yaml()))
    mine = load_preset(loaded.model, copy)
    assert (mine.recipe.epochs, mine.measured) == (epochs + 1, ())
    copy.write_text(loaded.to_yaml())
    assert load_preset(loaded.model, copy).measured == loaded.measured


@pytest.mark.parametrize(("name", "kept"), [("lstm_lm/default", True), ("textcnn/default", False)])
def test_scores_come_back_with_all_of_their_values(name: str, kept: bool) -> None:
    loaded = preset(name)
    changed = loaded.override({"recipe.epochs": loaded.recipe.epochs + 1})
    back = changed.override({"recipe.epochs": loaded.recipe.epochs})
    assert loaded.measured and (back.recipe.min_steps == loaded.recipe.min_steps) is kept
    assert back.measured == (loaded.measured if kept else ())


def test_a_score_of_other_code_is_old(zoo_command) -> None:
    entry = preset("textcnn/default").measured[0]
    assert entry.model_copy(update={"code": "another"}).old
    assert not entry.model_copy(update={"code": training_code()}).old
    shown = zoo_command("presets", "textcnn", code=0).stdout
    assert ("(old)" in shown) == any(e.old for s in summaries("textcnn") for e in s.measured)


@pytest.mark.parametrize("name", NAMES)
def test_to_yaml_and_back(name: str, tmp_path) -> None:
    loaded = preset(name)
    path = tmp_path / "mine.yaml"
    path.write_text(loaded.to_yaml())
    assert load_preset(loaded.model, path).document() == loaded.document()


def seconds(work) -> float:
    """Processor seconds of the quickest of three calls: others may be busy on this machine."""
    found = []
    for _ in range(3):
        started = time.process_time()
        work()
        found.append(time.process_time() - started)
    return min(found)


def test_loading_is_fast() -> None:
    # Guards against seconds, not benchmarks: 0.2 s and 0.01 s on an idle core.
    assert seconds(presets) < 1.0
    assert seconds(summaries) < 0.2
    assert [f"{s.model}/{s.name}" for s in summaries()] == NAMES
    assert [f"{p.model}/{p.name}" for p in presets()] == NAMES


DEFAULT = (presets_root() / "textcnn" / "default.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  filters: 128", "  filter: 128", "architecture: unknown field 'filter'. Did you mean"),
        ("  epochs: ", "  epoch: ", "recipe: unknown field 'epoch'. Did you mean 'epochs'"),
        ("    beta_1: ", "    beta1: ", "recipe.optimizer: unknown field 'beta1'"),
        ("name: lazy_adamw", "name: lazy_adam", "unknown 'lazy_adam'. Did you mean 'lazy_adamw'"),
        ("  filters: 128", "  filters: 128\n  filters: 64", "duplicate key"),
        ("  filters: 128", "  filters: 12.5", "architecture.filters.*12.5"),
        ("  filters: 128", "  filters: many", "architecture.filters.*many"),
        ("  dropout: 0.5", "  dropout: 1.5", "architecture.dropout.*1.5"),
        ("  dropout: 0.5", "  dropout: .nan", "architecture.dropout"),
        ("    weight_decay: 0.0", "    weight_decay: 0.5", "weight_decay.*0.5"),
        ("model: textcnn", "model: textcn", "unknown model 'textcn'. Did you mean 'textcnn'"),
        ("search:", "whi: {}\nsearch:", "unknown field 'whi'. Did you mean 'why'"),
        (
            "search:",
            "why:\n  recipe.epoch: {sources: [A01]}\nsearch:",
            "no such key 'recipe.epoch'",
        ),
        ("scale: log", "scale: lag", "search"),
        ("ngram_buckets: 262144", "ngram_buckets: 0", "go together"),
        ("model: textcnn", "name: mine\nmodel: textcnn", "unknown field 'name'"),
        ("model: textcnn", "model: [textcnn]", "unknown model"),
        ("model: textcnn", "3: 4\nmodel: textcnn", "Keys should be strings"),
        ("  filters: 128", "  filters: true", "architecture.filters.*True"),
        ("  lowercase: true", "  lowercase: 1", "data.lowercase.*1"),
        ("  kernel_sizes: [3, 4, 5]", "  kernel_sizes: 3", "kernel_sizes: Input should be a list"),
        ("    name: lazy_adamw\n", "", "recipe.optimizer: 'name' is missing"),
        (
            "search:",
            "why:\n  recipe.epochs.x: {sources: [A01]}\nsearch:",
            "no such key 'recipe.epochs.x'",
        ),
        ("search:", "why:\n  recipe: 3\nsearch:", "why.recipe: Input should be a mapping"),
        (
            "search:",
            "why:\n  recipe: {sources: []}\nsearch:",
            "why.recipe.sources: List should have",
        ),
        ("search:", "why:\n  recipe: &a {sources: [*a]}\nsearch:", "alias"),
        ("min: 2.0e-4", "min: low", r"learning_rate.min: Input should be a valid number\. Rec"),
    ],
)
def test_strictness(old: str, new: str, message: str, tmp_path) -> None:
    assert old in DEFAULT
    path = tmp_path / "mine.yaml"
    path.write_text(DEFAULT.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ZooError, match=message) as error:
        load_preset("textcnn", path)
    assert "mine.yaml" in str(error.value)


def test_numbers_are_read_as_yaml_1_2(tmp_path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(DEFAULT.replace("learning_rate: 2.0e-3", "learning_rate: 1e-3"))
    assert load_preset("textcnn", path).recipe.optimizer.learning_rate == 0.001
    assert parse_value("1e-3") == 0.001
    assert parse_value("no") == "no"
    assert parse_value("[2, 3]") == [2, 3]


@pytest.mark.parametrize(
    "content", ["[1, 2]", "text", "", "!!python/object/apply:os.system ['true']", "a: &a [*a]"]
)
def test_files_that_are_no_presets(content: str, tmp_path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(content)
    with pytest.raises(ZooError, match=r"mine\.yaml"):
        load_preset("textcnn", path)


def test_missing_and_misplaced_presets(tmp_path) -> None:
    with pytest.raises(ZooError, match="Did you mean 'kim2014'"):
        load_preset("textcnn", "kim2O14")
    with pytest.raises(ZooError, match="Did you mean 'textcnn'"):
        load_preset("textcn")
    with pytest.raises(ZooError, match="no such preset file"):
        load_preset("textcnn", tmp_path / "nothing.yaml")
    with pytest.raises(ZooError, match="preset of 'textcnn', but 'rcnn'"):
        load_preset("rcnn", presets_root() / "textcnn" / "small.yaml")
    with pytest.raises(ZooError, match="unknown preset"):
        load_preset("textcnn", "../rcnn/default")


def test_a_preset_of_ones_own_works_by_path(tmp_path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(DEFAULT.replace("  epochs: 10", "  epochs: 3", 1), encoding="utf-8")
    for model in ("textcnn", None):
        mine = load_preset(model, str(path), {"architecture.dropout": 0.1})
        assert (mine.model, mine.name, mine.recipe.epochs) == ("textcnn", str(path), 3)
    assert mine.architecture.dropout == 0.1


def test_overrides() -> None:
    loaded = load_preset("textcnn", "default", {"recipe.epochs": 3, "architecture.dropout": 0.1})
    assert (loaded.recipe.epochs, loaded.architecture.dropout) == (3, 0.1)
    assert load_preset("textcnn").recipe.epochs != 3
    narrow = load_preset("textcnn", "default", {"architecture.kernel_sizes": [2]})
    assert narrow.architecture.kernel_sizes == (2,)
    for key in ("recipe.epoch", "epochs", "measured", "why", "recipe", "recipe.epochs.x", 3):
        with pytest.raises(ZooError, match="unknown key"):
            load_preset("textcnn", "default", {key: 3})


def test_a_reason_goes_with_its_value() -> None:
    changed = load_preset("textcnn", "default", {"recipe.epochs": 3, "recipe.min_steps": 1000})
    assert "recipe.epochs" not in changed.why
    assert "recipe.min_steps" in changed.why  # as it was
    assert zoo.explain(changed, "recipe.epochs")[0].why is None


def test_a_value_that_was_set_has_no_reason_of_another_preset(tmp_path) -> None:
    assert "n_epochs=25" in preset("textcnn/kim2014").why["recipe.epochs"].note
    changed = load_preset("textcnn", "default", {"recipe.epochs": 25})
    assert "recipe.epochs" not in changed.why
    path = tmp_path / "mine.yaml"
    path.write_text(changed.to_yaml())  # names what it is based on
    assert load_preset("textcnn", path).why == changed.why
    path.write_text(re.sub("based_on: .*\n", "", changed.to_yaml()))
    mine = load_preset("textcnn", path)
    assert "recipe.epochs" not in mine.why
    assert mine.why.keys() <= changed.why.keys()
    assert not any(why.presets for why in mine.why.values())


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_explains_itself_as_the_original(name: str, tmp_path) -> None:
    path = tmp_path / "mine.yaml"
    shutil.copy(presets_root() / f"{name}.yaml", path)
    copy = load_preset(None, path)
    assert copy.why == preset(name).why
    assert "recipe.epochs" not in copy.override({"recipe.epochs": 1000}).why


@pytest.mark.parametrize("name", ["kim2014", "default"])
@pytest.mark.parametrize("optimizer", list(USUAL_RATES))
def test_another_optimizer_comes_with_its_own_values(name: str, optimizer: str) -> None:
    before = load_preset("textcnn", name).recipe.optimizer
    changed = load_preset("textcnn", name, {"recipe.optimizer.name": optimizer})
    after = changed.recipe.optimizer
    rate = variants("text-classification")["recipe.optimizer"][optimizer]().learning_rate
    related = before.name == optimizer or {before.name, optimizer} <= set(ADAMS)
    assert after.name == optimizer
    assert after.learning_rate == (before.learning_rate if related else rate)
    epsilons = {"adadelta": 1e-6, "lamb": 1e-6, "sgd": None}
    assert getattr(after, "epsilon", None) == epsilons.get(optimizer, 1e-7)
    assert ("recipe.optimizer.learning_rate" in changed.why) or related
    assert all(key in changed.values() for key in changed.search)
    assert ("recipe.optimizer.learning_rate" in changed.search) <= related
    again = {k: v for k, v in changed.values().items() if k.startswith("recipe.optimizer.")}
    assert load_preset("textcnn", name, again).recipe == changed.recipe


def test_the_order_of_changes_does_not_matter() -> None:
    changes = {"recipe.optimizer.momentum": 0.9, "recipe.optimizer.name": "sgd"}
    backwards = dict(reversed(changes.items()))
    first, second = (load_preset("textcnn", "default", each) for each in (changes, backwards))
    assert first == second
    assert first.recipe.optimizer.momentum == 0.9
    slow = load_preset("textcnn", "default", backwards | {"recipe.optimizer.learning_rate": 0.02})
    assert slow.recipe.optimizer.learning_rate == 0.02
    with pytest.raises(ZooError, match="unknown key 'recipe.optimizer.beta_1'"):
        load_preset("textcnn", "default", changes | {"recipe.optimizer.beta_1": 0.9})
    with pytest.raises(ZooError, match="unknown 'adamx'. Did you mean 'adam'"):
        load_preset("textcnn", "default", {"recipe.optimizer.name": "adamx"})


PAPERS = {
    "textcnn/kim2014": {
        "architecture.embedding_dim": 300, "architecture.embedding_range": 0.25,
        "architecture.kernel_sizes": [3, 4, 5], "architecture.filters": 100,
        "architecture.kernel_range": 0.01, "architecture.dropout": 0.5,
        "architecture.max_norm": 9**0.5, "architecture.ngram_buckets": 0,
        "data.batch_size": 50, "recipe.epochs": 25, "recipe.optimizer.name": "adadelta",
        "recipe.optimizer.learning_rate": 1.0, "recipe.optimizer.rho": 0.95,
        "recipe.optimizer.epsilon": 1e-6, "recipe.loss.label_smoothing": 0.0,
    },
    "rcnn/lai2015": {
        "architecture.embedding_dim": 50, "architecture.context_dim": 50,
        "architecture.hidden_dim": 100, "architecture.cell": "simple",
        "architecture.activation": "tanh", "recipe.optimizer.name": "sgd",
        # The paper's .01 a document, 16 documents at once.
        "recipe.optimizer.learning_rate": 16 * 0.01, "data.batch_size": 16,
    },
    "fasttext/joulin2016": {
        "architecture.embedding_dim": 10, "architecture.ngram_sizes": [2],
        "architecture.embedding_range": 1 / 10, "recipe.epochs": 5,
        "recipe.schedule.name": "linear", "data.batch_size": 16,
        "recipe.optimizer.learning_rate": 16 * 0.5,
    },
    "textcnn/thucnews": {
        "architecture.kernel_sizes": [2, 3, 4], "architecture.filters": 256,
        "data.tokenizer": "characters", "data.max_length": 32, "data.batch_size": 128,
        "recipe.optimizer.learning_rate": 1e-3, "recipe.monitor": "loss",
    },
    "textrnn/thucnews": {
        "architecture.num_layers": 2, "architecture.hidden_dim": 128,
        "architecture.pooling": "last",
    },
    "rcnn/thucnews": {
        "architecture.cell": "lstm", "architecture.context_dim": 256, "architecture.dropout": 0.0,
    },
    "fasttext/thucnews": {"architecture.ngram_sizes": [2, 3], "architecture.hidden_dim": 256},
    "lstm_lm/pytorch-tied": {
        "architecture.embedding_dim": 200, "architecture.hidden_dim": 200,
        "architecture.tied": True, "architecture.output_dropout": 0.2, "data.window": 35,
        "data.batch_size": 20, "recipe.optimizer.learning_rate": 20.0, "recipe.epochs": 40,
        "recipe.global_clipnorm": 0.25, "recipe.schedule.name": "plateau",
        "recipe.schedule.factor": 0.25,
    },
    "lstm_lm/melis-10m": {
        "architecture.num_layers": 1, "architecture.input_dropout": 0.5155,
        "architecture.output_dropout": 0.338, "architecture.weight_dropout": 0.1842,
        "data.batch_size": 64, "data.window": 35, "recipe.optimizer.beta_1": 0.0,
        "recipe.optimizer.learning_rate": 0.0048308, "recipe.schedule.factor": 0.1,
    },
    "lstm_lm/awd-ptb": {
        "architecture.num_layers": 3, "architecture.hidden_dim": 1150,
        "architecture.embedding_dim": 400, "architecture.output_dropout": 0.4,
        "architecture.hidden_dropout": 0.25, "architecture.input_dropout": 0.4,
        "architecture.embedding_dropout": 0.1, "architecture.weight_dropout": 0.5,
        "architecture.activation_penalty": 2.0, "architecture.temporal_activation_penalty": 1.0,
        "data.window": 70, "data.batch_size": 20, "data.random_window": True,
        "recipe.epochs": 500, "recipe.optimizer.learning_rate": 30.0,
        "recipe.optimizer.weight_decay": 1.2e-6, "recipe.global_clipnorm": 0.25,
        "recipe.nonmono": 5, "recipe.decay_embeddings": True,
    },
    "lstm_lm/awd-wikitext2": {
        "architecture.hidden_dropout": 0.2, "architecture.input_dropout": 0.65,
        "data.batch_size": 80, "recipe.epochs": 750,
    },
    "resnet/cifar-he2015": {
        "architecture.depth": 20, "architecture.shortcut": "padding", "data.batch_size": 128,
        "data.crop.name": "pad", "data.crop.padding": 4, "data.flip": "random",
        "recipe.optimizer.learning_rate": 0.1, "recipe.optimizer.momentum": 0.9,
        "recipe.optimizer.weight_decay": 1e-3, "recipe.schedule.milestones": [0.5, 0.75],
        "recipe.schedule.factor": 0.1, "recipe.epochs": 64_000 * 128 // 45_000,
    },
    "resnet/imagenet-goyal2017": {
        "architecture.depth": 50, "architecture.variant": "b", "architecture.zero_gamma": True,
        "architecture.head_std": 0.01, "data.batch_size": 256, "recipe.epochs": 90,
        "recipe.optimizer.learning_rate": 0.1, "recipe.optimizer.nesterov": True,
        "recipe.optimizer.weight_decay": 1e-3,
    },
    "resnet/imagenet-bag-of-tricks": {
        "architecture.variant": "d", "data.batch_size": 1024, "data.mixup": 0.2,
        "recipe.optimizer.learning_rate": 0.4, "recipe.epochs": 200,
        "recipe.loss.label_smoothing": 0.1, "recipe.schedule.name": "cosine",
        "recipe.schedule.warmup_fraction": 5 / 200,
    },
    "resnet/imagenet-rsb-a3": {
        "architecture.image_size": 160, "data.evaluation_size": 224, "data.batch_size": 2048,
        "data.center_fraction": 0.95, "data.mixup": 0.1, "data.cutmix": 1.0,
        "recipe.optimizer.name": "lamb", "recipe.optimizer.learning_rate": 8e-3,
        "recipe.optimizer.weight_decay": 0.02, "recipe.epochs": 100,
        "recipe.loss.name": "binary-cross-entropy", "recipe.schedule.warmup_fraction": 5 / 100,
    },
    "efficientnet/imagenet-tan2019": {
        "architecture.variant": "b0", "architecture.image_size": 224, "architecture.dropout": 0.2,
        "architecture.stochastic_depth": 0.2, "architecture.norm_momentum": 0.99,
        "architecture.norm_epsilon": 1e-3, "data.batch_size": 4096, "recipe.epochs": 350,
        "recipe.optimizer.name": "rmsprop", "recipe.optimizer.learning_rate": 0.016 * 4096 / 256,
        "recipe.optimizer.rho": 0.9, "recipe.optimizer.momentum": 0.9,
        "recipe.optimizer.epsilon": 1e-3, "recipe.optimizer.l2": 1e-5, "recipe.ema": 0.9999,
        "recipe.loss.label_smoothing": 0.1, "recipe.schedule.name": "exponential",
        "recipe.schedule.warmup_fraction": round(5 / 350, 4),
        "recipe.schedule.final_fraction": round(0.97 ** (350 / 2.4), 4),
    },
    "efficientnet/imagenet-tan2021-v2s": {
        "architecture.variant": "v2-s", "architecture.image_size": 300,
        "architecture.norm_momentum": 0.9, "architecture.dropout": 0.2,
        "data.evaluation_size": 384, "data.resizing.stages": 4, "data.resizing.first_size": 128,
        "data.resizing.first_magnitude": 5 / 10, "data.randaugment_magnitude": 10 / 10,
        "data.mixup": 0.0, "recipe.epochs": 350, "recipe.optimizer.learning_rate": 0.256,
        "recipe.optimizer.l2": 1e-5, "recipe.ema": 0.9999,
    },
    "transformer/roberta-sst2": {  # fairseq's sst_2.yaml
        "data.batch_size": 32, "recipe.epochs": 10, "recipe.optimizer.learning_rate": 1e-5,
        "recipe.optimizer.weight_decay": 0.1, "recipe.optimizer.beta_1": 0.9,
        "recipe.optimizer.beta_2": 0.98, "recipe.optimizer.epsilon": 1e-6,
        "recipe.global_clipnorm": None, "recipe.monitor": "accuracy",
        "recipe.schedule.name": "linear", "recipe.schedule.final_fraction": 0.0,
        "recipe.schedule.warmup_fraction": round(1256 / 20935, 4),
        "architecture.dropout": 0.1, "architecture.attention_dropout": 0.1,
        "architecture.pooling": "first", "architecture.head_dim": 768,
    },
    "lstm_lm/press-wolf-small": {
        "architecture.tied": True, "architecture.hidden_dim": 200,
        # .5 |P|^2 / (batch * 6.5) beside the loss summed over 20 steps, for Keras' c |P|^2.
        "architecture.projection_l2": round(1 / (2 * 20 * 6.5 * 20), 7),
    },
}  # fmt: skip


@pytest.mark.parametrize("name", PAPERS)
def test_presets_hold_the_numbers_of_their_papers(name: str) -> None:
    values = preset(name).values()
    assert {key: values[key] for key in PAPERS[name]} == PAPERS[name]


def factors(schedule, epochs: int) -> list[float]:
    """The factor on the rate in the middle of each epoch."""
    rate = RecipeSchedule(1.0, schedule.model_dump(mode="json"))
    rate.begin(0, 1000 * epochs)
    return [float(rate(1000 * epoch + 500)) for epoch in range(epochs)]


def test_the_steps_of_goyal_are_at_his_epochs() -> None:
    schedule = load_preset("resnet", "imagenet-goyal2017").recipe.schedule
    rates = factors(schedule, 90)
    wanted = [0.1 ** sum(epoch >= step for step in (30, 60, 80)) for epoch in range(5, 90)]
    assert rates[5:] == pytest.approx(wanted)
    assert rates[0] < 0.2 and rates[4] < 1.0


@pytest.mark.parametrize("name", ["cifar-he2015", "imagenet-goyal2017", "imagenet-bag-of-tricks"])
def test_coupled_decays_are_converted(name: str) -> None:
    optimizer = load_preset("resnet", name).recipe.optimizer
    # `d w` in the gradient acts 1 + m + m^2 + ... times through the momentum.
    assert optimizer.weight_decay == pytest.approx(1e-4 / (1 - optimizer.momentum))


ZAREMBA = {  # size: layers, units, range, dropout, steps, epochs, rate, clip, factor, decayed after
    "small": (2, 200, 0.1, 0.0, 20, 13, 1.0, 5.0, 1 / 2, 4),
    "medium": (2, 650, 0.05, 0.5, 35, 39, 1.0, 5.0, 1 / 1.2, 6),
    "large": (2, 1500, 0.04, 0.65, 35, 55, 1.0, 10.0, 1 / 1.15, 14),
}


@pytest.mark.parametrize("size", ZAREMBA)
def test_sums_over_time_are_converted_to_means(size: str) -> None:
    layers, units, start, dropout, steps, epochs, rate, clip, factor, after = ZAREMBA[size]
    loaded = load_preset("lstm_lm", f"zaremba-{size}")
    architecture, recipe = loaded.architecture, loaded.recipe
    assert (architecture.num_layers, architecture.hidden_dim) == (layers, units)
    assert (architecture.kernel_range, architecture.output_dropout) == (start, dropout)
    assert (loaded.data.window, loaded.data.batch_size, recipe.epochs) == (steps, 20, epochs)
    assert not architecture.tied and not architecture.locked_dropout
    assert (recipe.optimizer.learning_rate, recipe.global_clipnorm) == pytest.approx(
        (rate * steps, clip / steps),
        rel=1e-5,  # of the mean over a window, for a sum (D1)
    )
    rates = factors(recipe.schedule, epochs)
    wanted = [factor ** max(epoch + 1 - after, 0) for epoch in range(epochs)]
    assert rates == pytest.approx(wanted, rel=1e-4)


def test_a_recurrent_network_is_clipped_unless_said_twice() -> None:
    with pytest.raises(ZooError, match=r"ends in NaN.*A02.*recipe\.allow_unclipped"):
        load_preset("lstm_lm", "default", {"recipe.global_clipnorm": None})
    twice = {"recipe.global_clipnorm": None, "recipe.allow_unclipped": True}
    assert load_preset("lstm_lm", "default", twice).recipe.global_clipnorm is None


def test_two_averages_are_refused() -> None:
    with pytest.raises(ZooError, match="two averages"):
        load_preset("lstm_lm", "awd-ptb", {"recipe.ema": 0.999})


def test_dropping_everything_is_refused() -> None:
    with pytest.raises(ZooError, match=r"dropout_scale times input_dropout must be below 1"):
        load_preset("lstm_lm", "awd-ptb", {"architecture.dropout_scale": 2.5})


def test_focal_loss_and_balance_are_never_both_on() -> None:
    with pytest.raises(ZooError, match="two remedies"):
        load_preset(
            "textcnn", "default", {"recipe.loss.name": "focal", "data.balance": "oversample"}
        )


def test_adadelta_at_keras_rate_is_refused() -> None:
    with pytest.raises(ZooError, match="adadelta"):
        load_preset("textcnn", "kim2014", {"recipe.optimizer.learning_rate": 0.001})


def test_explain() -> None:
    loaded = zoo.load_preset("textcnn")
    (entry,) = zoo.explain(loaded, "recipe.optimizer.learning_rate")
    assert entry.value == loaded.recipe.optimizer.learning_rate
    assert "D3" in entry.why.sources
    assert entry.search.scale == "log"
    assert len(zoo.explain(loaded, "recipe.optimizer")) == 8
    assert len(zoo.explain(loaded)) == len(loaded.values())
    with pytest.raises(ZooError, match="Did you mean 'architecture.dropout'"):
        zoo.explain(loaded, "architecture.dropuot")


def test_a_file_from_before_a_setting_is_read_as_it_trained_then(tmp_path) -> None:
    text = (presets_root() / "lstm_lm" / "small.yaml").read_text()
    assert "  prior_bias: true\n" in text
    text = text.replace("  prior_bias: true\n", "")
    (tmp_path / "mine.yaml").write_text(text)
    recipe = load_preset("lstm_lm", tmp_path / "mine.yaml").recipe
    assert recipe.prior_bias is False
    saved = {"task": recipe.task, **recipe.model_dump(exclude={"prior_bias"})}
    assert recipe_from(saved) == recipe
    del saved["task"]  # a model that was saved before
    saved["unclipped"] = saved.pop("allow_unclipped")
    assert recipe_from(saved) == recipe
