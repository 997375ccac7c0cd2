"""A program: one GPU as two logical ones trains as one does; prints what differs as JSON."""

import json

import numpy as np
import tensorflow as tf
from gpu_parts import ON_CPU
from replica_parts import trained

from zoo.distribute import strategy_for

MEMORY = 8_000  # MiB of each


def main() -> None:
    if ON_CPU:
        strategy = strategy_for("cpu:0,1")
    else:
        gpu = tf.config.list_physical_devices("GPU")[0]
        half = tf.config.LogicalDeviceConfiguration(memory_limit=MEMORY)
        tf.config.set_logical_device_configuration(gpu, [half, half])
        strategy = tf.distribute.MirroredStrategy(["GPU:0", "GPU:1"])
    tf.config.experimental.enable_tensor_float_32_execution(False)
    one, two = (
        trained(scope, "textcnn", "lazy_adamw")
        for scope in (tf.distribute.get_strategy(), strategy)
    )
    pairs = zip(one["weights"], two["weights"], strict=True)
    differences = [float(np.abs(left - right).max()) for left, right in pairs]
    losses = one["history"]["loss"], two["history"]["loss"]
    print(json.dumps([strategy.num_replicas_in_sync, max(differences), *losses]))


if __name__ == "__main__":
    main()
