"""A project of its own with tables in other formats and layouts, and a folder to deliver them to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from conftest import Lab, Outcome, make_project


@dataclass
class FormatsLab:
    """Tables by name in a source `other`, whose folder is `other`."""

    lab: Lab
    project: Path

    def declare(self, *tables: str, source: str = "") -> None:
        """Declare tables, each as the lines of YAML below `tables:`."""
        text = f"sources:\n  - name: raw_other\n    config: {{meta: {{landing: other{source}}}}}\n    tables:\n"
        path = self.project / "models/staging/other/_other__sources.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "".join(tables))

    def put(self, key: str, content: bytes | str) -> Path:
        """Deliver an object below the folder of the source."""
        path = self.lab.landing / "other" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def load(self, *arguments: str) -> Outcome:
        """Run `biostar load`."""
        return self.lab.load(*arguments)

    def rows(self, table: str, columns: str = "*", order: str = "1, 2") -> list[tuple[Any, ...]]:
        """Rows of a raw table."""
        return self.lab.query(f"select {columns} from raw_other.{table} order by {order}")

    def rejects(self) -> list[tuple[Any, ...]]:
        """Line, column, code and reason of each reject."""
        return self.lab.query(
            "select line_number, column_name, error_code, error_reason from raw_meta.load_rejects"
            " order by object_key, line_number"
        )

    def kept_lines(self) -> list[tuple[Any, ...]]:
        """Line and text of what is kept of each reject."""
        return self.lab.query("select line_number, raw_line from raw_restricted.load_reject_lines order by 1")


def declared(name: str, *columns: str, **meta: str) -> str:
    """The YAML of a table; a column is `name type` and, after a blank, its meta."""
    told = "".join(f", {key}: {value}" for key, value in ({"natural_key": "[id]"} | meta).items())[2:]
    lines = [f"      - name: {name}\n        config: {{meta: {{{told}}}}}\n        columns:\n"]
    for column in columns:
        column_name, data_type, *more = column.split(" ", 2)
        config = f", config: {{meta: {{{more[0]}}}}}" if more else ""
        lines.append(f"          - {{name: {column_name}, data_type: {data_type}{config}}}\n")
    return "".join(lines)


def make_formats_lab(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FormatsLab:
    """A lab whose project declares the loader's books and nothing else yet."""
    root = make_project(tmp_path / "project")
    monkeypatch.setenv("DBT_PROJECT_DIR", str(root))
    return FormatsLab(lab, root)
