"""One landing in S3, loaded into DuckDB and into the stand-in, to be compared."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import duckdb
import pytest
import redshift_connector

from biostar.standin import StandIn
from biostar.warehouse.redshift_warehouse import RedshiftWarehouse
from conftest import DAY, PROJECT, S3_KEYS, Outcome
from conftest import Lab as FolderLab
from conftest import make_project as make_small_project

BOOKS = {
    "load_ledger": "load_id, source_name, table_name, object_key, object_etag, object_bytes, ingest_date,"
    " header_fingerprint, rows_read, rows_loaded, rows_rejected, file_format",
    "load_rejects": "load_id, source_name, table_name, object_key, line_number, column_name, error_code, error_reason,"
    " value_length",
}
CONDITIONS = """
      - name: conditions
        config: {meta: {natural_key: [patient]}}
        columns:
          - {name: start, data_type: varchar(32)}
          - {name: stop, data_type: varchar(32)}
          - {name: patient, data_type: varchar(64)}
          - {name: encounter, data_type: varchar(64)}
          - {name: code, data_type: varchar(32)}
          - {name: description, data_type: varchar(512)}
"""
HEADER = "START,STOP,PATIENT,ENCOUNTER,CODE,DESCRIPTION\n"
Rows = list[tuple[Any, ...]]
_numbers = itertools.count()


def make_project(root: Path, tables: str = CONDITIONS) -> Path:
    """A project of a few tables: to make all eighteen in the stand-in takes longer than to load one."""
    return make_small_project(
        root,
        "sources:\n  - name: raw_ehr\n    schema: \"{{ env_var('BIOSTAR_SCHEMA_PREFIX', '') }}raw_ehr\"\n"
        f"    config: {{meta: {{landing: ehr}}}}\n    tables:{tables}",
    )


@dataclass
class RedshiftLab:
    """A prefix of a bucket, a schema prefix of its own on the stand-in, and a DuckDB file."""

    standin: StandIn
    database: Path
    capsys: pytest.CaptureFixture[str]
    prefix: str = field(default_factory=lambda: f"rs{next(_numbers)}")

    def __post_init__(self) -> None:
        self.s3: Any = boto3.client("s3", endpoint_url=self.standin.settings.s3_endpoint, **S3_KEYS)

    @property
    def landing(self) -> str:
        return f"s3://lake/{self.prefix}/landing"

    def put(self, table: str, content: bytes | str, *, day: str = DAY, name: str = "part.csv") -> str:
        """Deliver an object."""
        return self.put_key(f"ehr/{table}/ingest_date={day}/{name}", content)

    def put_key(self, key: str, content: bytes | str) -> str:
        body = content.encode() if isinstance(content, str) else content
        self.s3.put_object(Bucket="lake", Key=f"{self.prefix}/landing/{key}", Body=body)
        return key

    def keys(self, folder: str = "") -> list[str]:
        """Keys below the landing."""
        found = self.s3.list_objects_v2(Bucket="lake", Prefix=f"{self.prefix}/landing/{folder}").get("Contents", [])
        return [entry["Key"].removeprefix(f"{self.prefix}/landing/") for entry in found]

    def run(self, *arguments: str) -> Outcome:
        """Run a verb with --json in this process."""
        return FolderLab.run(self, *arguments)  # type: ignore[arg-type]

    def load(self, *arguments: str, target: str = "standin") -> Outcome:
        """Run `biostar load`."""
        return self.run("load", "--target", target, *arguments)

    def schema(self, name: str) -> str:
        return f"{self.prefix}_{name}"

    def execute(self, sql: str) -> None:
        """Send the stand-in a statement and commit it."""
        with closing(redshift_connector.connect(**self.standin.connection)) as session:
            session.autocommit = True
            session.cursor().execute(sql)

    def query(self, sql: str, target: str = "standin") -> list[tuple[Any, ...]]:
        """Ask a target; `{raw}` and `{meta}` stand for the schemas."""
        sql = sql.format(raw=self.schema("raw_ehr"), meta=self.schema("raw_meta"))
        if target == "duckdb":
            with duckdb.connect(str(self.database), read_only=True) as connection:
                return connection.execute(sql).fetchall()
        with closing(redshift_connector.connect(**self.standin.connection)) as session:
            cursor = session.cursor()
            cursor.execute(sql)
            return [tuple(row) for row in cursor.fetchall()]

    def everything(self, target: str) -> dict[str, list[tuple[Any, ...]]]:
        """All rows of the raw tables and the books, in an order that does not depend on the engine."""
        tables = self.query("select distinct table_name from {meta}.load_ledger", target)
        columns = {
            name: ", ".join(
                f'"{column}"'
                for (column,) in self.query(
                    "select column_name from information_schema.columns where table_schema = '{raw}'"
                    f" and table_name = '{name}' order by ordinal_position",
                    target,
                )
                if column != "_loaded_at"
            )
            for (name,) in tables
        }
        found = {name: self.query(f"select {listed} from {{raw}}.{name}", target) for name, listed in columns.items()}
        found |= {name: self.query(f"select {listed} from {{meta}}.{name}", target) for name, listed in BOOKS.items()}
        return {name: sorted(rows, key=repr) for name, rows in found.items()}


def make_lab(
    standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> RedshiftLab:
    """A lab whose environment is set for both targets."""
    lab = RedshiftLab(standin, tmp_path / "w.duckdb", capsys)
    for name in ("BIOSTAR_TARGET", "BIOSTAR_DUCKDB_MEMORY", "BIOSTAR_THREADS", "BIOSTAR_SCRATCH", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("BIOSTAR_REDSHIFT_IAM_ROLE", raising=False)
    for name, value in {
        "DBT_PROJECT_DIR": PROJECT,
        "DBT_PROFILES_DIR": PROJECT / "profiles",
        "BIOSTAR_LANDING": lab.landing,
        "BIOSTAR_DUCKDB_PATH": lab.database,
        "BIOSTAR_SCHEMA_PREFIX": f"{lab.prefix}_",
        "BIOSTAR_STANDIN_PORT": standin.settings.port,
        "AWS_ENDPOINT_URL": standin.settings.s3_endpoint,
        "AWS_ACCESS_KEY_ID": S3_KEYS["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": S3_KEYS["aws_secret_access_key"],
        "AWS_DEFAULT_REGION": S3_KEYS["region_name"],
    }.items():
        monkeypatch.setenv(name, str(value))
    return lab


def deliver(lab: RedshiftLab, count: int) -> list[str]:
    """Objects of three records each, with a patient of its own."""
    return [
        lab.put("conditions", HEADER + f"2020-01-01,,p{number},e,1,d\n" * 3, name=f"{number:02}.csv")
        for number in range(count)
    ]


@contextmanager
def tampered(
    *,
    query: Callable[[str, Rows], Rows] = lambda sql, rows: rows,
    after: Callable[[RedshiftWarehouse, str], None] = lambda warehouse, sql: None,
) -> Iterator[None]:
    """Change what queries answer, and do something after each statement."""
    real_query, real_execute = RedshiftWarehouse.query, RedshiftWarehouse.execute

    def ask(self: RedshiftWarehouse, sql: str, values: Sequence[Any] = ()) -> Rows:
        return query(sql, real_query(self, sql, values))

    def send(self: RedshiftWarehouse, sql: str, values: Sequence[Any] = ()) -> None:
        real_execute(self, sql, values)
        if not sql.startswith("delete"):
            after(self, sql)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RedshiftWarehouse, "query", ask)
        patch.setattr(RedshiftWarehouse, "execute", send)
        yield


def lose_rows(warehouse: RedshiftWarehouse, sql: str) -> None:
    """Take the rows of the second object out of the temporary table that a COPY has filled."""
    copied = re.search(r'copy ("biostar_stage_\w+")', sql)
    if copied:
        warehouse.execute(f"delete from {copied[1]} where patient = 'p1'")


def assert_refused(lab: RedshiftLab, *words: str, target: str = "standin", code: int = 5) -> None:
    """The load fails with these words, and nothing of it is there."""
    outcome = lab.load(target=target)
    assert outcome.code == code, outcome.document
    said = " ".join(failure["message"] for failure in outcome.document["failures"])
    for word in words:
        assert word in said, said
    assert lab.query("select count(*) from {raw}.conditions", target) == [(0,)]
    assert lab.query("select count(*) from {meta}.load_ledger", target) == [(0,)]
    assert lab.keys("_biostar") == []


def assert_loads_now(lab: RedshiftLab, rows: int, target: str = "standin") -> None:
    """Without the fault it is all there, once."""
    assert lab.load(target=target).code == 0
    assert lab.query("select count(*), count(distinct patient) from {raw}.conditions", target) == [(rows, rows // 3)]
