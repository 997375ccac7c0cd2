"""The inputs with images that failed for users, each through the command a user typed.

They lie outside of the repository, in `../shared/cases`; without them these tests are skipped. The
kinds they stand for have tests of their own, beside the modules.
"""

import json

import pytest


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("c17b_eval/d", "d/train --test d/eval`"),
        ("c17m_flattest/d", "To go on without it: `zoo train resnet d/train`"),
        ("c05_wrapped/d", "Did you mean d/photos"),
        ("c13b_alltiff/d", "16 .tif: not read. Convert them to PNG"),
    ],
)
@pytest.mark.parametrize("command", ["data", "train"])
def test_refused_with_what_to_do(zoo_command, shared_case, monkeypatch, name, said, command):
    monkeypatch.chdir(shared_case(f"images/{name}").parent)
    arguments = ("data",) if command == "data" else ("train", "resnet")
    assert said in zoo_command(*arguments, "d", code=1).stderr


@pytest.mark.parametrize(
    ("name", "parts", "said"),
    [
        ("c17c_pred/d", ["train", "validation", "test"], "d/pred: 5 images without class folders"),
        ("c17d_intel/d", ["train", "validation", "test"], ""),
        ("c17e_set/d", ["train", "validation", "test"], ""),
        ("c17h_models/d", ["train", "validation"], "neither parts nor classes: 'models'"),
        ("c21_hf/d", ["train", "validation", "test"], ""),
        ("c03_ds/d", ["train", "validation"], "ignored: '@eaDir', '__MACOSX'"),
        ("c13_formats/d", ["train", "validation"], "Convert .avif, .tiff, .heic to PNG"),
        ("c02_ending/d", ["train", "validation"], "4 files are passed over: 4 .tif"),
    ],
)
def test_read_as_it_is_meant(zoo_command, shared_case, name, parts, said):
    folder = shared_case(f"images/{name}")
    document = json.loads(zoo_command("data", folder, "--json", code=0).stdout)
    assert sorted(document["classes"]) == ["blue", "red"]
    assert list(document["parts"]) == parts
    findings = "\n".join(f"{each['what']} {each['next']}" for each in document["findings"])
    assert said in findings
