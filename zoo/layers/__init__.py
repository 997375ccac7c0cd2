"""The few layers that Keras lacks; `keras` only, so that they run on any of its backends."""

from zoo.layers.filters import WordFilters as WordFilters
from zoo.layers.images import MeanOfViews as MeanOfViews
from zoo.layers.images import MirroredViews as MirroredViews
from zoo.layers.images import PaddedShortcut as PaddedShortcut
from zoo.layers.images import PartialIdentity as PartialIdentity
from zoo.layers.images import WhiteningConv2D as WhiteningConv2D
from zoo.layers.kernels import BatchNorm as BatchNorm
from zoo.layers.kernels import Conv2D as Conv2D
from zoo.layers.kernels import PooledConv2D as PooledConv2D
from zoo.layers.lstm import LSTMStack as LSTMStack
from zoo.layers.lstm import WeightDropLSTM as WeightDropLSTM
from zoo.layers.ngrams import NgramHash as NgramHash
from zoo.layers.paths import PathMix as PathMix
from zoo.layers.pooling import AttentionPooling as AttentionPooling
from zoo.layers.pooling import MaskedMax as MaskedMax
from zoo.layers.pooling import ScaledSum as ScaledSum
from zoo.layers.recurrent import GRU as GRU
from zoo.layers.recurrent import LSTM as LSTM
from zoo.layers.recurrent import SimpleRNN as SimpleRNN
from zoo.layers.tokens import NgramWeights as NgramWeights
from zoo.layers.tokens import TokenEmbedding as TokenEmbedding
from zoo.layers.tokens import WordDropout as WordDropout
from zoo.layers.vocabulary import VocabularyEmbedding as VocabularyEmbedding
