"""The vectors that a classifier makes its logits of."""

from __future__ import annotations

import keras

from zoo.layers.images import MeanOfViews

HEAD = "logits"  # the layer from features to logits in every classifier
VECTOR = "embedding"  # what a vector is called beside its input


def feature_network(network: keras.Model) -> keras.Model:
    """Return a classifier without its head, of the same weights.

    Logits that a network adds from elsewhere, such as TextCNN's of n-grams, have no features. Of
    an image and its mirror image the features are averaged, as the logits are.

    Args:
        network: from inputs to logits, by a layer of the name `logits`.

    Returns:
        From the same inputs to features `(batch, features)`.
    """
    features = network.get_layer(HEAD).input
    if any(isinstance(layer, MeanOfViews) for layer in network.layers):
        features = MeanOfViews(dtype="float32", name="mean_of_feature_views")(features)
    return keras.Model(network.input, features, name=f"{network.name}_features")
