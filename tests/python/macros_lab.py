"""A dbt project of this repository's macros alone, in a folder of its own, with the models that a test writes."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class MacroLab:
    """Where the project lies, and its database."""

    folder: Path

    @property
    def database(self) -> Path:
        """The DuckDB file that models are built in."""
        return self.folder / "w.duckdb"

    def model(self, name: str, sql: str) -> None:
        """Write a model."""
        (self.folder / "models" / f"{name}.sql").write_text(sql)

    def copy(self, *paths: str) -> None:
        """Bring folders of the repository into the project."""
        for path in paths:
            shutil.copytree(PROJECT / path, self.folder / path, dirs_exist_ok=True)

    def dbt(self, *arguments: str) -> None:
        """Run dbt in this process; a failure shows each node's message."""
        with _environment(BIOSTAR_DUCKDB_PATH=str(self.database)):
            result = dbtRunner().invoke(
                [
                    *arguments,
                    *("--project-dir", str(self.folder), "--profiles-dir", str(PROJECT / "profiles")),
                    *("--target-path", str(self.folder / "target"), "--log-path", str(self.folder / "logs")),
                    "--quiet",
                ]
            )
        DuckDBConnectionManager.close_all_connections()
        gc.collect()  # dbt's last cursor holds the file open, with its own settings
        messages = [
            f"{node.node.name}: {node.message}" for node in getattr(result.result, "results", []) if node.message
        ]
        assert result.success, result.exception or messages

    def compiled(self, pattern: str) -> dict[str, str]:
        """SQL that dbt made, by the name of the file."""
        files = sorted((self.folder / "target" / "compiled").rglob(pattern))
        return {file.stem: file.read_text() for file in files if file.is_file()}


def macro_lab(folder: Path) -> MacroLab:
    """Lay out the project in an empty folder."""
    lab = MacroLab(folder)
    (folder / "models").mkdir()
    text = (PROJECT / "dbt_project.yml").read_text()
    (folder / "dbt_project.yml").write_text(text)
    lab.copy("macros", "tests/generic")
    return lab


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    dropped = ("BIOSTAR_TARGET", "BIOSTAR_SCHEMA_PREFIX", "BIOSTAR_THREADS", "DBT_PROJECT_DIR", "DBT_TARGET_PATH")
    before = dict(os.environ)
    for name in dropped:
        os.environ.pop(name, None)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
