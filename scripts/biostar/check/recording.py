"""What dbt really sends: a build against a driver that writes every statement down and runs none.

Hooks, and the statements of dbt's materializations, exist only while dbt runs. So dbt runs, with its own Redshift
adapter, and `redshift_connector.connect` gives it a connection that answers as an empty warehouse would (first pass)
or as one where every model has been built (second pass, so that incremental models take their other way). Nothing is
connected to; the answers come from the manifest. What is recorded goes through the gate in its order, with the
transactions that dbt opens.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from biostar.check.lexer import tokenize
from biostar.check.meaning import origin_of, output_columns, type_text
from biostar.check.query import parse
from biostar.errors import ConfigurationError

_OIDS = {
    "bigint": 20,
    "integer": 23,
    "int": 23,
    "smallint": 21,
    "numeric": 1700,
    "decimal": 1700,
    "double precision": 701,
    "real": 700,
    "boolean": 16,
    "date": 1082,
    "timestamp": 1114,
    "timestamptz": 1184,
    "char": 1042,
    "varchar": 1043,
    "character varying": 1043,
    "super": 4000,
}
_NODE = re.compile(r'"node_id":\s*"([^"]+)"')
_TABLE_NAME = re.compile(r"table_name\s*=\s*'([^']+)'", re.IGNORECASE)
_SCHEMA_NAME = re.compile(r"table_schema\s+ilike\s+'([^']+)'", re.IGNORECASE)
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_WATERMARK = re.compile(r"^select\s+(coalesce\(\s*)?(max|count)\(")
_TEMPORARY = re.compile(r"__dbt_(tmp|backup|temp)\w*$")
_STANDS_IN = {
    "BIOSTAR_REDSHIFT_METHOD": "database",
    "BIOSTAR_REDSHIFT_HOST": "localhost",
    "BIOSTAR_REDSHIFT_USER": "nobody",
    "BIOSTAR_REDSHIFT_PASSWORD": "nothing is connected to",
    "BIOSTAR_REDSHIFT_WORKGROUP": "",
}
Description = list[tuple[str, int, None, None, None, None, None]]


@dataclass(frozen=True)
class Sent:
    """One statement that dbt sent: for which node, and on which connection."""

    node: str
    connection: int
    sql: str


@dataclass
class Recorder:
    """The warehouse that isn't there."""

    manifest: Mapping[str, Any]
    built: bool
    sent: list[Sent] = field(default_factory=list)
    connections: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def connect(self, **_: object) -> _Connection:
        """Stands in for redshift_connector.connect."""
        with self.lock:
            self.connections += 1
            return _Connection(self, self.connections)

    def answer(self, connection: int, sql: str) -> tuple[Description, list[tuple[Any, ...]]]:
        """Write a statement down and say what an empty, or a built, warehouse says."""
        found = _NODE.search(sql)
        node_id = found.group(1) if found else ""
        with self.lock:
            self.sent.append(Sent(node_id, connection, sql))
        low = sql.lower()
        if "pg_backend_pid" in low:
            return _described(["pg_backend_pid"], 23), [(connection,)]
        if "as should_error" in low:
            return [("failures", 20, *_NONE), ("should_warn", 16, *_NONE), ("should_error", 16, *_NONE)], [
                (0, False, False)
            ]
        if "from information_schema.tables" in low and "information_schema.views" in low:
            return _described(["database", "name", "schema", "type"], 1043), list(self._relations(sql))
        if "bound_views" in low:
            names = ["column_name", "data_type", "character_maximum_length", "numeric_precision", "numeric_scale"]
            description: Description = [(name, 1043 if i < 2 else 23, *_NONE) for i, name in enumerate(names)]
            return description, list(self._columns(sql))
        if "where false" in low:
            return self._describe(node_id, sql), []
        if _WATERMARK.match(_COMMENT.sub("", low).strip()):
            return _described(["watermark"], 20), [(0,)]
        return _described(["nothing"], 1043), []

    def _relations(self, sql: str) -> Iterator[tuple[str, str, str, str]]:
        schema = _SCHEMA_NAME.search(sql)
        if not self.built or schema is None:
            return
        for node in self.manifest["nodes"].values():
            kind = (node.get("config") or {}).get("materialized")
            if node["resource_type"] not in {"model", "seed", "snapshot"} or node["schema"] != schema.group(1):
                continue
            if kind not in {"ephemeral", None}:
                is_view = kind == "view"
                yield (
                    node["database"],
                    node.get("alias") or node["name"],
                    node["schema"],
                    "view" if is_view else "table",
                )

    def _columns(self, sql: str) -> Iterator[tuple[str, str, int | None, int | None, int | None]]:
        wanted = _TABLE_NAME.search(sql)
        name = _TEMPORARY.sub("", wanted.group(1)) if wanted else ""
        for node in self.manifest["nodes"].values():
            if (node.get("alias") or node["name"]) != name:
                continue
            for column in self._columns_of(node):
                kind, numbers = _parts(column.get("data_type") or "varchar(256)")
                text = kind in {"varchar", "char", "character varying"}
                numeric = kind in {"numeric", "decimal"}
                yield (
                    column["name"].strip('"'),
                    "character varying" if kind == "varchar" else kind,
                    numbers[0] if text and numbers else None,
                    numbers[0] if numeric and numbers else None,
                    numbers[1] if numeric and len(numbers) > 1 else None,
                )
            return

    def _columns_of(self, node: dict[str, Any]) -> list[dict[str, Any]]:
        """The declared columns; of a snapshot those of the relation that it watches, and dbt's own."""
        declared = node["columns"].values()
        if node["resource_type"] != "snapshot":
            return list(declared)
        parents = (self.manifest["nodes"].get(parent) or {"columns": {}} for parent in node["depends_on"]["nodes"])
        watched = [column for parent in parents for column in parent["columns"].values()]
        return list({column["name"]: column for column in [*watched, *declared, *_SNAPSHOT_COLUMNS]}.values())

    def _describe(self, node_id: str, sql: str) -> Description:
        """Names and types of an empty query: its casts, else what the model's contract declares."""
        tree = parse(tokenize(sql), sql, None)
        node = self.manifest["nodes"].get(node_id) or {"columns": {}}
        declared = {name.strip('"').lower(): column for name, column in node["columns"].items()}
        described: Description = []
        for name, projection, _ in output_columns(tree) if tree is not None else ():
            origin = origin_of(projection)
            to = origin.args.get("to") if origin is not None else None
            text = type_text(to) if to is not None else str(declared.get(name, {}).get("data_type") or "varchar")
            described.append((name, _OIDS.get(_parts(text)[0], 1043), *_NONE))
        return described


_NONE = (None, None, None, None, None)

_SNAPSHOT_COLUMNS = [
    {"name": "dbt_scd_id", "data_type": "varchar(32)"},
    {"name": "dbt_updated_at", "data_type": "timestamp"},
    {"name": "dbt_valid_from", "data_type": "timestamp"},
    {"name": "dbt_valid_to", "data_type": "timestamp"},
]


def _described(names: Sequence[str], oid: int) -> Description:
    return [(name, oid, *_NONE) for name in names]


def _parts(text: str) -> tuple[str, list[int]]:
    bare, _, arguments = text.lower().partition("(")
    return bare.strip(), [int(number) for number in re.findall(r"\d+", arguments)]


class _Cursor:
    def __init__(self, recorder: Recorder, connection: int) -> None:
        self._recorder, self._connection = recorder, connection
        self.description: Description = []
        self._rows: list[tuple[Any, ...]] = []
        self.rowcount = 0

    def __enter__(self) -> _Cursor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def execute(self, sql: str, args: object = None) -> _Cursor:
        if args:
            # Seeds are sent with their values beside the statement; the gate sees a null for each.
            sql = sql.replace("%s", "null")
        self.description, self._rows = self._recorder.answer(self._connection, sql)
        self.rowcount = len(self._rows)
        return self

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._rows[0] if self._rows else None

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self._rows

    def fetchmany(self, count: int) -> list[tuple[Any, ...]]:
        return self._rows[:count]

    def close(self) -> None:
        self._rows = []


class _Connection:
    autocommit = False

    def __init__(self, recorder: Recorder, number: int) -> None:
        self._recorder, self._number = recorder, number

    def cursor(self) -> _Cursor:
        return _Cursor(self._recorder, self._number)

    def commit(self) -> None:
        self._recorder.answer(self._number, "commit")

    def rollback(self) -> None:
        self._recorder.answer(self._number, "rollback")

    def close(self) -> None:
        """Nothing to close."""


@contextmanager
def _driver(recorder: Recorder) -> Iterator[None]:
    """redshift_connector with the recorder in its place, and a profile that needs no secret."""
    import redshift_connector

    real, before = redshift_connector.connect, {name: os.environ.get(name) for name in _STANDS_IN}
    redshift_connector.connect = recorder.connect  # type: ignore[assignment]
    os.environ.update(_STANDS_IN)
    try:
        yield
    finally:
        redshift_connector.connect = real
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def record_builds(manifest: Mapping[str, Any], arguments: Sequence[str]) -> list[Sent]:
    """Everything that dbt sends to build the project into an empty warehouse, then once more into the built one.

    Args:
        manifest: the compiled project.
        arguments: dbt's options for the project, its profiles, and the target path.
    """
    from dbt.cli.main import dbtRunner

    first = ["build", "--exclude-resource-type", "unit_test"]
    again = [
        "build",
        "--select",
        "config.materialized:incremental",
        "resource_type:snapshot",
        "--exclude-resource-type",
    ]
    sent: list[Sent] = []
    for built, verb in ((False, first), (True, [*again, "unit_test", "--exclude-resource-type", "test"])):
        recorder = Recorder(manifest, built)
        with _driver(recorder):
            result = dbtRunner().invoke(["--quiet", *verb, "--target", "redshift", "--threads", "1", *arguments])
        if not result.success:
            raise ConfigurationError(
                f"dbt could not go through the build: {why(result)}",
                undone="what it would have sent was not checked",
                next_step="biostar check, without --sent, and dbt compile --target redshift",
            )
        sent += recorder.sent
    return sent


def why(result: Any) -> str:
    """dbt's own words for a run that failed."""
    if result.exception is not None:
        return " ".join(str(result.exception).split())[:300]
    failed = [node for node in getattr(result.result, "results", []) if str(node.status) in {"error", "fail"}]
    if not failed:
        return "see dbt's log"
    return f"{failed[0].node.name}: {' '.join(str(failed[0].message).split())[:300]}"


def node_name(node_id: str, manifest: Mapping[str, Any]) -> str:
    """The file of a node, as the reports name it."""
    node = manifest["nodes"].get(node_id)
    return f"{node['original_file_path']} (as dbt sends it)" if node else "dbt itself"
