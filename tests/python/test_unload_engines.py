"""DuckDB and the stand-in write the same rows, types, partitions and manifest; what went out is what UNLOAD says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import boto3
import duckdb
import pytest
import redshift_connector
import yaml

from biostar.contracts import read_sources
from biostar.errors import DataError, UsageError, WarehouseError
from biostar.standin import StandIn
from biostar.unload import Options, Subject, Unloaded, open_engine, unload
from biostar.unload.ledger import ledger_table
from biostar.unload.readback import connect_to
from biostar.unload.redshift_engine import RedshiftEngine
from biostar.unload.store import open_store
from biostar.unload.subjects import model_subject, raw_subject
from conftest import PROJECT, S3_KEYS
from test_parity_engines import WORDS

TYPES = {
    "id": "integer",
    "small": "smallint",
    "large": "bigint",
    "amount": "numeric(18,2)",
    "precise": "numeric(38,10)",
    "ratio": "double precision",
    "share": "real",
    "flag": "boolean",
    "day": "date",
    "moment": "timestamp",
    "instant": "timestamptz",
    "name": "varchar(64)",
    "story": "varchar(2000)",
    "code": "char(8)",
    "kind": "varchar(16)",
}
MODEL = "dim_date"
ROWS = 60


def value_of(name: str, kind: str, number: int) -> Any:
    """A value of a type, null for each seventh row; the partition column has a null and hostile texts."""
    if name == "kind":
        return [None, "a", "b c", "x/y=z", "ü%"][number % 5]
    if name != "id" and number % 7 == 3:
        return None
    if kind.startswith(("varchar", "char")):
        text = WORDS[number % len(WORDS)].replace("\x1f", "\x1e")
        return f"{text.strip()[:3]}x" if kind.startswith("char") else text
    base = kind.partition("(")[0]
    made: dict[str, Any] = {
        "smallint": number - 30,
        "integer": number,
        "bigint": (number - 30) * 10**16,
        "numeric": Decimal(number * 101 - 999).scaleb(-2),
        "double precision": [0.0, -2.5e-7, 0.1 + 0.2, 1e15, 123456789.125][number % 5],
        "real": [0.5, -3.0, 1e10][number % 3],
        "boolean": number % 2 == 0,
        "date": date(1900, 1, 1) + timedelta(days=number * 1000),
        "timestamp": datetime(1969, 12, 31, 23, 59, 59, [0, 1, 123456][number % 3]) + timedelta(days=number * 700),
        "timestamptz": datetime(2024, 2, 8, 1, 2, 3) + timedelta(hours=number * 13),
    }
    return made[base]


@pytest.fixture(scope="module")
def subjects() -> dict[str, Subject]:
    """A table of every type, a raw table and a mart, the latter two as they are declared."""
    # What dbt's manifest says of the model stands in its YAML; dbt itself takes eight seconds to say it.
    (model,) = yaml.safe_load((PROJECT / "models/marts/core" / f"{MODEL}.yml").read_text(encoding="utf-8"))["models"]
    columns = {column["name"]: column for column in model["columns"]}
    node = {"name": MODEL, "schema": "un", "alias": MODEL, "resource_type": "model", "config": {}, "columns": columns}
    every = Subject(
        "every_type", "un", "every_type", declared=tuple(TYPES.items()), phi=tuple((name, "none") for name in TYPES)
    )
    raw = raw_subject("raw_ehr.payers", read_sources(PROJECT))
    assert raw is not None
    # In schemas of their own, so that no other test meets them.
    return {
        "every": every,
        "raw": replace(raw, schema="un"),
        "mart": model_subject(MODEL, {"nodes": {MODEL: node}}),
    }


@pytest.fixture(scope="module")
def filled(subjects: dict[str, Subject], standin: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The same rows in a DuckDB file and in the stand-in."""
    file = tmp_path_factory.mktemp("unload") / "w.duckdb"
    with (
        duckdb.connect(str(file)) as local,
        closing(redshift_connector.connect(**standin.connection)) as warehouse,
    ):
        warehouse.autocommit = True
        cursor = warehouse.cursor()
        cursor.paramstyle = "qmark"
        local.execute("set TimeZone = 'UTC'; create schema un")
        cursor.execute("create schema un")
        for subject in subjects.values():
            kinds = dict(subject.declared)
            listed = ", ".join(f'"{name}" {kind}' for name, kind in kinds.items())
            local.execute(f"create table un.{subject.table} ({listed.replace('char(8)', 'varchar')})")
            cursor.execute(f"create table un.{subject.table} ({listed})")
            data = [[value_of(name, kind, number) for name, kind in kinds.items()] for number in range(ROWS)]
            marks = ", ".join("?" for _ in kinds)
            local.executemany(f"insert into un.{subject.table} values ({marks})", data)
            casts = ", ".join(f"cast(? as {kind})" for kind in kinds.values())
            cursor.execute(
                f"insert into un.{subject.table} values " + ", ".join(f"({casts})" for _ in data),
                [None if value is None else str(value) for row in data for value in row],
            )
        local.close()
        yield file
        cursor.execute("drop schema un cascade")


@pytest.fixture
def lake(standin: StandIn, monkeypatch: pytest.MonkeyPatch, s3_endpoint: str) -> Callable[[str], str]:
    """An address in S3 for a name; credentials and port as a user would set them."""
    monkeypatch.setenv("DBT_PROJECT_DIR", str(PROJECT))
    monkeypatch.setenv("BIOSTAR_STANDIN_PORT", str(standin.settings.port))
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", S3_KEYS["aws_access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", S3_KEYS["aws_secret_access_key"])
    monkeypatch.setenv("AWS_DEFAULT_REGION", S3_KEYS["region_name"])
    monkeypatch.delenv("BIOSTAR_REDSHIFT_IAM_ROLE", raising=False)
    return lambda name: f"s3://lake/unload-engines/{name}"


def run(target: str, database: Path, subject: Subject, options: Options, **more: Any) -> Unloaded:
    ledger = ledger_table(read_sources(PROJECT))
    with closing(open_engine(target, database if target == "duckdb" else None)) as engine:
        return unload(engine, subject, options, ledger, **more)


def manifest_of(to: str) -> dict[str, Any]:
    found = open_store(to).read("manifest.json")
    assert found is not None
    document: dict[str, Any] = json.loads(found[0])
    return document


def read_files(to: str, file_format: str) -> tuple[list[tuple[Any, ...]], list[tuple[str, str]]]:
    """All rows, sorted by their texts, and the columns with their types, by a reader that knows nothing of ours."""
    store = open_store(to)
    urls = [entry["url"] for entry in manifest_of(to)["entries"]]
    with duckdb.connect() as connection:
        connect_to(connection, store.settings())
        reader = "read_parquet" if file_format == "parquet" else "read_csv"
        more = "" if file_format == "parquet" else ", all_varchar = true, header = true"
        scan = f"{reader}({urls!r}, hive_partitioning = true, hive_types_autocast = false{more})"
        kinds = [(row[0], row[1]) for row in connection.execute(f"describe from {scan}").fetchall()]
        names = sorted(name for name, _ in kinds)
        rows = connection.execute(f"select {', '.join(names)} from {scan}").fetchall()
    return sorted(rows, key=repr), sorted(kinds)


@pytest.mark.parametrize(
    ("which", "file_format", "partition_by"),
    [
        ("every", "parquet", ("kind", "flag")),
        ("every", "csv", ("kind",)),
        ("raw", "parquet", ()),
        ("raw", "csv", ()),
        ("mart", "parquet", ("is_weekend",)),
        ("mart", "csv", ("is_weekend",)),
    ],
)
def test_both_engines_write_the_same(
    which: str,
    file_format: Any,
    partition_by: tuple[str, ...],
    subjects: dict[str, Subject],
    filled: Path,
    lake: Callable[[str], str],
) -> None:
    seen = []
    subject = subjects[which]
    for target in ("duckdb", "standin"):
        to = lake(f"{which}-{file_format}-{target}")
        result = run(target, filled, subject, Options(to, file_format, partition_by=partition_by))
        assert (result.rows, result.manifest) == (ROWS, f"{to}/manifest.json")
        manifest = manifest_of(to)
        rows, kinds = read_files(to, file_format)
        assert len(rows) == ROWS == manifest["meta"]["record_count"]
        folders = {}
        for entry in manifest["entries"]:
            place = entry["url"].removeprefix(f"{to}/{result.run}/").rpartition("/")[0]
            place = unquote(place)  # which characters are escaped is the engine's own; every reader undoes it
            folders[place] = folders.get(place, 0) + entry["meta"]["record_count"]
        if which == "every":  # Redshift's manual warns of lost digits; the stand-in keeps 15
            at = [sorted(name for name, _ in kinds).index(name) for name in ("ratio", "share")]
            rows = sorted(
                (
                    tuple(f"{float(v):.12g}" if n in at and v is not None else v for n, v in enumerate(row))
                    for row in rows
                ),
                key=repr,
            )
        types = {element["name"]: element["type"] for element in manifest["schema"]["elements"]}
        if target == "duckdb" and which == "every":
            types["code"] = {"base": "character varying", "max_length": 8}  # DuckDB has no char(8)
        seen.append((rows, kinds, folders, types))
        # Nothing lies in the run's folder but what the manifest lists: no manifest of UNLOAD's own among the data.
        assert sorted(f"{to}/{key}" for key, _ in open_store(to).files(result.run)) == sorted(
            entry["url"] for entry in manifest["entries"]
        )
    assert seen[0][1] == seen[1][1]
    assert seen[0][2] == seen[1][2]
    assert seen[0][3] == seen[1][3]
    assert seen[0][0] == seen[1][0]


def test_the_ledger_names_the_user_and_the_standins_history_the_files(
    subjects: dict[str, Subject], filled: Path, lake: Callable[[str], str], standin: StandIn
) -> None:
    to = lake("ledger")
    personal = replace(subjects["every"], phi=(("name", "direct"), ("id", "none")), columns=("id", "name"))
    with pytest.raises(UsageError, match=r"columns about persons: name \(direct\)"):
        run("standin", filled, personal, Options(to))
    assert open_store(to).folders() == []
    result = run("standin", filled, personal, Options(to, reason="a study"))
    with closing(redshift_connector.connect(**standin.connection)) as session:
        cursor = session.cursor()
        cursor.execute(
            "select user_name, status, relation, column_names, phi_columns, reason, destination, row_count, byte_count,"
            f" manifest from raw_meta.unload_ledger where unload_id = '{result.run}'"
        )
        assert [tuple(row) for row in cursor.fetchall()] == [
            (
                standin.connection["user"],
                "published",
                "every_type",
                "id, name",
                "name (direct)",
                "a study",
                to,
                ROWS,
                result.size,
                f"{to}/manifest.json",
            )
        ]
        cursor.execute(
            "select unloaded_rows, unloaded_files_count, unloaded_files_size from sys_unload_history"
            f" where rtrim(unloaded_location) = '{to}/{result.run}/'"
        )
        assert [tuple(row) for row in cursor.fetchall()] == [(ROWS, result.files, result.size)]


def test_a_bucket_in_another_region_is_named_with_its_region(
    subjects: dict[str, Subject], filled: Path, lake: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    real = RedshiftEngine.execute

    def execute(self: RedshiftEngine, sql: str, values: Sequence[Any] = ()) -> None:
        sent.append(sql)
        real(self, sql, values)

    monkeypatch.setattr(RedshiftEngine, "execute", execute)
    monkeypatch.setenv("BIOSTAR_UNLOAD_REGION", "eu-west-1")
    run("standin", filled, subjects["raw"], Options(lake("region")))
    (statement,) = (sql for sql in sent if " unload (" in sql)
    assert statement.endswith(" region 'eu-west-1'")


def test_a_query_is_unloaded_as_it_was_measured(filled: Path, lake: Callable[[str], str]) -> None:
    # random() would differ between two readings; it is kept once, measured and written from there.
    query = Subject(
        "query",
        query="select id as Number, random() as chance, 'it''s' as word from un.every_type order by 1 limit 9;",
        phi=(("number", "none"), ("chance", "none"), ("word", "none")),
    )
    for target in ("duckdb", "standin"):
        to = lake(f"query-{target}")
        assert run(target, filled, query, Options(to)).rows == 9
        rows, kinds = read_files(to, "parquet")
        assert kinds == [("chance", "DOUBLE"), ("number", "INTEGER"), ("word", "VARCHAR")]
        assert {row[2] for row in rows} == {"it's"}
        with pytest.raises(UsageError):
            run(target, filled, replace(query, query="select 1 as a) as x; drop table un.every_type; --"), Options(to))


def test_files_stay_below_the_size_that_is_asked_for(filled: Path, lake: Callable[[str], str]) -> None:
    size = 5 << 20
    text = "select md5(cast(i as varchar)) || md5(cast(-i as varchar)) as a, cast(i % 2 as integer) as b"
    text += " from range(180000) as t (i)"
    subject = Subject("query", query=text, phi=(("a", "none"), ("b", "none")))
    for file_format, partition_by in (("parquet", ()), ("csv", ("b",))):
        to = lake(f"size-{file_format}-{len(partition_by)}")
        run("duckdb", filled, subject, Options(to, file_format, "none", partition_by, max_file_size=size))  # type: ignore[arg-type]
        lengths = [entry["meta"]["content_length"] for entry in manifest_of(to)["entries"]]
        # An estimate: each of DuckDB's threads finishes what it holds, a mebibyte or so, when the limit is reached.
        assert max(lengths) <= size + (2 << 20)
        assert len(lengths) >= 2 + len(partition_by)


def test_what_s3_holds_is_replaced_in_one_step_and_a_second_writer_is_told(
    subjects: dict[str, Subject], filled: Path, lake: Callable[[str], str]
) -> None:
    to = lake("replace")
    first = run("standin", filled, subjects["raw"], Options(to))
    with pytest.raises(UsageError, match="published already"):
        run("standin", filled, subjects["raw"], Options(to))
    second = run("standin", filled, subjects["raw"], Options(to, replace=True))
    assert sorted(open_store(to).folders()) == sorted([first.run, second.run])
    third = run("duckdb", filled, subjects["raw"], Options(to, replace=True))
    assert sorted(open_store(to).folders()) == sorted([second.run, third.run])

    def meanwhile(step: str) -> None:
        if step == "before_publish":
            run("duckdb", filled, subjects["raw"], Options(to, replace=True))

    with pytest.raises(WarehouseError, match="another run published"):
        run("standin", filled, subjects["raw"], Options(to, replace=True), at=meanwhile)
    winner = manifest_of(to)["biostar"]["run"]
    assert sorted(open_store(to).folders()) == sorted([third.run, winner])
    assert len(read_files(to, "parquet")[0]) == ROWS


def test_a_file_that_is_not_what_was_written_is_never_published(
    subjects: dict[str, Subject], filled: Path, lake: Callable[[str], str], s3_endpoint: str
) -> None:
    s3: Any = boto3.client("s3", endpoint_url=s3_endpoint, **S3_KEYS)
    to = lake("tampered")
    for target in ("duckdb", "standin"):

        def tamper(step: str) -> None:
            if step == "written":
                found = s3.list_objects_v2(Bucket="lake", Prefix=to.removeprefix("s3://lake/"))["Contents"]
                body = s3.get_object(Bucket="lake", Key=found[0]["Key"])["Body"].read()
                assert body.count(b"two\nlines") > 0
                s3.put_object(Bucket="lake", Key=found[0]["Key"], Body=body.replace(b"two\nlines", b"two\nlined", 1))

        with pytest.raises(DataError, match=r"column .* has other values"):
            run(target, filled, subjects["raw"], Options(to, "csv", "none"), at=tamper)
        assert open_store(to).folders() == []
        assert open_store(to).read("manifest.json") is None


def test_one_session_unloads_several_queries_and_leaves_tables_of_their_name_alone(
    filled: Path, lake: Callable[[str], str], standin: StandIn
) -> None:
    with closing(redshift_connector.connect(**standin.connection)) as session:
        session.autocommit = True
        cursor = session.cursor()
        cursor.execute("create table public.biostar_unloaded (a integer)")
        ledger = ledger_table(read_sources(PROJECT))
        with closing(open_engine("standin")) as engine:
            with pytest.raises(UsageError, match="unknown"):
                unload(engine, Subject("query", query="select 0 as a"), Options(lake("several-0")), ledger)
            for number in (1, 2):
                query = Subject("query", query=f"select {number} as a", phi=(("a", "none"),))
                to = lake(f"several-{number}")
                unload(engine, query, Options(to), ledger)
                assert read_files(to, "parquet")[0] == [(number,)]
        cursor.execute("select count(*) from public.biostar_unloaded")
        assert cursor.fetchone()[0] == 0
        cursor.execute("drop table public.biostar_unloaded")
