"""Where the project lies: the declarations are read from it, whatever folder a command is typed in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from biostar.errors import ConfigurationError

MARKER = "dbt_project.yml"


def find_project(start: Path | None = None, environment: Mapping[str, str] = os.environ) -> Path:
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
