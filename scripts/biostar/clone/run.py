"""Carry a clone out: unload every table of the one target, then let `biostar load` load them into the other.

The files lie as a vendor would deliver them, `<via>/<clone>/round-1/ehr/<table>/ingest_date=…/`, so that the loader,
its ledger and its rejects do in the other target what they do anywhere, and the models build there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biostar.clone.plan import ClonePlan, PlannedTable
from biostar.contracts import RawTable, Source
from biostar.errors import BiostarError, DataError, UsageError, WarehouseError
from biostar.project import duckdb_path
from biostar.unload import Options, open_engine, unload
from biostar.unload.engine import Engine
from biostar.unload.run import new_run, now
from biostar.warehouse import quote_identifier

Progress = Callable[[str, int], None]
"""Called with the name of each table and its rows, when it is unloaded."""

LOAD_SECONDS = 24 * 3600
"""A load that takes longer hangs."""

_LOAD = "import sys; from biostar.cli import main; sys.exit(main())"


@dataclass(frozen=True)
class Target:
    """One end of a clone.

    Attributes:
        name: duckdb, standin or redshift.
        database: the file, for DuckDB.
    """

    name: str
    database: Path | None = None

    @property
    def file(self) -> Path | None:
        """The DuckDB file, the default filled in."""
        return (self.database or duckdb_path()).resolve() if self.name == "duckdb" else None


@dataclass(frozen=True)
class Cloned:
    """What was cloned.

    Attributes:
        landing: folder or prefix with the files, which stay.
        rows: rows loaded, by table.
        size: bytes of the files.
        seconds: wall time.
    """

    landing: str
    rows: dict[str, int]
    size: int
    seconds: float

    def as_dict(self) -> dict[str, object]:
        """The result as the JSON document carries it."""
        return {
            "landing": self.landing,
            "rows": self.rows,
            "bytes": self.size,
            "seconds": round(self.seconds, 2),
        }


def check_ends(source: Target, target: Target, via: str) -> None:
    """Refuse ends that cannot be meant.

    Raises:
        UsageError: both are the same, or one of them cannot reach what lies in `via`.
    """
    for end in (source, target):
        if end.database is not None and end.name != "duckdb":
            raise UsageError(f"a database file is given for '{end.name}'", next_step="leave it out")
    if (source.name, source.file) == (target.name, target.file):
        raise UsageError("both ends of the clone are the same", next_step="give another --to or --to-database")
    if not via.startswith("s3://") and {source.name, target.name} != {"duckdb"}:
        raise UsageError(f"only DuckDB can use the folder '{via}'", next_step="give --via s3://bucket/prefix")


def check_empty(target: Target, tables: Sequence[RawTable]) -> None:
    """Refuse to mix a clone with what is there: raw tables only ever grow, so nothing could take it out again.

    Raises:
        UsageError: a table has rows.
    """
    file = target.file
    if file is not None and not file.exists():
        return
    with closing(open_engine(target.name, target.database)) as engine:
        for table in tables:
            if engine.columns(table.schema, table.name):
                name = quote_identifier(table.schema, table.name)
                if int(engine.query(f"select count(*) from {name}")[0][0]):
                    raise UsageError(
                        f"{table.schema}.{table.name} of '{target.name}' has rows already",
                        undone="nothing was cloned",
                        next_step="clone into an empty target: another file, or another BIOSTAR_SCHEMA_PREFIX",
                    )


def clone(
    engine: Engine,
    plan: ClonePlan,
    sources: Sequence[Source],
    target: Target,
    via: str,
    reason: str,
    ledger: RawTable,
    *,
    progress: Progress = lambda table, rows: None,
) -> Cloned:
    """Unload all tables of the plan and load them.

    Args:
        engine: a connection to the source, which is closed before the load begins.
        plan: what.
        sources: all that the project declares.
        target: where to.
        via: folder or s3:// prefix in between.
        reason: why data about persons may go, recorded in the source's unload_ledger.
        ledger: the declared unload_ledger.
        progress: told of each table.

    Raises:
        DataError: what was loaded is not what was unloaded.
        WarehouseError: an end or the store fails.
    """
    began = time.monotonic()
    landing = f"{via.rstrip('/')}/clone-{new_run(now())}"
    landings = {source.name: source.landing or "" for source in sources}
    size = 0
    tables_of_round: dict[int, list[str]] = {}
    expected: dict[str, int] = {}
    for planned in plan.tables:
        if not planned.rows:
            continue
        for number, (folder, subject, partitioned, rows) in _pieces(planned, landings[planned.table.source]):
            options = Options(
                f"{landing}/round-{number}",
                "parquet" if planned.table.file_format == "parquet" else "csv",
                partition_by=("ingest_date",) if partitioned else (),
                reason=reason,
            )
            manifest = f"_manifests/{folder.replace('/', '.')}.json"
            done = unload(engine, subject, options, ledger, folder=folder, manifest=manifest)
            if done.rows != rows:
                raise DataError(
                    f"{planned.table.name} had {rows:,} rows when the clone was planned, and has {done.rows:,} now",
                    undone="nothing was loaded",
                    next_step="clone when nothing is loaded into the source",
                )
            size += done.size
            names = tables_of_round.setdefault(number, [])
            if planned.table.name not in names:
                names.append(planned.table.name)
        expected[planned.table.name] = planned.rows
        progress(planned.table.name, planned.rows)
    engine.close()
    loaded: dict[str, int] = {}
    for number, names in sorted(tables_of_round.items()):
        for table, rows in _load(f"{landing}/round-{number}", names, target).items():
            loaded[table] = loaded.get(table, 0) + rows
    if loaded != expected:
        wrong = sorted(name for name in expected if loaded.get(name) != expected[name])
        raise DataError(
            f"loaded other numbers of rows than were unloaded: {', '.join(wrong)}",
            undone=f"'{target.name}' holds part of the clone",
            next_step=f"see raw_meta.load_rejects of '{target.name}', empty it, then clone again",
        )
    return Cloned(landing, loaded, size, time.monotonic() - began)


def _pieces(planned: PlannedTable, landing: str) -> list[tuple[int, tuple[str, Any, bool, int]]]:
    """What is unloaded of a table: number of the round, folder, subject, whether by day, rows."""
    rounds = planned.rounds()
    home = f"{landing}/{planned.table.name}"
    first = rounds[0]
    only = ""
    if len(rounds) > 1:
        only = f"_load_id in ({', '.join(str(delivery.load_id) for delivery in first)})"
    pieces = [(1, (home, planned.subject(only), True, sum(delivery.rows for delivery in first)))]
    for number, deliveries in enumerate(rounds[1:], start=2):
        for one in deliveries:
            # Another key than the first delivery of the day has: the loader tells objects by their keys.
            folder = f"{home}/ingest_date={one.day}/load-{one.load_id}"
            where = f"_load_id = {one.load_id} and _ingest_date = date '{one.day}'"
            pieces.append((number, (folder, planned.subject(where, dated=False), False, one.rows)))
    return pieces


def _load(
    landing: str, tables: Sequence[str], target: Target, environment: Mapping[str, str] = os.environ
) -> dict[str, int]:
    """Run `biostar load` in a process of its own, as its user would; rows loaded by table."""
    own = {**environment, "BIOSTAR_TARGET": target.name}
    if target.file is not None:
        own["BIOSTAR_DUCKDB_PATH"] = str(target.file)
    command = [sys.executable, "-c", _LOAD, "load", "--landing", landing, "--tables", ",".join(tables), "--json"]
    done = subprocess.run(command, env=own, stdout=subprocess.PIPE, text=True, timeout=LOAD_SECONDS, check=False)
    try:
        document = json.loads(done.stdout)
    except ValueError:
        document = {}
    if done.returncode or "batches" not in document:
        raise _failed(target, landing, done.returncode, document)
    rows: dict[str, int] = {}
    for batch in document["batches"]:
        rows[batch["table"]] = rows.get(batch["table"], 0) + int(batch["rows_loaded"])
    return rows


def _failed(target: Target, landing: str, code: int, document: Mapping[str, Any]) -> BiostarError:
    kind = DataError if code == DataError.exit_code else WarehouseError
    words = document.get("message") or f"exit code {code}"
    return kind(
        f"the load into '{target.name}' failed: {words}",
        undone=f"what is unloaded lies in '{landing}'",
        next_step=f"biostar load --landing {landing} --target {target.name}",
    )
