"""Accuracy by number of training records, as an SVG picture: text made of numbers and names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

__all__ = ["draw_learning_curves"]

_WIDTH, _HEIGHT = 860, 460
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 250, 30, 50
_COLOURS = (
    *("#1b6ca8", "#d1495b", "#2e933c", "#8e5572", "#e08e00"),
    *("#3c3c3c", "#00a6a6", "#b5651d", "#7a77b9", "#9cad00"),
)
_DASHES = ("", "6 3", "2 3", "10 3 2 3", "14 6", "6 3 2 3 2 3")
_LEGEND_ROW = 16


class _Point(NamedTuple):
    size: int
    value: float
    low: float
    high: float


def draw_learning_curves(
    cells: Sequence[Mapping[str, Any]], figure: str = "accuracy"
) -> str | None:
    """Draw a line for each objective and way of answering, with 95% intervals.

    Args:
        cells: as :func:`mitools.study.tables.build_tables` describes them.
        figure: which figure of a cell; a share from 0 to 1.

    Returns:
        An SVG document; None where there are fewer than two sizes.
    """
    lines = _lines(cells, figure)
    sizes = sorted({point.size for points in lines.values() for point in points})
    if len(sizes) < 2:
        return None
    top = max(point.high for points in lines.values() for point in points)
    frame = _Frame(sizes[0], sizes[-1], min(1.0, math.ceil(top * 10 + 1e-9) / 10) or 1.0)
    body = [*_axes(frame, sizes, figure)]
    for place, (name, points) in enumerate(lines.items()):
        body += _line(frame, place, name, points)
    height = max(_HEIGHT, _TOP + _LEGEND_ROW * len(lines))
    box = f'viewBox="0 0 {_WIDTH} {height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {box} font-family="sans-serif" font-size="12">'
    ground = f'<rect width="{_WIDTH}" height="{height}" fill="white"/>'
    return "\n".join((head, ground, *body, "</svg>", ""))


def _lines(cells: Sequence[Mapping[str, Any]], figure: str) -> dict[str, list[_Point]]:
    lines: dict[str, list[_Point]] = {}
    for cell in cells:
        found = cell["figures"].get(figure)
        if found is None or cell["size"] is None:
            continue
        low, high = found["ci95"] or (found["value"], found["value"])
        point = _Point(cell["size"], found["value"], low, high)
        lines.setdefault(f"{cell['objective']}, {cell['answer']}", []).append(point)
    return {name: sorted(points) for name, points in lines.items()}


class _Frame(NamedTuple):
    """The area of the lines; sizes are on a logarithmic scale."""

    smallest: int
    largest: int
    top: float

    def x(self, size: int) -> float:
        share = math.log(size / self.smallest) / math.log(self.largest / self.smallest)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        share = min(1.0, max(0.0, value / self.top))
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)


def _axes(frame: _Frame, sizes: Sequence[int], figure: str) -> list[str]:
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    body = []
    for tick in range(6):
        value = frame.top * tick / 5
        y = frame.y(value)
        body.append(f'<path d="M{_LEFT} {y:.1f}H{right}" stroke="#ddd"/>')
        body.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:.0%}</text>')
    for size in sizes:
        x = frame.x(size)
        body.append(f'<path d="M{x:.1f} {bottom}v5" stroke="#333"/>')
        body.append(f'<text x="{x:.1f}" y="{bottom + 20}" text-anchor="middle">{size:,}</text>')
    middle = (_LEFT + right) / 2
    label = f'<text x="{middle:.1f}" y="{bottom + 40}" text-anchor="middle">training records</text>'
    title = f'<text x="{_LEFT}" y="{_TOP - 12}">{escape(figure)}, mean and 95% interval</text>'
    return [*body, label, title]


def _line(frame: _Frame, place: int, name: str, points: Sequence[_Point]) -> list[str]:
    colour, dash = _COLOURS[place % len(_COLOURS)], _DASHES[place // len(_COLOURS) % len(_DASHES)]
    path = "L".join(f"{frame.x(one.size):.1f} {frame.y(one.value):.1f}" for one in points)
    style = f'fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"'
    body = [f'<path d="M{path}" {style}/>']
    for one in points:
        x = frame.x(one.size)
        span = f"M{x:.1f} {frame.y(one.low):.1f}V{frame.y(one.high):.1f}"
        body.append(f'<path d="{span}" stroke="{colour}" opacity="0.5"/>')
        body.append(f'<circle cx="{x:.1f}" cy="{frame.y(one.value):.1f}" r="3" fill="{colour}"/>')
    x, y = _WIDTH - _RIGHT + 16, _TOP + _LEGEND_ROW * place
    body.append(f'<path d="M{x} {y}h22" {style}/>')
    body.append(f'<text x="{x + 28}" y="{y + 4}">{escape(name)}</text>')
    return body
