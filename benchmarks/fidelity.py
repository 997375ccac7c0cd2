"""Presets taken from papers, on the data of those papers: kim2014 on TREC, thucnews on THUCNews.

Options: seeds=0,1,2,3,4 (kim2014)  thucnews_seeds=0
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.quality import one

# Published with 180,000 titles and Sogou vectors (RECIPES: 649453932/Chinese-Text-Classification).
PUBLISHED = {"textcnn": 0.9122, "textrnn": 0.9112, "rcnn": 0.9154, "fasttext": 0.9223}


def measure(seeds: str = "0,1,2,3,4", thucnews_seeds: str = "0") -> Iterator[dict[str, Any]]:
    """Yield one entry a preset and seed."""
    for seed in filter(None, seeds.split(",")):
        yield one("textcnn", "kim2014", "trec", int(seed))
    for seed in filter(None, thucnews_seeds.split(",")):
        for model, published in PUBLISHED.items():
            entry = one(model, "thucnews", "thucnews_45k", int(seed))
            yield entry | {"published": published}
