"""A COPY that loses something is found out before COMMIT, and the load names the files.

Each of these was a loss that somebody met with another loader; the name says whose issue tells of it.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from biostar.errors import TransientError
from biostar.standin import StandIn
from biostar.warehouse import FileToLoad, redshift_copy, redshift_warehouse
from biostar.warehouse.redshift_warehouse import RedshiftWarehouse
from redshift_lab import RedshiftLab, make_lab

HEADER = "START,STOP,PATIENT,ENCOUNTER,CODE,DESCRIPTION\n"
ROW = "2020-01-01,,p,e,1,d\n"
Rows = list[tuple[Any, ...]]


@pytest.fixture
def lab(
    standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> RedshiftLab:
    monkeypatch.setattr(redshift_warehouse, "LONGEST_WAIT", 0.0)  # the stand-in's views do not lag
    return make_lab(standin, tmp_path, monkeypatch, capsys)


def deliver(lab: RedshiftLab, count: int) -> list[str]:
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


def lose_a_row(warehouse: RedshiftWarehouse, sql: str) -> None:
    copied = re.search(r'copy ("biostar_stage_\w+")', sql)
    if copied:
        warehouse.execute(f"delete from {copied[1]} where patient = 'p1'")


def assert_refused(lab: RedshiftLab, *words: str) -> None:
    """The load fails with these words, and nothing of it is there."""
    outcome = lab.load()
    assert outcome.code == 5, outcome.document
    said = " ".join(failure["message"] for failure in outcome.document["failures"])
    for word in words:
        assert word in said, said
    assert lab.query("select count(*) from {raw}.conditions") == [(0,)]
    assert lab.query("select count(*) from {meta}.load_ledger") == [(0,)]
    assert lab.keys("_biostar") == []


def assert_loads_now(lab: RedshiftLab, rows: int) -> None:
    """Without the fault it is all there, once."""
    assert lab.load().code == 0
    assert lab.query("select count(*), count(distinct patient) from {raw}.conditions") == [(rows, rows // 3)]


def test_redshift_loader_244_a_manifest_that_missed_one_file_of_23(lab: RedshiftLab) -> None:
    deliver(lab, 23)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            redshift_warehouse, "manifest_of", lambda files: redshift_copy.manifest_of([*files][:11] + [*files][12:])
        )
        assert_refused(lab, "lacks 1 of 23 files", "11.csv")
    assert_loads_now(lab, 69)


def test_redshift_loader_230_rows_lost_without_an_error(lab: RedshiftLab) -> None:
    """COPY says that all is well, and the table has fewer rows."""
    deliver(lab, 3)
    with tampered(after=lose_a_row):
        assert_refused(lab, "says 9 rows", "its table has 6", "01.csv")
    assert_loads_now(lab, 9)


def test_redshift_loader_230_rows_lost_and_every_view_agrees(lab: RedshiftLab) -> None:
    """Even the views count the fewer rows: the lines that the loader counted itself tell."""
    deliver(lab, 3)
    counts: dict[str, int] = {}

    def lying(sql: str, rows: Rows) -> Rows:
        if sql.startswith("select count(*), coalesce"):
            counts["rows"] = int(rows[0][0])
        if sql == "select pg_last_copy_count()":
            return [(counts["rows"],)]
        return rows

    real = redshift_warehouse.account_of

    def account(query: Any, files: Any, manifest: str, **options: Any) -> Any:
        found = real(query, files, manifest, **options)
        gone = 3 if any(file.key.endswith("01.csv") for file in files) else 0
        return replace(found, loaded=found.loaded - gone)

    with tampered(after=lose_a_row, query=lying), pytest.MonkeyPatch.context() as patch:
        patch.setattr(redshift_warehouse, "account_of", account)
        assert_refused(
            lab, "COPY lost records of 'ehr/conditions/ingest_date=2024-02-08/01.csv'", "3 lines of data hold 0 rows"
        )
    assert_loads_now(lab, 9)


def test_airbyte_10646_only_the_last_part_was_copied(lab: RedshiftLab) -> None:
    deliver(lab, 6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(redshift_warehouse, "manifest_of", lambda files: redshift_copy.manifest_of([files[-1]]))
        assert_refused(lab, "lacks 5 of 6 files", "00.csv", "04.csv")
    assert_loads_now(lab, 18)


def test_a_file_that_nobody_listed_is_not_loaded(lab: RedshiftLab) -> None:
    deliver(lab, 2)
    stray = lab.put_key("elsewhere/stray.csv", HEADER + ROW)

    def more(files: Sequence[FileToLoad]) -> bytes:
        document = json.loads(redshift_copy.manifest_of(files))
        document["entries"].append({"url": f"{lab.landing}/{stray}", "mandatory": True})
        return json.dumps(document).encode()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(redshift_warehouse, "manifest_of", more)
        assert_refused(lab, "a file that the manifest does not list", "stray.csv")


def test_the_detail_view_lacks_a_file_or_calls_the_copy_aborted(lab: RedshiftLab) -> None:
    deliver(lab, 3)
    with tampered(query=lambda sql, rows: sorted(rows)[:-1] if "from sys_load_detail" in sql else rows):
        assert_refused(lab, "lacks 1 of 3 files", "02.csv")
    with tampered(
        query=lambda sql, rows: [(r[0], "aborted", *r[2:]) for r in rows] if "sys_load_history" in sql else rows
    ):
        assert_refused(lab, "sys_load_history calls it aborted")
    with tampered(
        query=lambda sql, rows: [(*r[:4], r[4] - 1, r[5]) for r in rows] if "sys_load_history" in sql else rows
    ):
        assert_refused(lab, "bytes, the manifest's objects have", "00.csv")
    with tampered(query=lambda sql, rows: [] if "sys_load_history" in sql else rows):
        assert_refused(lab, "has no row for it")
    assert_loads_now(lab, 9)


def test_views_that_lag_are_asked_again(lab: RedshiftLab) -> None:
    deliver(lab, 2)
    asked = []

    def late(sql: str, rows: Rows) -> Rows:
        if "from sys_load_detail" in sql:
            asked.append(sql)
            return rows[: len(asked) - 1]
        return rows

    with tampered(query=late), pytest.MonkeyPatch.context() as patch:
        patch.setattr(redshift_warehouse, "LONGEST_WAIT", 5.0)
        assert lab.load().code == 0
    assert len(asked) == 3
    assert lab.query("select count(*) from {raw}.conditions") == [(6,)]


def test_lines_that_the_views_count_otherwise_are_no_loss(lab: RedshiftLab) -> None:
    """The manual does not say whether lines_scanned counts the header; the rows decide."""
    deliver(lab, 3)
    for add in (1, 7):
        with tampered(
            query=lambda sql, rows, add=add: (
                [(name, lines + add) for name, lines in rows] if "from sys_load_detail" in sql else rows
            )
        ):
            assert lab.load().code == 0
    assert lab.query("select count(*) from {raw}.conditions") == [(9,)]


def test_errors_that_the_new_view_lacks_are_taken_from_the_old_one(lab: RedshiftLab) -> None:
    lab.put("conditions", HEADER + ROW + "bad\n" + ROW)
    with tampered(query=lambda sql, rows: [] if "sys_load_error_detail" in sql else rows):
        assert lab.load().document["rows_rejected"] == 1
    assert lab.query("select line_number, error_code from {meta}.load_rejects") == [(3, "missing_columns")]


def test_an_error_whose_line_is_unknown(lab: RedshiftLab) -> None:
    """Where COPY splits a large file, stl_load_errors may not know the line (-1): the object is read as a whole."""
    lab.put("conditions", HEADER + ROW + "bad\n" + ROW)
    with tampered(
        query=lambda sql, rows: [(name, -1, code) for name, _, code in rows] if "sys_load_error" in sql else rows
    ):
        assert lab.load().document["rows_rejected"] == 1
    assert lab.query("select line_number, error_code from {meta}.load_rejects") == [(3, "missing_columns")]


def test_redshift_loader_221_and_223_every_entry_tells_its_size() -> None:
    """COPY refuses a manifest of Parquet files without content_length."""
    file = FileToLoad("k", "s3://b/ü \"'k.parquet", "none", 0, False, io.BytesIO, size=99)
    (entry,) = json.loads(redshift_copy.manifest_of([file]))["entries"]
    assert entry == {"url": file.address, "mandatory": True, "meta": {"content_length": 99}}


def test_artie_190_a_temporary_table_with_rows_of_a_try_before(lab: RedshiftLab) -> None:
    """What an attempt copied before it failed is not loaded with the next one."""
    deliver(lab, 2)
    failed = []

    def fail_once(warehouse: RedshiftWarehouse, sql: str) -> None:
        if sql.startswith("insert into") and "biostar_stage_" in sql and not failed:
            failed.append(sql)
            raise TransientError("a fault of the test")

    with tampered(after=fail_once):
        lab.load()
    assert failed
    lab.load()
    assert lab.query("select count(*), count(distinct patient) from {raw}.conditions") == [(6, 2)]
    assert lab.query("select count(*), sum(rows_loaded) from {meta}.load_ledger") == [(2, 6)]
