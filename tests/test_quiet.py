"""What TensorFlow logs as errors, and is none, is not shown."""

import os
import subprocess
import sys

LEVEL = "TF_CPP_MIN_LOG_LEVEL"
PROGRAM = """
from zoo.quiet import load_tensorflow
load_tensorflow()
import tensorflow as tf
for kind in ("int32", "int64"):  # oneDNN says that it has no such type
    integers = tf.zeros((2, 2), kind)
    tf.function(lambda: tf.transpose(integers))()
print("done")
"""


def test_log_lines_are_not_shown() -> None:
    environment = {key: value for key, value in os.environ.items() if key != LEVEL}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120,
        env=environment,
    )  # fmt: skip
    assert (ended.stdout, ended.stderr) == ("done\n", "")
