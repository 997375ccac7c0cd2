"""Callbacks of `fit` that leave a device to its steps.

What is not public in Keras was written against 3.15.1: `_on_train_batch_end` of the list, which
reads every metric from the device after each step, and so lets no step begin before the one
before has ended.
"""

from __future__ import annotations

from typing import Any

import keras


class StepCallbacks(keras.callbacks.CallbackList):
    """Keras' list of callbacks, which waits for the device only where one asks what it computed.

    A callback with `reads_logs_rarely` gets the metrics of a step as they are on the device, and
    reads what it needs. Where all that do something after a step are such, nothing is read for
    them; where one is not, as users' own, all get numbers, as in Keras.
    """

    def _on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        base = keras.callbacks.Callback
        for callback in self.callbacks:
            kind = type(callback)
            does_nothing = (
                kind.on_train_batch_end is base.on_train_batch_end
                and kind.on_batch_end is base.on_batch_end
            )
            if not does_nothing and not getattr(callback, "reads_logs_rarely", False):
                super()._on_train_batch_end(batch, logs)
                return
        for callback in self.callbacks:
            callback.on_train_batch_end(batch, logs)
