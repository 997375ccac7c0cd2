"""A hidden layer between a number and a number."""

import keras


def toycurve(*, hidden_dim: int, x_mean: float) -> keras.Model:
    x = keras.Input((1,), name="x")
    shifted = keras.layers.Normalization(mean=x_mean, variance=1.0, name="shift")(x)
    hidden = keras.layers.Dense(hidden_dim, activation="tanh", name="hidden")(shifted)
    return keras.Model(x, keras.layers.Dense(1, name="y")(hidden), name="toycurve")
