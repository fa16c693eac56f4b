"""`biostar docs`."""

from __future__ import annotations

import click

from biostar.cli.output import console, json_option, print_json
from biostar.site import publish


@click.command(
    epilog="""\b
Example:
  biostar docs && open target/static_index.html
"""
)
@click.option("--target", help="Target of the profile [BIOSTAR_TARGET, else duckdb].")
@json_option
def command(target: str | None, as_json: bool) -> None:
    """Write the docs site as one file that opens without a server: stars, columns, lineage, tests."""
    with console.status("reading the catalog"):
        site = publish(target)
    if as_json:
        print_json({"path": str(site.path), "bytes": site.size, "stars": site.stars, "seconds": site.seconds})
    console.print(f"{site.path}  {site.size / 1e6:.1f} MB, {site.stars} stars, {site.seconds:.1f} s", markup=False)
    console.print("next: open it in a browser")
