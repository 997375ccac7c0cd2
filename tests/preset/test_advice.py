"""The advice: complete, and what is said to carry it is there."""

import importlib
import re

import pytest
from conftest import ROOT

from zoo import ZooError, display, plain_yaml
from zoo.preset import advice, reasons
from zoo.preset.block import presets_root
from zoo.preset.loading import explain, load_preset, presets

# The guides' rows; 150 and 158 do not exist.
GUIDES = [f"A{n:02d}" for n in range(1, 167) if n not in (150, 158)]
DECISIONS = [f"D{n}" for n in range(1, 27)]


def carried(kind: str) -> list[tuple[str, str]]:
    return [
        (entry.id, place[kind])
        for entry in advice.load_advice().values()
        if entry.carried_by != "not yet"
        for place in entry.carried_by
        if kind in place
    ]


def test_every_row_is_there_once_and_in_order() -> None:
    assert list(advice.load_advice()) == GUIDES + DECISIONS


def test_kinds_of_carriers_are_known() -> None:
    for entry in advice.load_advice().values():
        if entry.carried_by != "not yet":
            for place in entry.carried_by:
                assert set(place) <= {"preset", "guard", "tool", "test", "doc"}, entry.id


def test_tests_that_carry_advice_exist() -> None:
    for id, path in carried("test"):
        assert (ROOT / path).is_file(), id


def test_preset_keys_that_carry_advice_exist() -> None:
    loaded = presets()
    keys = {key for preset in loaded for key in preset.values()} | {"search", "every file"}
    keys |= {f"{preset.model}/{preset.name}" for preset in loaded}
    for id, key in carried("preset"):
        assert key in keys, id


def test_code_that_carries_advice_exists() -> None:
    for id, place in carried("guard"):
        for name in re.findall(r"\bzoo(?:\.\w+)+", place):
            module, _, attribute = name.rpartition(".")
            try:
                importlib.import_module(name)
            except ModuleNotFoundError:
                assert hasattr(importlib.import_module(module), attribute), (id, name)


def cited_by_presets() -> set[str]:
    """Also by what an override brings: another batch or loss, either kind of optimizer."""
    found = presets()
    found.append(found[0].override({"recipe.loss.name": "focal"}))
    for optimizer in ("adamw", "sgd"):
        switched = found[0].override({"recipe.optimizer.name": optimizer})
        found.append(switched.override({"data.batch_size": 7}))
    return {source for p in found for why in p.why.values() for source in why.sources}


def test_every_source_is_named_somewhere() -> None:
    guides = {id for each in advice.load_advice().values() for id in each.origin.split(", ")}
    assert cited_by_presets() - set(advice.load_advice()) <= set(advice.load_sources())
    assert set(advice.load_sources()) <= cited_by_presets() | guides


def test_a_measurement_names_its_script_and_results_or_is_shown_as_without_record() -> None:
    unrecorded = set()
    for source in advice.load_sources().values():
        for path in filter(None, (source.script, source.results)):
            assert (ROOT / path).is_file(), source.id
        if not source.recorded:
            unrecorded.add(source.id)
            assert "no record of these runs was kept" in advice.cited(source.id)
        if source.kind == "decision":
            assert "no record" not in advice.cited(source.id)
    # Older than the rule. Nothing may join them.
    assert unrecorded <= {"sweep-textcnn", "sweep-lstm", "sweep-resnet"}


def test_every_word_is_ours_and_enough() -> None:
    for entry in advice.load_advice().values():
        assert 10 < len(entry.advice) < 160, entry.id
        assert entry.advice[-1] in ".?", entry.id


@pytest.mark.parametrize("id", ["A47", "D3", "kim2014", "A12", "A61", "zoo"])
def test_citing_finds_what_the_presets_say(id: str) -> None:
    expected: dict[str, list[str]] = {}
    for preset in presets():
        for key, why in preset.why.items():
            if id in why.sources:
                expected.setdefault(key, []).append(f"{preset.model}/{preset.name}")
    assert advice.citing(id) == expected


def test_an_entry_is_a_line_that_begins_with_its_id() -> None:
    """What one entry is read by, without the others."""
    for name, table in (("advice", advice.load_advice()), ("sources", advice.load_sources())):
        path = presets_root() / f"{name}.yaml"
        lines = re.findall(r"^ *- \{id: ([\w-]+),.*\}$", path.read_text("utf-8"), re.MULTILINE)
        assert lines == list(table)
        assert all(advice.entry(id) == table[id] for id in lines)


@pytest.mark.parametrize(("ids", "cap"), [((), 35_000), (("A47",), 54_000)])
def test_little_is_parsed(ids: tuple[str, ...], cap: int, monkeypatch, capsys) -> None:
    """Parsing is most of the time of `zoo explain textcnn` and `zoo advice A47`."""
    for cached in (reasons.read_reasons, reasons._shipped_values, advice._one):
        cached.cache_clear()
    sizes: list[int] = []
    plain = plain_yaml._plain
    monkeypatch.setattr(
        plain_yaml, "_plain", lambda text, path: sizes.append(len(text)) or plain(text, path)
    )
    if ids:
        display.advice_entry(advice.entry(*ids))
    else:
        preset = load_preset("textcnn")
        display.explanations(preset, explain(preset))
    assert capsys.readouterr().out
    assert 1000 < sum(sizes) < cap


def test_entries_read_well() -> None:
    shown = "\n".join(advice.readable(advice.entry("a47")))
    assert shown.startswith("A47: Start with a dropout of .5.")
    assert "from G2" in shown
    assert "carried by preset: architecture.dropout" in shown
    assert re.search(r"architecture\.dropout: .*textcnn/default", shown)
    assert "not carried by anything yet" in "\n".join(advice.readable(advice.entry("A61")))
    assert "decision" in "\n".join(advice.readable(advice.entry("D3")))
    assert "1408.5882" in advice.readable(advice.entry("kim2014"))[0]
    with pytest.raises(ZooError, match="no source 'kim2O14'.*Did you mean 'kim2014'"):
        advice.source("kim2O14")


def test_one_entry() -> None:
    assert advice.advice("a47").id == "A47"
    assert advice.carriers(advice.advice("A47")) == ["preset: architecture.dropout"]
    assert advice.carriers(advice.advice("A61")) == ["not yet"]
    with pytest.raises(ZooError, match="Did you mean"):
        advice.advice("A477")


def test_citations() -> None:
    assert "1408.5882" in advice.cited("kim2014")
    with pytest.raises(ZooError, match="Did you mean 'kim2014'"):
        advice.cited("kim2041")
