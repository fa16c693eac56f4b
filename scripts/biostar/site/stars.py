"""Diagrams and the bus matrix of the stars, read from dbt's manifest.

Nothing is drawn by hand: a line of a star is a foreign key that a test holds, so a picture cannot be out of date.
The bus matrix (business processes by conformed dimensions) is Kimball's; see The Data Warehouse Toolkit, chapter 4.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any


@dataclass(frozen=True)
class Star:
    """One fact, bridge or measure: the subject it belongs to, its grain in words, and its dimensions."""

    name: str
    subject: str
    grain: str
    dimensions: tuple[str, ...]


def read_stars(manifest: Mapping[str, Any]) -> list[Star]:
    """The stars of the project, by subject and name, from the `foreign_keys` tests in `manifest`."""
    nodes: Mapping[str, Any] = manifest["nodes"]
    stars = []
    for test in nodes.values():
        metadata = test.get("test_metadata") or {}
        if metadata.get("name") != "foreign_keys":
            continue
        model = nodes[test["attached_node"]]
        targets = [str(target) for target in metadata["kwargs"]["keys"].values()]
        names = [match.group(1) for target in targets if (match := re.search(r"ref\(['\"](\w+)['\"]\)", target))]
        dimensions = tuple(dict.fromkeys(name for name in names if name.startswith("dim_")))
        if model["name"].startswith("dim_") or not dimensions:
            continue
        stars.append(Star(model["name"], model["schema"], _grain(model["description"]), dimensions))
    return sorted(stars, key=lambda star: (star.subject, star.name))


def _grain(description: str) -> str:
    sentence = " ".join(description.split()).split(". ")[0].split(";")[0].rstrip(".")
    return sentence.removeprefix("One row per ")


def bus_matrix(stars: list[Star]) -> str:
    """A Markdown table: stars down, conformed dimensions across, a dot where the star has the dimension."""
    dimensions = sorted({dimension for star in stars for dimension in star.dimensions})
    titles = [dimension.removeprefix("dim_").replace("_", " ") for dimension in dimensions]
    lines = ["| star | one row per | " + " | ".join(titles) + " |", "|---|---|" + ":-:|" * len(dimensions)]
    for star in stars:
        dots = ["●" if dimension in star.dimensions else "" for dimension in dimensions]
        lines.append(f"| {star.name} | {star.grain} | " + " | ".join(dots) + " |")
    return "\n".join(lines)


def diagrams(stars: list[Star]) -> str:
    """Markdown with one picture per subject; each picture is an SVG inside the page itself."""
    parts = []
    for subject in dict.fromkeys(star.subject for star in stars):
        picture = _subject_svg([star for star in stars if star.subject == subject])
        data = base64.b64encode(picture.encode()).decode()
        parts.append(f"### {subject}\n\n![Stars of the subject {subject}](data:image/svg+xml;base64,{data})")
    return "\n\n".join(parts)


WIDTH, HEIGHT, COLUMNS = 400, 300, 2


def _subject_svg(stars: list[Star]) -> str:
    rows = math.ceil(len(stars) / COLUMNS)
    columns = min(COLUMNS, len(stars))
    cells = [
        f'<g transform="translate({index % COLUMNS * WIDTH},{index // COLUMNS * HEIGHT})">{_star_svg(star)}</g>'
        for index, star in enumerate(stars)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{columns * WIDTH}" height="{rows * HEIGHT}" '
        f'font-family="Helvetica, Arial, sans-serif" font-size="11">{"".join(cells)}</svg>'
    )


def _star_svg(star: Star) -> str:
    centre_x, centre_y = WIDTH / 2, HEIGHT / 2
    lines, boxes = [], []
    for index, dimension in enumerate(star.dimensions):
        angle = 2 * math.pi * index / len(star.dimensions) - math.pi / 2
        x, y = centre_x + 135 * math.cos(angle), centre_y + 112 * math.sin(angle)
        lines.append(f'<line x1="{centre_x}" y1="{centre_y}" x2="{x:.0f}" y2="{y:.0f}" stroke="#9aa5b1"/>')
        boxes.append(_box(x, y, dimension, "#eef4fb", "#3b6ea5"))
    centre = _box(centre_x, centre_y, star.name, "#fff4e0", "#c77700", bold=True)
    return "".join(lines) + "".join(boxes) + centre


def _box(x: float, y: float, text: str, fill: str, stroke: str, bold: bool = False) -> str:
    width = 6.6 * len(text) + 14
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<rect x="{x - width / 2:.0f}" y="{y - 12:.0f}" width="{width:.0f}" height="24" rx="4" '
        f'fill="{fill}" stroke="{stroke}"/>'
        f'<text x="{x:.0f}" y="{y + 4:.0f}" text-anchor="middle"{weight}>{escape(text)}</text>'
    )
