"""Where the project is, and how its parts reach dbt: in this process, once imported."""

from __future__ import annotations

import os
from pathlib import Path

from biostar.errors import ConfigurationError


def project_root() -> Path:
    """The folder of dbt_project.yml: the working directory or one above it, else the checkout of this package.

    Raises:
        ConfigurationError: there is none.
    """
    here = Path.cwd()
    for folder in (here, *here.parents, Path(__file__).resolve().parents[2]):
        if (folder / "dbt_project.yml").is_file():
            return folder
    raise ConfigurationError(
        f"no dbt_project.yml in '{here}' or above it",
        next_step="change into the checkout of biostar, then run the same command again",
    )


def target_name(given: str | None) -> str:
    """The profile's target: the option, else BIOSTAR_TARGET, else duckdb."""
    return given or os.environ.get("BIOSTAR_TARGET") or "duckdb"


def duckdb_path() -> Path:
    """The database file of the duckdb target: BIOSTAR_DUCKDB_PATH, else data/biostar.duckdb in the project."""
    return project_root() / os.environ.get("BIOSTAR_DUCKDB_PATH", "data/biostar.duckdb")


def dbt_target_dir() -> Path:
    """Where dbt writes its artifacts: DBT_TARGET_PATH, else target in the project."""
    return project_root() / os.environ.get("DBT_TARGET_PATH", "target")
