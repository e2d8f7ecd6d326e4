"""A plot as an SVG file for the documentation: no script, readable on light and dark pages, with a description."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pygal
from pygal.style import Style

SVG = "http://www.w3.org/2000/svg"
#: Text, lines and guides on a dark page. Lines differ in their dashes, too.
_DARK = """
@media (prefers-color-scheme: dark) {
  text, .title, .legends .legend text, .axis text { fill: #e6edf3 !important; }
  .color-0 { stroke: #58a6ff !important; fill: #58a6ff !important; }
  .color-1 { stroke: #d29922 !important; fill: #d29922 !important; }
  .color-2 { stroke: #3fb950 !important; fill: #3fb950 !important; }
  .axis .guides, .axis .line { stroke: #8b949e !important; }
}
"""


@dataclass(frozen=True)
class Line:
    """One line of a plot."""

    title: str
    values: Sequence[float]


def write_plot(path: Path, title: str, words: str, places: Sequence[int], lines: Sequence[Line]) -> None:
    """Write a plot with logarithmic axes.

    Args:
        words: what the plot shows, for those who do not see it.
    """
    style = Style(
        background="transparent", plot_background="transparent", foreground="#24292f", foreground_strong="#24292f",
        foreground_subtle="#57606a", colors=("#0969da", "#bf8700", "#1a7f37"), font_family="sans-serif",
        label_font_size=13, major_label_font_size=13, legend_font_size=13, title_font_size=15,
    )  # fmt: skip
    chart = pygal.XY(
        style=style, js=[], no_prefix=True, xrange=(min(places), max(places)), logarithmic=True, dots_size=4,
        show_x_guides=False, pretty_print=False, legend_at_bottom=True, width=760, height=420, title=title,
        x_title="sessions", x_labels=list(places), y_labels=_marks(lines), stroke=True, disable_xml_declaration=True,
    )  # fmt: skip
    dashes = ("", "8,4", "2,4")
    for number, line in enumerate(lines):
        points = [(place, value) for place, value in zip(places, line.values, strict=True)]
        chart.add(line.title, points, stroke_style={"width": 2.5, "dasharray": dashes[number % len(dashes)]})
    path.write_bytes(_described(chart.render(), title, words))


def _marks(lines: Sequence[Line]) -> list[float]:
    """Return 1, 2 and 5 in every power of ten that the lines come through."""
    values = [value for line in lines for value in line.values]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    marks = [step * 10.0**power for power in range(low, high) for step in (1, 2, 5)] + [10.0**high]
    first = max(place for place, mark in enumerate(marks) if mark <= min(values))
    last = min(place for place, mark in enumerate(marks) if mark >= max(values))
    return marks[first : last + 1]


def _described(drawing: bytes, title: str, words: str) -> bytes:
    """Return the drawing with its title, its description, and the colours of a dark page."""
    ElementTree.register_namespace("", SVG)
    root = ElementTree.fromstring(drawing)
    for parent in list(root.iter()):
        for child in list(parent):
            # its own title, and the script of its tooltips
            if child.tag in (f"{{{SVG}}}script", f"{{{SVG}}}title"):
                parent.remove(child)
    root.set("role", "img")
    root.set("aria-labelledby", "title desc")
    for place, (name, text) in enumerate((("title", title), ("desc", words))):
        element = ElementTree.Element(f"{{{SVG}}}{name}", id=name)
        element.text = text
        root.insert(place, element)
    style = ElementTree.SubElement(root, f"{{{SVG}}}style")
    style.text = _DARK
    return ElementTree.tostring(root) + b"\n"
