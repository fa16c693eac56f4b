"""Refused records: counted, shown, kept where only few may look, and tried again."""

from __future__ import annotations

import gzip
from contextlib import closing
from pathlib import Path

import pytest

from conftest import DAY, Lab, declare_sources, make_project

HEADER = "Id,Note\n"
KEY = f"ehr/visits/ingest_date={DAY}/part.csv"
TABLE = """
sources:
  - name: raw_ehr
    schema: raw_ehr
    config: {{meta: {{landing: ehr}}}}
    tables:
      - name: visits
        config: {{meta: {{natural_key: [id], max_errors: 90%}}}}
        columns:
          - {{name: id, data_type: varchar(8)}}
          - {{name: note, data_type: varchar({width})}}
"""


@pytest.fixture
def project(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = make_project(tmp_path / "project")
    monkeypatch.setenv("DBT_PROJECT_DIR", str(root))
    declare(root, 4)
    return root


def declare(project: Path, width: int) -> None:
    declare_sources(project, TABLE.format(width=width))


def lines(lab: Lab) -> list[tuple[object, ...]]:
    return lab.query("select line_number, raw_line, line_bytes from raw_restricted.load_reject_lines order by 1")


def test_lines_of_rejects_are_kept_apart_and_shown_only_when_asked_for(lab: Lab, project: Path) -> None:
    lab.put("visits", HEADER + '1,good\n2,Zzyzx-long\n3\n4,"two\nlines"\n6,ok\n')
    lab.put("visits", HEADER + '5,"open\n6,ok\n', name="quotes.csv")
    loaded = lab.load()
    assert loaded.code == 0
    assert lines(lab) == [(2, '5,"open', 7), (3, "2,Zzyzx-long", 12), (4, "3", 1), (5, '4,"two\nlines"', 13)]
    listed = lab.run("rejects", "list")
    assert listed.document["records"] == 4
    assert [(group["error_code"], group["records"]) for group in listed.document["rejects"]] == [
        ("value_too_long", 2),
        ("missing_columns", 1),
        ("broken_quotes", 1),
    ]
    shown = lab.run("rejects", "show", "--code", "value_too_long")
    assert [reject["line_number"] for reject in shown.document["rejects"]] == [3, 5]
    for outcome in (loaded, listed, shown):
        assert "Zzyzx" not in outcome.words + repr(outcome.document)
    raw = lab.run("rejects", "show", "--raw", "--limit", "1")
    assert (raw.document["records"], raw.document["rejects"][0]["raw_line"]) == (4, "2,Zzyzx-long")
    assert "Zzyzx" not in raw.words
    assert "data of patients" in raw.words


def test_a_retry_after_the_column_was_widened_takes_what_is_good_now(lab: Lab, project: Path) -> None:
    lab.put("visits", HEADER + '1,good\n2,longer\n3\n4,"two\nlines"\n5,much too long\n6,ok\n')
    assert lab.load().document["rows_rejected"] == 4
    assert lab.run("rejects", "retry").document["rows_loaded"] == 0
    assert lab.query("select max(load_id) from raw_meta.load_ledger") == [(1,)]
    declare(project, 9)
    retried = lab.run("rejects", "retry", "--table", "visits")
    assert (retried.code, retried.document["rows_loaded"], retried.document["rows_rejected"]) == (0, 2, 0)
    assert retried.document["batches"][0]["kind"] == "retry"
    assert lab.query("select id, note, _load_id, _ingest_date::varchar from raw_ehr.visits order by id") == [
        ("1", "good", 1, DAY),
        ("2", "longer", 2, DAY),
        ("4", "two\nlines", 2, DAY),
        ("6", "ok", 1, DAY),
    ]
    assert lab.query(
        "select line_number, error_code, resolved_by_load_id from raw_meta.load_rejects order by line_number"
    ) == [
        (3, "value_too_long", 2),
        (4, "missing_columns", None),
        (5, "value_too_long", 2),
        (7, "value_too_long", None),
    ]
    assert [line for line, _, _ in lines(lab)] == [4, 7]
    assert lab.query("select load_id, rows_read, rows_loaded, rows_rejected from raw_meta.load_ledger order by 1") == [
        (1, 6, 2, 4),
        (2, 2, 2, 0),
    ]
    # A plain run finds nothing new, and a second retry nothing that has become good.
    assert lab.load().document["objects_skipped"] == 1
    assert lab.run("rejects", "retry").document["rows_loaded"] == 0
    assert lab.query("select count(*) from raw_ehr.visits") == [(4,)]


FORMS = {
    "windows": lambda text: text.replace(b"\n", b"\r\n"),
    "old mac": lambda text: text.replace(b"\n\n", b"\n").replace(b"\n", b"\r"),
    "mixed": lambda text: text.replace(b"\n", b"\r\n", 2),
    "zipped": gzip.compress,
    "with a mark": lambda text: b"\xef\xbb\xbf" + text,
    "no last line end": lambda text: text.removesuffix(b"\n"),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_retry_finds_the_records_whatever_the_form_of_the_file(lab: Lab, project: Path, form: str) -> None:
    lab.put("visits", FORMS[form]((HEADER + "1,ok\n2,longer\n\n3,ok\n4,as long\n").encode()))
    assert lab.load().document["rows_rejected"] == 2
    assert sorted(text for _, text, _ in lines(lab)) == ["2,longer", "4,as long"]
    declare(project, 9)
    outcome = lab.run("rejects", "retry")
    assert (outcome.code, outcome.document["rows_loaded"]) == (0, 2)
    assert lab.query("select id, note from raw_ehr.visits order by id") == [
        ("1", "ok"),
        ("2", "longer"),
        ("3", "ok"),
        ("4", "as long"),
    ]


def test_two_retries_at_once_take_each_record_once(lab: Lab, project: Path) -> None:
    """Two loaders: what the first resolved the second finds closed, and leaves alone."""
    from biostar.cli.load import now
    from biostar.contracts import read_sources
    from biostar.landing import open_landing
    from biostar.load import books_of, read_ledger, run_plan
    from biostar.load.books import open_rejects
    from biostar.rejects import plan_retry
    from biostar.warehouse import open_warehouse

    lab.put("visits", HEADER + "1,ok\n2,longer\n")
    lab.load()
    declare(project, 9)
    sources, landing = read_sources(project), open_landing(str(lab.landing))
    with closing(open_warehouse("duckdb")) as warehouse:
        books = books_of(sources)
        ledger = read_ledger(warehouse, books)
        plans = [plan_retry(landing, sources, open_rejects(warehouse, books), ledger) for _ in range(2)]
        reports = [run_plan(plan, landing, sources, warehouse, ledger, now=now) for plan in plans]
    assert [report.total("rows_loaded") for report in reports] == [1, 0]
    assert reports[1].warnings == [f"'{KEY}' was loaded by another loader meanwhile"]
    assert lab.query("select id from raw_ehr.visits order by id") == [("1",), ("2",)]


def test_a_reload_after_a_retry_takes_both_loads_anew(lab: Lab, project: Path) -> None:
    lab.put("visits", HEADER + "1,good\n2,longer\n")
    lab.load()
    declare(project, 9)
    lab.run("rejects", "retry")
    lab.put("visits", HEADER + "1,better\n3,new\n")
    reloaded = lab.load("--reload", KEY)
    assert (reloaded.code, reloaded.document["rows_removed"]) == (0, 2)
    assert lab.query("select id, note, _load_id from raw_ehr.visits order by id") == [
        ("1", "better", 3),
        ("3", "new", 3),
    ]
    assert lab.query("select load_id, superseded_by_load_id from raw_meta.load_ledger order by 1") == [
        (1, 3),
        (2, 3),
        (3, None),
    ]
    assert lab.run("rejects", "list").document["records"] == 0


def test_rejects_of_an_object_that_changed_or_went_are_not_tried(lab: Lab, project: Path) -> None:
    path = lab.put("visits", HEADER + "1,longer\n")
    lab.load("--max-errors", "1")
    path.write_text(HEADER + "1,other!!\n")
    for _ in range(2):
        outcome = lab.run("rejects", "retry")
        assert outcome.code == 4
        assert f"biostar load --reload {KEY}" in outcome.document["failures"][0]["next"]
        path.unlink(missing_ok=True)


def test_what_is_asked_for_must_be_there(lab: Lab, project: Path) -> None:
    assert lab.run("rejects", "list").document == {"records": 0, "rejects": []}
    assert lab.run("rejects", "show", "--object", KEY).code == 2
    assert lab.run("rejects", "list", "--table", "nothing").code == 2
