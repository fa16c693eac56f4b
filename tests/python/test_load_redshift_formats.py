"""JSON, Parquet, CSV without a header, zstd and folders of Hive: in the stand-in stands what stands in DuckDB."""

from __future__ import annotations

import gzip
from pathlib import Path

import duckdb
import pytest
import zstandard

from biostar.standin import StandIn
from conftest import Lab
from formats_lab import declared, make_formats_lab
from redshift_lab import RedshiftLab, make_lab
from test_load_redshift import assert_parity

DAY = "ingest_date=2024-02-08"
LINES = [
    b'{"id": "1", "value": 1.50, "device": "caf\xc3\xa9 \\"x\\", \\n"}',
    b'{"id": 2, "value": {"a": [1.10, null]}, "flag": true}\r',
    b"",
    b"not json",
    b'{"id": "3", "value": ""}',
    b'{"id": "' + b"x" * 17 + b'"}',
    b'{"id": "4", "Device_Id": "\\u00e9\\\\N"}',
]
NAMES = [
    "it's.csv",
    'say "x".csv',
    "[a-z]*.csv",
    "{a,b}.csv",
    "100%25.csv",
    "café \U0001f9ec.csv",
    "semi;colon -- x.csv",
]


@pytest.fixture
def lab(
    standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> RedshiftLab:
    lab = make_lab(standin, tmp_path, monkeypatch, capsys)
    project = make_formats_lab(Lab(tmp_path / "none", lab.database, capsys), tmp_path, monkeypatch)
    schema = "    schema: \"{{ env_var('BIOSTAR_SCHEMA_PREFIX', '') }}raw_ehr\"\n"
    project.declare(
        declared(
            "readings",
            "id varchar(16)",
            "device varchar(32) aliases: [device_id]",
            "value varchar(64)",
            "flag varchar(8)",
            "region varchar(8)",
            format="json",
            layout="hive",
        ),
        declared(
            "visits", "id varchar(16)", "at varchar(32)", "cost varchar(16)", "tags varchar(64)", format="parquet"
        ),
        declared("bare", "id varchar(3)", "note varchar(16)", "region varchar(8)", layout="hive", header="false"),
        declared("plain", "id varchar(9)", "note varchar(16)"),
    )
    path = project.project / "models/staging/other/_other__sources.yml"
    path.write_text(path.read_text().replace("    config:", schema + "    config:", 1))
    return lab


def test_formats_and_folders_are_the_same_by_copy(lab: RedshiftLab, tmp_path: Path) -> None:
    lines = b"\n".join(LINES)
    lab.put_key("other/readings/dt=2024-02-08/region=eu/a", lines)
    lab.put_key("other/readings/dt=2024-02-08/region=it's $1 ?/b.json.gz", gzip.compress(lines)[:40])
    lab.put_key("other/readings/dt=2024-02-08/region=u's/b.json.gz", gzip.compress(lines))
    lab.put_key("other/readings/dt=2024-02-08/region=__HIVE_DEFAULT_PARTITION__/c.zst", zstandard.compress(lines))
    lab.put_key("other/readings/dt=2024-02-08/region=eu/empty", b"")
    parquet = tmp_path / "v.parquet"
    with duckdb.connect() as engine:
        engine.execute(
            "copy (select 'v' || n as id, timestamp '2024-02-08 10:30:00.5' as at, cast(n * 1.1 as decimal(9, 2))"
            f" as cost, [n, null] as tags from range(9) as t(n)) to '{parquet}' (format parquet)"
        )
    lab.put_key(f"other/visits/{DAY}/a.parquet", parquet.read_bytes())
    lab.put_key(f"other/visits/{DAY}/b.parquet", parquet.read_bytes()[:-9])
    lab.put_key("other/bare/dt=2024-02-08/region=eu/a.csv.zst", zstandard.compress(b"1,a\n2222,b\n3\n"))
    lab.put_key("other/bare/dt=2024-02-08/region=us/b.csv", b'4,"two\nlines"\r\n\r\n5,\\N\r\n')
    lab.put_key("other/bare/dt=2024-02-08/region=us/c.csv", b"")
    for number, name in enumerate(NAMES):
        lab.put_key(f"other/plain/{DAY}/{name}", f"id,note\n{number},n\n{number},n,n\n".encode())
    lab.put_key(f"other/plain/{DAY}/{'/'.join(['d' * 80] * 10)}/deep.csv", b"id,note\n99,n\n")
    assert_parity(lab)
    found = dict(lab.query("select object_key, rows_loaded from {meta}.load_ledger"))
    assert sum(found.values()) == 3 * 4 + 9 + 3 + len(NAMES) + 1
    assert len(found) == 4 + 1 + 3 + len(NAMES) + 1
    assert set(lab.query("select id, value, region from {raw}.readings where id = '1'")) == {
        ("1", "1.50", "eu"),
        ("1", "1.50", "u's"),
        ("1", "1.50", None),
    }


def test_a_dry_run_shows_what_would_be_sent(lab: RedshiftLab) -> None:
    lab.put_key("other/readings/dt=2024-02-08/region=it's ?/a.json", LINES[0])
    lab.put_key("other/readings/dt=2024-02-08/region=eu/empty", b"")
    ours, theirs = lab.load("--dry-run"), lab.load("--dry-run", target="duckdb")
    assert (ours.code, theirs.code) == (0, 0), (ours.document, theirs.document)
    [batch] = ours.document["batches"]
    [copy] = [statement for statement in batch["statements"] if " copy " in statement]
    assert "format as csv null as '' ignoreblanklines gzip" in copy
    [insert] = [statement for statement in batch["statements"] if statement.startswith("insert")]
    assert "cast('it''s ?' as varchar(65535)), cast(null /* the next load id */ as bigint)" in insert
    [insert] = theirs.document["batches"][0]["statements"]
    assert insert.startswith(f'insert into "{lab.schema("raw_ehr")}"."readings"')
    assert lab.keys("_biostar") == []
