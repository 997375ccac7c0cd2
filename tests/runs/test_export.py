"""The SavedModel takes raw strings in a process that has never heard of the zoo."""

import json
import math
import subprocess
import sys

import pytest
import tensorflow as tf

SERVE = """
import json, sys
import tensorflow as tf
import tensorflow_text
model = tf.saved_model.load(sys.argv[1])
served = model.serve(tf.constant(json.loads(sys.argv[2])))
assert not [name for name in sys.modules if name.split(".")[0] == "zoo"], "too much"
print(json.dumps({
    "label": [label.decode() for label in served["label"].numpy()],
    "probabilities": served["probabilities"].numpy().tolist(),
}))
"""


def test_a_process_with_tensorflow_alone_serves_it(trained, tmp_path) -> None:
    texts = ["a great film", "dull and tired", "", "Ünïcode \U0001f600 text"]
    folder = trained.export(tmp_path / "serving")
    done = subprocess.run(
        [sys.executable, "-c", SERVE, str(folder), json.dumps(texts)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    served = json.loads(done.stdout)
    for index, expected in enumerate(trained.predict(texts)):
        assert served["label"][index] == expected["label"]
        assert served["probabilities"][index] == pytest.approx(
            list(expected["probabilities"].values()), abs=1e-5
        )


def test_a_folder_that_cannot_be_written_is_said_in_words(trained, zoo_command) -> None:
    ended = zoo_command("export", trained.path, "/proc/serving", code=1)
    assert ended.stderr == (
        "zoo: /proc/serving: cannot be written: No such file or directory. Free some space or "
        "choose another folder; nothing was left there.\n"
    )


def test_a_full_disk_is_said_in_words_and_leaves_nothing(trained, small_disk, zoo_command) -> None:
    ended = zoo_command("export", trained.path, small_disk / "serving", code=1)
    assert "serving: cannot be written: No space left on device. Free some" in ended.stderr
    assert "function_node" not in ended.stderr
    assert list(small_disk.iterdir()) == []


def test_each_weight_is_written_once(trained, tmp_path) -> None:
    folder = trained.export(tmp_path / "serving")
    shapes = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
    sizes = shapes.get_variable_to_shape_map().values()
    weights = trained.model.network.count_params()
    assert weights <= sum(map(math.prod, sizes)) <= weights + 100  # and counters
