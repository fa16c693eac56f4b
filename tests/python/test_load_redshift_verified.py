"""What COPY and its views say is held against what was counted before COMMIT; any difference names the files.

Losses that somebody met with another loader are in test_load_published_failures.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from biostar.standin import StandIn
from biostar.warehouse import FileToLoad, redshift_copy, redshift_warehouse
from biostar.warehouse.redshift_warehouse import RedshiftWarehouse
from redshift_lab import (
    HEADER,
    RedshiftLab,
    Rows,
    assert_loads_now,
    assert_refused,
    deliver,
    make_lab,
    make_project,
    tampered,
)

ROW = "2020-01-01,,p,e,1,d\n"


@pytest.fixture
def lab(
    standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> RedshiftLab:
    monkeypatch.setattr(redshift_warehouse, "LONGEST_WAIT", 0.0)  # the stand-in's views do not lag
    lab = make_lab(standin, tmp_path, monkeypatch, capsys)
    monkeypatch.setenv("DBT_PROJECT_DIR", str(make_project(tmp_path / "project")))
    return lab


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


def test_rows_that_the_insert_loses_or_doubles(lab: RedshiftLab) -> None:
    deliver(lab, 3)
    raw = f"{lab.prefix}_raw_ehr.conditions"
    for damage, held in (
        (f"delete from {raw} where patient = 'p1'", 6),
        (f"insert into {raw} select * from {raw}", 18),
    ):
        done: list[str] = []

        def act(warehouse: RedshiftWarehouse, sql: str, damage: str = damage, done: list[str] = done) -> None:
            if "biostar_stage_" in sql and sql.startswith("insert into") and not done:
                done.append(sql)
                warehouse.execute(damage)

        with tampered(after=act):
            assert_refused(lab, "the ledger would say 9 rows", f"the tables hold {held}", "00.csv")
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
