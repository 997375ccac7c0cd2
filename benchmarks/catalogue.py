"""The benchmarks: what each claims, beside whom, on which data, and how long it takes."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """One claim and the module that measures it.

    Attributes:
        module: below `benchmarks`; its `measure(**options)` yields the entries.
        claim: what is measured.
        peers: what it is compared with.
        data: names of `datasets.json`, or where else the data come from.
        minutes: of a run with its options as they are, on 2 cores; of `gpu` and `gpu_cifar` on one
            H200, an estimate.
    """

    module: str
    claim: str
    peers: str
    data: str
    minutes: int


BENCHMARKS = {
    "quality": Benchmark(
        "text_classification.quality", "test scores of presets, by default textcnn's",
        "TF-IDF + logistic regression", "nine text sets", 62,
    ),
    "svm": Benchmark(
        "text_classification.svm", "test scores of a linear SVM on words and characters",
        "nothing", "eleven text sets", 30,
    ),
    "few": Benchmark(
        "text_classification.few", "test accuracy by the number of labelled rows",
        "a linear SVM", "trec, mr, ag_news_part", 300,
    ),
    "fidelity": Benchmark(
        "text_classification.fidelity", "presets of papers on the papers' data",
        "published scores", "trec, thucnews_45k", 30,
    ),
    "ablation": Benchmark(
        "text_classification.ablation", "each choice of textcnn's default taken back",
        "the default", "trec, mr, sst2, subj", 60,
    ),
    "selection": Benchmark(
        "text_classification.selection", "which rule picks the best epoch",
        "five rules", "nine text sets", 105,
    ),
    "perplexity": Benchmark(
        "language_modeling.perplexity", "test perplexity of lstm_lm and transformer_lm",
        "bigrams, published scores", "ptb", 17,
    ),
    "images": Benchmark(
        "image_classification.accuracy", "test accuracy of resnet's presets",
        "a linear model, published scores", "cifar10", 102,
    ),
    "few_images": Benchmark(
        "image_classification.few_images", "test accuracy by the number of labelled images",
        "plain Keras", "cifar10_folder, bccd", 900,
    ),
    "speed": Benchmark(
        "text_classification.speed", "training examples a second of textcnn",
        "plain Keras, PyTorch", "random ids", 2,
    ),
    "encoder_speed": Benchmark(
        "text_classification.encoder_speed", "training examples a second of transformer",
        "PyTorch, KerasHub", "trec, mr", 5,
    ),
    "language_speed": Benchmark(
        "language_modeling.speed", "training tokens a second of lstm_lm",
        "plain Keras, PyTorch", "random ids", 3,
    ),
    "image_speed": Benchmark(
        "image_classification.speed", "training images a second of resnet",
        "plain Keras, PyTorch", "random images, cifar10", 6,
    ),
    "efficientnet_speed": Benchmark(
        "image_classification.mobile_speed", "training and predictions of efficientnet",
        "keras.applications, PyTorch", "random images", 8,
    ),
    "gpu": Benchmark(
        "gpu.speed", "training speed of every kind of network on one GPU",
        "plain Keras, PyTorch", "random images and ids", 12,
    ),
    "gpu_cifar": Benchmark(
        "gpu.cifar", "test accuracy and seconds of fast-cifar on one GPU",
        "a linear model", "cifar10", 4,
    ),
    "serving": Benchmark(
        "text_classification.serving", "size and milliseconds of exports, texts a second",
        "itself, in float32 and int8", "mr", 8,
    ),
    "vectors": Benchmark(
        "text_classification.pretrained_vectors", "vectors of a network that starts from MiniLM",
        "PyTorch", "trec, mr, subj, chnsenticorp", 1,
    ),
    "tokenizers": Benchmark(
        "text_classification.pretrained_tokenizers", "ids of the tokenizers of pretrained weights",
        "tokenizers, sentencepiece", "nine text sets", 3,
    ),
    "overhead": Benchmark(
        "training.overhead", "a step of the training model",
        "plain Keras", "random ids", 2,
    ),
    "memory": Benchmark(
        "text_classification.memory", "peak memory, 2,000,000 rows / 200,000",
        "itself", "ag_news_part", 15,
    ),
    "language_memory": Benchmark(
        "language_modeling.memory", "peak memory of a step, and of 5 GB / 50 MB of text",
        "plain Keras", "wikitext2", 25,
    ),
    "image_memory": Benchmark(
        "image_classification.memory", "peak memory, 4,000 photographs / 400",
        "itself", "photographs of scikit-learn", 4,
    ),
    "startup": Benchmark(
        "training.startup", "seconds to `zoo presets` and to the first step",
        "`import tensorflow`", "subj", 2,
    ),
    "distribution": Benchmark(
        "training.distribution", "scores and speed of two workers",
        "one process", "sst2, newsgroups20", 30,
    ),
    "diagnosis": Benchmark(
        "training.diagnosis", "what broken and sound runs are told first",
        "the fault that was made", "mr, trec, subj, cifar10_folder, ptb", 12,
    ),
    "find_lr": Benchmark(
        "training.find_lr", "learning rates that sweeps suggest",
        "the rates of presets", "trec, mr", 6,
    ),
    "resume": Benchmark(
        "training.resume", "bit-equal weights after 30 `kill -9`; cost of checkpoints",
        "a run left alone", "random rows, sms_spam", 12,
    ),
}  # fmt: skip


def table() -> str:
    """Return the benchmarks as a Markdown table, as CONTRIBUTING.md has it."""
    lines = ["| benchmark | what | beside | data | minutes |", "|---|---|---|---|---|"]
    lines += [
        f"| {name} | {entry.claim} | {entry.peers} | {entry.data} | {entry.minutes} |"
        for name, entry in BENCHMARKS.items()
    ]
    return "\n".join(lines) + "\n"
