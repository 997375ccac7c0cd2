"""What a user writes, for the type checker: `mypy` reads this file, nothing runs it.

`warn_unused_ignores` makes the lines with an `ignore` a test, too: each must be an error.
"""

from pathlib import Path

import zoo

texts, labels = ["a great film", "dull"], ["good", "bad"]
run = zoo.train("textcnn", data=(texts, labels), set={"recipe.epochs": 2}, out="runs/a", seed=1)
label: str = run.predict(["a great story"])[0]["label"]
scores: dict[str, float] = zoo.load_run("runs/a").evaluate("test.csv")
path: Path = run.export("serving/")
text: str = run.generate("the market", length=50, top_k=40)
findings: list[zoo.Finding] = run.findings
preset: zoo.Preset = zoo.load_preset("textcnn", "default", {"recipe.epochs": 3})
model = zoo.textcnn(preset="default", vocabulary_size=1000, num_classes=3)
model.fit([[1, 2]], [0])
zoo.textcnn("kim2014", kernel_sizes=[2, 3], embedding="static", max_norm=None)
zoo.resnet(depth=20, pixel_mean=(125.0, 123.0, 114.0), stem="cifar")
tuner = zoo.hypermodel("textcnn", seed=1)
try:
    zoo.train("textcnn")
except zoo.ZooError as error:
    print(error)

print(zoo.nosuch)  # type: ignore[attr-defined]
zoo.train("textcnn", devics="cpu")  # type: ignore[call-arg]
zoo.textcnn(drop=0.5)  # type: ignore[call-arg]
zoo.textcnn(embedding="frozen")  # type: ignore[arg-type]
zoo.resnet(depth=19)  # type: ignore[arg-type]
zoo.textcnn("default", 1000)  # type: ignore[call-arg, arg-type]
zoo.train("textcnn", seed="one")  # type: ignore[arg-type]
print(run.nosuch)  # type: ignore[attr-defined]
