"""Text classification: labelled texts, a linear baseline, accuracy and F1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo.errors import ZooError
from zoo.finding import Finding
from zoo.preset.loading import Preset
from zoo.tasks.classifiers import against_baseline, scored
from zoo.tasks.prepared import Prepared
from zoo.tasks.request import Request
from zoo.tasks.text_classification.baseline import fit_baseline
from zoo.tasks.text_classification.data import Data, bundled, load_data
from zoo.tasks.text_classification.predictor import TextClassifier
from zoo.text.vectors import read_vectors
from zoo.training.model import TrainingModel


class TextClassification:
    """What `zoo.tasks.task.Task` says, for classifiers of texts."""

    def bundled(self, model: str) -> Path:
        """Return the path of the bundled messages."""
        return bundled(model)

    def load(self, request: Request, preset: Preset, tokenizer: Any) -> Data:
        """Return the data of a request."""
        return load_data(
            request.data,
            validation=request.validation,
            test=request.test,
            text=request.text,
            label=request.label,
            settings=preset.data,
            vocabulary_size=preset.architecture.vocabulary_size,
            seed=request.seed,
            fraction=request.fraction,
            classes=list(request.classes) if request.classes is not None else None,
            drop_missing=request.drop_missing,
            tokenizer=tokenizer,
        )

    def begin(self, data: Data, preset: Preset, seed: int, chief: bool) -> Prepared:
        """Fit the linear baseline."""
        if data.validation is None:
            raise ZooError(
                "no validation part: give --validation, or a validation_fraction above 0."
            )
        baseline: dict[str, Any] = {}
        if chief:
            baseline = fit_baseline(
                data.train,
                data.validation,
                data.test,
                num_classes=len(data.classes),
                seed=seed,
            ).to_dict()
        return Prepared(preset.name, data.classes, baseline, data.tokenizer)

    def decided(self, start: Prepared) -> dict[str, Any]:
        """Return the number of classes."""
        return {"architecture.num_classes": len(start.classes)}

    def sizes(self, start: Prepared) -> dict[str, Any]:
        """Return the numbers of classes and of pieces."""
        return self.decided(start) | {
            "architecture.vocabulary_size": start.tokenizer.vocabulary_size
        }

    def judged(self, preset: Preset) -> list[Finding]:
        """Return nothing: the schema has checked it."""
        return []

    def prepare(self, model: TrainingModel, preset: Preset, data: Data, seed: int) -> list[Finding]:
        """Set the embedding tables from a vector file, if there is one, and report its coverage."""
        if not preset.data.vectors:
            return []
        matrix, coverage = read_vectors(
            Path(str(preset.data.vectors)),
            data.tokenizer.pieces(),
            preset.architecture.embedding_dim,
            seed=seed,
        )
        for layer in model.layers:
            if layer.name in ("embedding", "embedding_static"):
                layer.set_weights([matrix])
        enough = coverage["share"] >= 0.5
        found = Finding(
            "info" if enough else "warning",
            f"{preset.data.vectors}: vectors for {coverage['found']} of {coverage['pieces']} "
            f"pieces ({100 * coverage['share']:.1f} %).",
            coverage,
            "" if enough else "Set data.tokenizer=words: vector files hold words.",
        )
        return [found]

    def finish(
        self, model: TrainingModel, preset: Preset, data: Data, start: Prepared, folder: Path
    ) -> dict[str, Any]:
        """Save the classifier and score it."""
        classifier = TextClassifier(model, data.tokenizer, start.classes, preset.data.max_length)
        classifier.save(folder / "model")
        parts = {"validation": data.validation, "test": data.test}
        return scored(classifier, parts, start.baseline, folder)

    def verdict(self, metrics: dict[str, Any]) -> Finding:
        """Compare with the linear model."""
        return against_baseline(metrics)


TASK = TextClassification()
