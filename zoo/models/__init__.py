"""The networks: one builder a file, `keras` only, so that they run on any of its backends."""

from collections.abc import Callable

import keras

from zoo.models.fasttext import fasttext
from zoo.models.lstm_lm import lstm_lm
from zoo.models.rcnn import rcnn
from zoo.models.resnet import resnet
from zoo.models.textcnn import textcnn
from zoo.models.textrnn import textrnn

MODELS: dict[str, Callable[..., keras.Model]] = {
    "textcnn": textcnn,
    "rcnn": rcnn,
    "textrnn": textrnn,
    "fasttext": fasttext,
    "lstm_lm": lstm_lm,
    "resnet": resnet,
}
