"""What the papers and code bases behind the presets report, to stand beside what we measure."""

from __future__ import annotations

# (preset, data): score. Accuracies in [0, 1], perplexities as they are.
PUBLISHED = {
    # CNN-rand, Kim 2014.
    ("textcnn/kim2014", "trec"): 0.912,
    # 649453932/Chinese-Text-Classification-Pytorch: 180,000 titles and Sogou vectors, where the
    # set here has a quarter of the titles and no vectors.
    ("textcnn/thucnews", "thucnews_45k"): 0.9122,
    ("textrnn/thucnews", "thucnews_45k"): 0.9112,
    ("rcnn/thucnews", "thucnews_45k"): 0.9154,
    ("fasttext/thucnews", "thucnews_45k"): 0.9223,
    # Jordan 2024 (airbench94), mean of 1,000.
    ("resnet/fast-cifar", "cifar10"): 0.9401,
    # Zaremba 2014, Press and Wolf 2017 (small, tied; small, tied with a projection), Melis 2017,
    # Merity 2017.
    ("lstm_lm/zaremba-small", "ptb"): 114.5,
    ("lstm_lm/zaremba-small, tied", "ptb"): 112.4,
    ("lstm_lm/zaremba-medium", "ptb"): 82.7,
    ("lstm_lm/zaremba-large", "ptb"): 78.4,
    ("lstm_lm/press-wolf-small", "ptb"): 100.9,
    ("lstm_lm/melis-10m", "ptb"): 59.6,
    ("lstm_lm/awd-ptb", "ptb"): 58.8,
    # nanoGPT's README: 1.88 and 1.4697 nats a character, of random windows of the last tenth, of
    # which the test part here is the second half.
    ("transformer_lm/char", "tinyshakespeare"): 6.55,
    ("transformer_lm/char-nanogpt", "tinyshakespeare"): 4.35,
}
# Pretrained weights fine-tuned in plain PyTorch by one recipe, measured beside this project: AdamW
# 1e-4, batch 32, no R-Drop, 4 epochs (2 of ag_news_part, imdb and e5, 3 of go_emotions); minilm on
# a GPU, mean of 2 or 3 seeds; e5 on 2 cores, one seed, of thucnews_45k 2,000 test rows. Accuracies;
# of go_emotions micro F1.
PYTORCH = {
    ("minilm", "trec"): 0.969,
    ("minilm", "mr"): 0.833,
    ("minilm", "sst2"): 0.894,
    ("minilm", "sst1"): 0.514,
    ("minilm", "subj"): 0.961,
    ("minilm", "ag_news_part"): 0.925,
    ("minilm", "imdb"): 0.907,
    ("minilm", "go_emotions"): 0.604,
    ("e5", "chnsenticorp"): 0.910,
    ("e5", "thucnews_45k"): 0.912,
}
