"""PyTorch on a GPU, eager and compiled; a batch that is on the device.

It also keeps the accuracy that the Keras models keep.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.gpu.jobs import Job, Shape, precision
from benchmarks.gpu.torch_networks import LanguageModel, Normalized, TextCNN, TextRNN, resnet
from benchmarks.gpu.turns import Rounds
from benchmarks.image_classification.peers import fast_network
from benchmarks.language_modeling import speed as language
from benchmarks.text_classification import speed as text

PLACE = "cuda" if torch.cuda.is_available() else "cpu"


def device() -> str:
    """Return the name of the GPU, or nothing."""
    return torch.cuda.get_device_name(0) if PLACE == "cuda" else ""


def versions() -> dict[str, str]:
    """Return those of the framework."""
    cudnn = torch.backends.cudnn.version() if PLACE == "cuda" else ""
    return {"torch": torch.__version__, "torch cuda": str(torch.version.cuda), "cudnn": str(cudnn)}


def measure(job: Job, contestant: str, shape: Shape, rounds: Rounds) -> dict[str, Any]:
    """Return milliseconds a step."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    half = precision(job, contestant) == "bfloat16"
    model, inputs, labels, optimizer = MAKERS[job.network](job, shape)
    wait = torch.cuda.synchronize if PLACE == "cuda" else (lambda: None)
    clip = {"language": language.CLIP, "textrnn": 1.0}.get(job.network)

    def forward(*inputs: Any) -> tuple[torch.Tensor, torch.Tensor]:
        with torch.autocast(PLACE, torch.bfloat16) if half else contextlib.nullcontext():
            logits = model(*inputs)
        return nn.functional.cross_entropy(logits.float(), labels), logits

    scored = torch.compile(forward) if contestant == "pytorch_compiled" else forward
    correct = torch.zeros((), device=PLACE)
    rounds.begin()
    loss = torch.zeros(())
    for _ in range(rounds.total):
        optimizer.zero_grad(set_to_none=True)
        loss, logits = scored(*inputs)
        loss.backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        correct += (logits.detach().argmax(1) == labels).float().mean()
        if rounds.waits:
            wait()
        rounds.step()
    result: dict[str, Any] = rounds.result() | {"loss": float(loss.detach())}
    if PLACE == "cuda":
        result["peak_gigabytes"] = torch.cuda.max_memory_allocated() / 1e9
    return result


def _image(job: Job, shape: Shape) -> tuple[Any, ...]:
    if job.preset == "fast-cifar":
        network, classes = fast_network(torch, (64, 256, 256)), 10
    else:
        depth, variant = (50, "b") if job.preset == "imagenet-goyal2017" else (18, "d")
        network, classes = resnet(depth, variant, 1000), 1000
    model = Normalized(network).to(PLACE, memory_format=torch.channels_last).train()
    generator = np.random.default_rng(0)
    size = (shape.batch, shape.length, shape.length, 3)
    images = torch.from_numpy(generator.integers(0, 256, size, np.uint8)).to(PLACE)
    labels = torch.from_numpy(generator.integers(0, min(classes, 10), shape.batch)).to(PLACE)
    trained = [one for one in model.parameters() if one.requires_grad]
    optimizer = torch.optim.SGD(trained, 0.01, momentum=0.9, nesterov=True, weight_decay=1e-4)
    return model, (images.permute(0, 3, 1, 2),), labels, optimizer


def _text(shape: Shape, model: nn.Module, *, padded: bool) -> tuple[Any, ...]:
    x, y = text.batches(shape.vocabulary, shape.batch, shape.length, 1)
    model = model.to(PLACE).train()
    inputs = [torch.from_numpy(x.astype(np.int64)).to(PLACE)]
    if padded:
        lengths = np.random.default_rng(1).integers(
            shape.length // 2, shape.length + 1, shape.batch
        )
        lengths[0] = shape.length
        inputs.append(torch.from_numpy(lengths))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0)
    return model, tuple(inputs), torch.from_numpy(y.astype(np.int64)).to(PLACE), optimizer


def _language(job: Job, shape: Shape) -> tuple[Any, ...]:
    model = LanguageModel(shape.vocabulary, shape.embedding, shape.units, shape.layers)
    ids = language.ids(shape.batch, shape.length, shape.vocabulary).astype(np.int64).T.copy()
    tokens = torch.from_numpy(ids).to(PLACE)
    model = model.to(PLACE).train()
    return model, (tokens,), tokens.reshape(-1), torch.optim.SGD(model.parameters(), 1.0)


MAKERS: dict[str, Callable[[Job, Shape], tuple[Any, ...]]] = {
    "image": _image,
    "textcnn": lambda job, shape: _text(shape, TextCNN(shape.vocabulary), padded=False),
    "textrnn": lambda job, shape: _text(shape, TextRNN(shape.vocabulary, shape.units), padded=True),
    "language": _language,
}
