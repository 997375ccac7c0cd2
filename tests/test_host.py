"""What handles texts and ids stays on the CPU where there is another device, in every thread.

A second logical CPU stands for a GPU: it is the device that eager ops run on unless they say
otherwise, as a GPU is.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import sentences, write_csv
from tensorflow.python.framework import op_callbacks

from zoo.preset.loading import load_preset
from zoo.tasks.request import Request
from zoo.tasks.text_classification import token_ids
from zoo.tasks.text_classification.data import load_data
from zoo.tasks.text_classification.predictor import TextClassifier
from zoo.text.graph_tokenizer import learn_tokenizer

NETWORK = "__inference"  # how the function of one is called


class Elsewhere:
    """The eager ops whose results were not on the first CPU."""

    def __init__(self) -> None:
        self.ops: set[str] = set()

    def __call__(self, op_type, inputs, attrs, outputs, op_name=None, graph=None):
        name = op_type.decode() if isinstance(op_type, bytes) else op_type
        if graph is None and not name.startswith(NETWORK):
            devices = {output.device for output in outputs if output.dtype != tf.resource}
            if any(not device.endswith("CPU:0") for device in devices):
                self.ops.add(name)

    def begin(self) -> None:
        """Make the second CPU the default of this thread for good, and look on."""
        tf.device("CPU:1").__enter__()
        op_callbacks.add_op_callback(self)

    @contextmanager
    def watched(self):
        with tf.device("CPU:1"):
            op_callbacks.add_op_callback(self)
            try:
                yield
            finally:
                op_callbacks.remove_op_callback(self)


@pytest.fixture
def elsewhere(monkeypatch):
    found = Elsewhere()
    monkeypatch.setattr(
        token_ids,
        "ThreadPoolExecutor",
        lambda count: ThreadPoolExecutor(count, initializer=found.begin),
    )
    return found


def test_the_second_cpu_is_seen(elsewhere) -> None:
    with elsewhere.watched():
        tf.constant([1, 2]) + 1
    assert elsewhere.ops


@pytest.mark.parametrize("kind", ["sentencepiece", "words", "characters"])
def test_texts_and_ids_stay_on_the_cpu(elsewhere, tmp_path, kind) -> None:
    rows = sentences(60)
    path = write_csv(tmp_path / "rows.csv", rows)
    texts = [text for text, _ in rows]
    settings = load_preset("textcnn", "default", {"data.tokenizer": kind}).data
    network = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            keras.layers.Embedding(200, 2),
            keras.layers.GlobalAveragePooling1D(),
        ]
    )
    with elsewhere.watched():
        tokenizer = learn_tokenizer(kind, texts, vocabulary_size=200, lowercase=True)
        tokenizer.count(texts)
        tokenizer.unknown_characters(["\u2603 snow"])
        tokenizer.encode_dense(texts, 6)
        request = Request(str(path), seed=1)
        with load_data(request, settings=settings, vocabulary_size=200) as data:
            data.train.token_ids(np.arange(10))
            classifier = TextClassifier(network, data.tokenizer, data.classes, 6)
            classifier.logits(texts)
            classifier.logits_of(data.validation)
    assert not elsewhere.ops
