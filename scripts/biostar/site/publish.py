"""Write the docs site as one file."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

from biostar.build import invoke_dbt
from biostar.errors import ConfigurationError, WarehouseError
from biostar.project import dbt_target_dir, target_name
from biostar.site.stars import bus_matrix, diagrams, read_stars

PLACEHOLDERS = {"[bus matrix]": bus_matrix, "[star diagrams]": diagrams}
"""What the overview page holds in the source, and what makes the text that stands there in the site."""


@dataclass(frozen=True)
class Site:
    """The one file of the site, its size in bytes, the number of stars drawn, and the seconds it took."""

    path: Path
    size: int
    stars: int
    seconds: float


def publish(target: str | None = None) -> Site:
    """Generate dbt's docs as one file and put the diagrams into its overview page.

    Raises:
        ConfigurationError: the project cannot be parsed, or its overview page lacks a placeholder.
        WarehouseError: the catalog of the warehouse cannot be read.
    """
    began = time.perf_counter()
    outcome = invoke_dbt(["docs", "generate", "--static", "--target", target_name(target)])
    page = dbt_target_dir() / "static_index.html"
    if not outcome.success or not page.is_file():
        raise WarehouseError(
            f"dbt could not read the catalog of target '{target_name(target)}'",
            undone=f"'{page}' was not written",
            next_step="biostar build, then the same command again",
        )
    stars = read_stars(json.loads((dbt_target_dir() / "manifest.json").read_text()))
    html = page.read_text()
    for placeholder, make in PLACEHOLDERS.items():
        if placeholder not in html:
            raise ConfigurationError(
                f"the overview page has no '{placeholder}'",
                undone="the site has no diagrams",
                next_step="put the words back into docs/overview.md",
            )
        # The page carries the manifest as JSON, so what is put into it is written as the inside of a JSON string.
        html = html.replace(placeholder, json.dumps(make(stars))[1:-1])
    page.write_text(html)
    return Site(page, page.stat().st_size, len(stars), time.perf_counter() - began)
