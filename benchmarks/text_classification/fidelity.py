"""Presets taken from papers, on the data of those papers: kim2014 on TREC, thucnews on THUCNews.

Options: seeds=0,1,2,3,4 (kim2014)  thucnews_seeds=0
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.text_classification.quality import scores

THUCNEWS = ("textcnn", "textrnn", "rcnn", "fasttext")


def measure(seeds: str = "0,1,2,3,4", thucnews_seeds: str = "0") -> Iterator[dict[str, Any]]:
    """Yield one entry a preset and seed."""
    for seed in filter(None, seeds.split(",")):
        yield scores("textcnn/kim2014", "trec", int(seed))
    for seed in filter(None, thucnews_seeds.split(",")):
        for model in THUCNEWS:
            yield scores(f"{model}/thucnews", "thucnews_45k", int(seed))
