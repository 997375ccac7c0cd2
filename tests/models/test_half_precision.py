"""Networks in half precision train as in float32: recurrences, masks and pooling."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from test_models import OWN, SHARED, arguments

from zoo.layers.kernels import Kernels, use_kernels
from zoo.models import MODELS
from zoo.training.kernels.recurrence import WITHIN_XLA

STEPS, ROWS, TIME = 50, 16, 40
SIZES = {"vocabulary_size": 30, "embedding_dropout": 0.0, "word_dropout": 0.0, "dropout": 0.0}
NETWORKS = [
    ("textrnn", {"num_layers": 1}),
    ("textrnn", {"pooling": "attention", "num_layers": 1}),
    ("rcnn", {}),
]


def batch(seed):
    """Return ids, most of them padding, and labels that are in them; one row has no token."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, ROWS)
    tokens = generator.integers(4, 30, (ROWS, TIME))
    tokens[:, 0] = labels + 1
    tokens *= np.arange(TIME) < generator.integers(1, 9, (ROWS, 1))
    tokens[-1] = 0
    return tf.constant(tokens, tf.int32), tf.constant(labels)


def losses(model, changes, policy):
    """Return the loss of every step of a training run by the zoo's recurrence."""
    keras.utils.set_random_seed(1)
    keras.config.set_dtype_policy(policy)
    try:
        network = MODELS[model](**SHARED | OWN[model] | SIZES | changes)
    finally:
        keras.config.set_dtype_policy("float32")
    optimizer = keras.optimizers.Adam(1e-2)
    optimizer.build(network.trainable_variables)

    @tf.function(
        input_signature=[tf.TensorSpec((ROWS, TIME), tf.int32), tf.TensorSpec((ROWS,), tf.int64)]
    )
    def step(tokens, labels):
        with use_kernels(Kernels(recurrence=WITHIN_XLA)), tf.GradientTape() as tape:
            logits = network(tokens, training=True)
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(loss)
        values = [weight.value for weight in network.trainable_variables]
        optimizer.apply(tape.gradient(loss, values), network.trainable_variables)
        return loss

    return np.array([step(*batch(number)) for number in range(STEPS)])


@pytest.mark.parametrize(("model", "changes"), NETWORKS)
def test_losses_are_those_of_float32(model, changes):
    full, half = (losses(model, changes, policy) for policy in ("float32", "mixed_bfloat16"))
    assert np.isfinite(half).all()
    assert full[-10:].mean() < 0.9 * full[:10].mean()  # it learns
    np.testing.assert_allclose(half, full, atol=0.1)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_biases_of_distances_are_added_in_float32(norm):
    """MPNet's: Keras casts them on their way into a layer, and the mask is in float32."""
    changes = {"relative_buckets": 32, "norm": norm, "dropout": 0.0, "attention_dropout": 0.0}
    logits = {}
    for policy in ("float32", "mixed_bfloat16", "mixed_float16"):
        keras.utils.set_random_seed(1)
        keras.config.set_dtype_policy(policy)
        try:
            network = MODELS["transformer"](**arguments("transformer", changes))
        finally:
            keras.config.set_dtype_policy("float32")
        table = network.get_layer("relative_bias").embeddings
        table.assign(np.random.default_rng(0).normal(size=table.shape))
        logits[policy] = network(batch(1)[0][:, :20]).numpy()
    for half in (logits["mixed_bfloat16"], logits["mixed_float16"]):
        np.testing.assert_allclose(half, logits["float32"], atol=0.05)
