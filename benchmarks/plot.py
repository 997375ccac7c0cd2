"""Lines over a logarithmic axis as an SVG: a panel a set, a line a model."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from xml.sax.saxutils import escape

Points = Sequence[tuple[float, float]]
# Okabe and Ito 2008, https://jfly.uni-koeln.de/color: the colour-blind tell them apart, too.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# In pixels: a panel, what is beside, between, above and below panels, and to a panel's first point.
WIDTH, HEIGHT, LEFT, GAP, TOP, BELOW, INSET = 260, 240, 44, 24, 30, 44, 10
BOTTOM = TOP + HEIGHT
IN_A_ROW, ROW = 3, 16  # names of lines in a row below, and its height
STEP = 10  # between lines of the grid, in the unit of y


def line_plot(panels: Mapping[str, Mapping[str, Points]], *, x: str, y: str) -> str:
    """Return an SVG of lines through points, x on a logarithmic scale.

    Args:
        panels: the points `(x, y)` of each line, by the line's name, by the panel's name.
        x: what the axis below says.
        y: what the axis on the left says.
    """
    names = list(dict.fromkeys(name for panel in panels.values() for name in panel))
    colours = {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(names)}
    axes = _axes([point for panel in panels.values() for line in panel.values() for point in line])
    width = LEFT + len(panels) * (WIDTH + GAP)
    height = BOTTOM + BELOW + math.ceil(len(names) / IN_A_ROW) * ROW
    written = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text transform="translate(14 {TOP + HEIGHT / 2:.1f}) rotate(-90)" '
        f'text-anchor="middle">{escape(y)}</text>',
    ]
    for number, (title, panel) in enumerate(panels.items()):
        start = LEFT + number * (WIDTH + GAP)
        written += [*_grid(start, title, x, axes), *_lines(start, panel, axes, colours)]
    for number, name in enumerate(names):
        row, column = divmod(number, IN_A_ROW)
        start, line = LEFT + column * (width - LEFT) / IN_A_ROW, BOTTOM + BELOW + row * ROW
        written.append(
            f'<rect x="{start:.1f}" y="{line}" width="16" height="4" fill="{colours[name]}"/>'
            f"{_text(start + 21, line + 6, name, 'start')}"
        )
    return "\n".join([*written, "</svg>"]) + "\n"


@dataclasses.dataclass(frozen=True)
class _Axes:
    """From values to pixels of a panel.

    Args:
        ticks: values of x that are written below.
        low: y at the bottom.
        high: y at the top.
    """

    ticks: list[float]
    low: int
    high: int

    def across(self, value: float) -> float:
        first, last = math.log(self.ticks[0]), math.log(self.ticks[-1])
        share = (math.log(value) - first) / (last - first) if last > first else 0.5
        return INSET + share * (WIDTH - 2 * INSET)

    def down(self, value: float) -> float:
        return BOTTOM - HEIGHT * (value - self.low) / max(self.high - self.low, 1)


def _axes(points: Points) -> _Axes:
    heights = [height for _, height in points]
    low, high = math.floor(min(heights) / STEP), math.ceil(max(heights) / STEP)
    return _Axes(sorted({across for across, _ in points}), STEP * low, STEP * high)


def _grid(start: float, title: str, x: str, axes: _Axes) -> Iterator[str]:
    middle = start + WIDTH / 2
    yield _text(middle, TOP - 10, title, "middle")
    for value in range(axes.low, axes.high + 1, STEP):
        line = axes.down(value)
        yield f'<path d="M{start} {line:.1f}h{WIDTH}" stroke="#ddd"/>'
        yield _text(start - 5, line + 4, str(value), "end")
    for tick in axes.ticks:
        yield _text(start + axes.across(tick), BOTTOM + 15, f"{tick:,.0f}", "middle")
    yield _text(middle, BOTTOM + 31, x, "middle")


def _lines(
    start: float, panel: Mapping[str, Points], axes: _Axes, colours: Mapping[str, str]
) -> Iterator[str]:
    for name, line in panel.items():
        points = [(start + axes.across(x), axes.down(y)) for x, y in sorted(line)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        yield f'<polyline points="{path}" stroke="{colours[name]}" stroke-width="2" fill="none"/>'
        for x, y in points:
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colours[name]}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
