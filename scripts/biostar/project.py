"""Where the project is, and where it keeps things: the same for every verb, whatever folder it is typed in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from biostar.errors import ConfigurationError

MARKER = "dbt_project.yml"


def project_root(start: Path | None = None, environment: Mapping[str, str] = os.environ) -> Path:
    """The folder of dbt_project.yml: DBT_PROJECT_DIR, else the nearest one upward, else the checkout of this package.

    Raises:
        ConfigurationError: there is none.
    """
    told = environment.get("DBT_PROJECT_DIR")
    if told:
        if (Path(told) / MARKER).is_file():
            return Path(told).resolve()
        raise ConfigurationError(
            f"DBT_PROJECT_DIR is '{told}', which holds no {MARKER}",
            next_step="point DBT_PROJECT_DIR at the project, or unset it and run biostar inside the project",
        )
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents, *Path(__file__).resolve().parents):
        if (folder / MARKER).is_file():
            return folder
    raise ConfigurationError(
        f"no {MARKER} in '{here}' or above it",
        next_step="run biostar inside the project, or set DBT_PROJECT_DIR",
    )


def target_name(given: str | None) -> str:
    """The profile's target: the option, else BIOSTAR_TARGET, else duckdb."""
    return given or os.environ.get("BIOSTAR_TARGET") or "duckdb"


def landing_prefix(given: str | None) -> str:
    """The landing: the option as typed, else BIOSTAR_LANDING or data/landing, a relative one below the project."""
    if given:
        return given
    prefix = os.environ.get("BIOSTAR_LANDING") or "data/landing"
    return prefix if "://" in prefix else str(project_root() / prefix)


def duckdb_path(environment: Mapping[str, str] = os.environ) -> Path:
    """The database of the duckdb target: BIOSTAR_DUCKDB_PATH or data/biostar.duckdb, a relative one below the project.

    dbt resolves the same variable from the project's folder, so all verbs and dbt mean the same file.
    """
    return project_root(environment=environment) / (environment.get("BIOSTAR_DUCKDB_PATH") or "data/biostar.duckdb")


def dbt_target_dir() -> Path:
    """Where dbt writes its artifacts: DBT_TARGET_PATH, else target in the project."""
    return project_root() / os.environ.get("DBT_TARGET_PATH", "target")
