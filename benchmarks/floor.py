"""The physical floor: one DuckDB process, every CSV read once with declared types, each of our tables written once.

    python benchmarks/floor.py LANDING OURS.duckdb

No ledger, no rejects, no history, no keys: what is left is what the disk and the engine must do in any case.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

import duckdb

from biostar.project import project_root


def main(landing: Path, ours: Path) -> None:
    """Read the landing with the types of our staging models, then copy every table of our database."""
    types = staging_types()
    with tempfile.TemporaryDirectory(dir=ours.parent) as folder:
        floor = duckdb.connect(str(Path(folder) / "floor.duckdb"))
        floor.execute("set threads = 2")
        floor.execute("set memory_limit = '2GB'")
        floor.execute("set preserve_insertion_order = false")
        floor.execute("create schema typed")
        floor.execute("create schema copied")
        for table in sorted((landing / "ehr").iterdir()):
            files = [str(path) for path in table.rglob("*.csv*")]
            header = floor.read_csv(files[:1], all_varchar=True).columns
            declared = {column: types.get((table.name, column.lower()), "varchar") for column in header}
            floor.execute(
                f"create table typed.{table.name} as"
                " from read_csv($files, header = true, nullstr = ['', 'NaN'], columns = $columns)",
                {"files": files, "columns": declared},
            )
        floor.execute(f"attach '{ours}' as ours (read_only)")
        for schema, name in floor.execute(
            "select schema_name, table_name from duckdb_tables()"
            " where database_name = 'ours' and not starts_with(schema_name, 'raw_')"
        ).fetchall():
            floor.execute(f"create table copied.{schema}_{name} as from ours.{schema}.{name}")
        floor.close()


def staging_types() -> dict[tuple[str, str], str]:
    """What our base models cast each raw column to: (table, column) → DuckDB type; all others stay text."""
    found: dict[tuple[str, str], str] = {}
    kinds = {"safe_timestamp": "timestamp", "safe_date": "date", "safe_integer": "integer"}
    for model in (project_root() / "models/staging/ehr/base").glob("base_ehr__*.sql"):
        table = model.stem.removeprefix("base_ehr__")
        for macro, column in re.findall(r"(safe_timestamp|safe_date|safe_integer)\('(\w+)'\)", model.read_text()):
            found[(table, column)] = kinds[macro]
        for column, precision in re.findall(r"safe_numeric\('(\w+)', (\d+, \d+)\)", model.read_text()):
            found[(table, column)] = f"decimal({precision})"
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
