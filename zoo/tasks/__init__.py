"""What a training does differently from task to task: data, scores, what is saved."""

from zoo.tasks.classification import TextClassification
from zoo.tasks.images import ImageClassification
from zoo.tasks.language import LanguageModeling
from zoo.tasks.task import Task as Task

TASKS: dict[str, Task] = {
    "text-classification": TextClassification(),
    "language-modeling": LanguageModeling(),
    "image-classification": ImageClassification(),
}
