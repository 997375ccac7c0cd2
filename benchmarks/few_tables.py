"""The README's tables and plots of few labelled rows, or images, beside other models."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable

from benchmarks.cells import Columns, Entries, first, score, table
from benchmarks.plot import line_plot
from benchmarks.results import load
from zoo.environment import training_code


@dataclasses.dataclass(frozen=True)
class Few:
    """A benchmark of few labelled rows.

    Args:
        name: of the benchmark, and of its plot's file.
        size: key of an entry: how many rows there were.
        heading: of the column of sizes.
        axis: what the plot says below.
        pretrained: how the names of models with pretrained weights begin.
    """

    name: str
    size: str
    heading: str
    axis: str
    pretrained: str

    def section(self) -> str:
        """Return the table and, where anything was measured, the plot below it."""
        plot = f"![Test accuracy by the number of {self.axis}](benchmarks/results/{self.name}.svg)"
        return self.table() + (f"\n{plot}\n" if load(self.name) else "")

    def table(self) -> str:
        """Return the table of test accuracy by the number of rows."""
        entries = load(self.name)
        columns: Columns = {
            "data": first("data"),
            self.heading: lambda group: f"{group[0][self.size]:,}",
            **{model: self._of_model(model) for model in self._models(entries)},
            "measured at": _commits,
        }
        return table(columns, self._by_size(entries))

    def plot(self) -> str:
        """Return the plot of the same as an SVG, in %; empty before anything was measured."""
        panels: dict[str, dict[str, list[tuple[float, float]]]] = {}
        for group in self._by_size(load(self.name)):
            panel = panels.setdefault(group[0]["data"], {})
            for model in self._models(group):
                scores = [100 * entry["accuracy"] for entry in group if entry["model"] == model]
                panel.setdefault(model, []).append((group[0][self.size], statistics.mean(scores)))
        return line_plot(panels, x=self.axis, y="test accuracy in %") if panels else ""

    def _models(self, entries: Entries) -> list[str]:
        """Return the models of some entries, pretrained ones first and what is no preset last."""
        names = {entry["model"] for entry in entries}
        return sorted(
            names, key=lambda name: (not name.startswith(self.pretrained), "/" not in name, name)
        )

    def _by_size(self, entries: Entries) -> list[Entries]:
        """Return the entries of each set and number of rows, of all models."""
        groups_of_them: dict[tuple[str, int], Entries] = {}
        for entry in sorted(entries, key=lambda one: (one["data"], one[self.size], one["seed"])):
            groups_of_them.setdefault((entry["data"], entry[self.size]), []).append(entry)
        return list(groups_of_them.values())

    def _of_model(self, model: str) -> Callable[[Entries], str]:
        """Return a cell: the score of a model among those of all; bold where it is the best."""

        def mean_of_model(group: Entries, name: str) -> float:
            return statistics.mean(entry["accuracy"] for entry in group if entry["model"] == name)

        def cell(group: Entries) -> str:
            own = [entry for entry in group if entry["model"] == model]
            if not own:
                return "-"
            best = max(self._models(group), key=lambda name: mean_of_model(group, name))
            shown = score("accuracy")(own)
            return f"**{shown}**" if best == model else shown

        return cell


FEW_ROWS = Few("few", "rows", "rows", "labelled rows", "transformer/")
FEW_IMAGES = Few(
    "few_images", "images", "images a class", "labelled images a class", "efficientnet/lite0"
)


def _commits(entries: Entries) -> str:
    """Return a cell: the commits of some results, and whether the zoo's code has changed since."""
    commits = sorted({(entry["commit"] or "unknown")[:7] for entry in entries})
    ours = (entry for entry in entries if "/" in entry["model"])  # a preset
    old = any(entry.get("code") != training_code() for entry in ours)
    return ", ".join(commits) + (", old: other code" if old else "")
