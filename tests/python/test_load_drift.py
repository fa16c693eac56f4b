"""Headers that change from one delivery to the next, and declarations that change with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from biostar.contracts import ErrorLimit
from conftest import DAY, PROJECT, Lab, declare_sources, make_project

TABLE = """
sources:
  - name: raw_ehr
    schema: raw_ehr
    config: {{meta: {{landing: ehr}}}}
    tables:
      - name: visits
        config: {{meta: {{natural_key: [id], unknown_columns: {policy}{more}}}}}
        columns:
          - {{name: id, data_type: varchar(8)}}
          - {{name: note, data_type: varchar({width}), config: {{meta: {{aliases: [{alias}]}}}}}}
          - {{name: ward, data_type: varchar(8)}}
"""


@pytest.fixture
def project(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = make_project(tmp_path / "project")
    monkeypatch.setenv("DBT_PROJECT_DIR", str(root))
    declare(root)
    return root


def declare(project: Path, *, width: int = 8, policy: str = "error", alias: str = "remark", more: str = "") -> None:
    text = TABLE.format(width=width, policy=policy, alias=alias, more=more)
    declare_sources(project, text)


def visits(lab: Lab) -> list[tuple[object, ...]]:
    return lab.query("select id, note, ward from raw_ehr.visits order by id")


def test_columns_in_another_order_and_by_another_name(lab: Lab, project: Path) -> None:
    lab.put("visits", "Id,Note,Ward\n1,n,w\n", name="a.csv")
    lab.put("visits", "WARD,REMARK,ID\nw,n,2\n", name="b.csv")
    outcome = lab.load()
    assert (outcome.code, outcome.document["warnings"]) == (0, [])
    assert visits(lab) == [("1", "n", "w"), ("2", "n", "w")]


def test_a_renamed_column_is_refused_until_its_name_is_declared(lab: Lab, project: Path) -> None:
    lab.put("visits", "Id,Comment,Ward\n1,n,w\n")
    refused = lab.load()
    assert refused.code == 4
    assert "'Comment'" in refused.document["failures"][0]["message"]
    assert "an alias" in refused.document["failures"][0]["next"]
    declare(project, alias="remark, comment")
    assert lab.load().code == 0
    assert visits(lab) == [("1", "n", "w")]


def test_a_removed_column_is_null_and_named(lab: Lab, project: Path) -> None:
    lab.put("visits", "Id,Note\n1,n\n")
    outcome = lab.load()
    assert (outcome.code, visits(lab)) == (0, [("1", "n", None)])
    assert outcome.document["warnings"] == [f"'ehr/visits/ingest_date={DAY}/part.csv' lacks ward; loaded as null"]


def test_a_wider_type_holds_from_the_next_load_on(lab: Lab, project: Path) -> None:
    lab.put("visits", "Id,Note,Ward\n1,too long a note,w\n2,n,w\n")
    assert lab.load().document["rows_rejected"] == 1
    declare(project, width=40)
    lab.put("visits", "Id,Note,Ward\n3,as long a note,w\n", name="b.csv")
    assert lab.load().document["rows_rejected"] == 0
    assert lab.run("rejects", "retry").document["rows_loaded"] == 1
    assert visits(lab) == [("1", "too long a note", "w"), ("2", "n", "w"), ("3", "as long a note", "w")]


def test_evolve_names_the_model_that_has_to_select_the_column(lab: Lab, project: Path) -> None:
    declare(project, policy="evolve")
    lab.put("visits", "Id,Note,Ward,Bed\n1,n,w,b\n")
    [warning] = lab.load().document["warnings"]
    assert "models/staging/ehr/base/base_ehr__visits.sql" in warning
    assert "models/staging/ehr/_ehr__sources.yml" in warning
    assert (PROJECT / "models/staging/ehr/base/base_ehr__patients.sql").exists()


def test_a_bad_object_brings_no_column(lab: Lab, project: Path) -> None:
    declare(project, policy="evolve")
    lab.put("visits", "Note,Ward,Bed\nn,w,b\n", name="a.csv")
    lab.put("visits", "Id,Note,Ward,Room\n1,n,w,r\n", name="b.csv")
    assert lab.load().code == 4
    columns = {name for (name,) in lab.query("select column_name from duckdb_columns() where table_name = 'visits'")}
    assert ("room" in columns, "bed" in columns) == (True, False)


def test_a_load_over_its_limit_is_rolled_back_whole(lab: Lab, project: Path) -> None:
    good = "".join(f"{number},n,w\n" for number in range(90))
    lab.put("visits", "Id,Note,Ward\n" + good + "few\n" * 10, name="a.csv")
    lab.put("visits", "Id,Note,Ward\nx,n,w\n", name="b.csv")
    lab.put("visits", "Id,Note,Ward\ny,n,w\n", day="2024-03-01")
    for limit, code in (("9", 4), ("9.9 %", 4), ("9.8%", 4), ("10", 0)):
        outcome = lab.load("--max-errors", limit)
        assert outcome.code == code, limit
        if code:
            [failure] = outcome.document["failures"]
            assert "10 bad records of 101" in failure["message"]
            assert "10 missing_columns" in failure["message"]
            assert "a.csv'" in failure["message"]
            assert visits(lab) == [("y", "n", "w")]
            assert lab.rejects() == []
    assert len(visits(lab)) == 92
    assert lab.load("--max-errors", "many").code == 2


def test_a_table_has_a_limit_of_its_own(lab: Lab, project: Path) -> None:
    declare(project, more=", max_errors: 0")
    lab.put("visits", "Id,Note,Ward\n1,n,w\nfew\n")
    assert lab.load().code == 4
    assert lab.load("--max-errors", "50%").code == 0
    declare(project, more=", max_errors: lots")
    assert (lab.load().code, lab.load().document["error"]) == (3, "configuration")


def test_limits_as_people_write_them() -> None:
    assert ErrorLimit.parse("0") == ErrorLimit(count=0)
    assert ErrorLimit.parse(" 2.5 % ") == ErrorLimit(percent=2.5)
    for wrong in ("", "-1", "101%", "1e3", "half", "5 %%", "1,000"):
        assert ErrorLimit.parse(wrong) is None, wrong
    half = ErrorLimit(percent=50)
    assert [half.is_over(10, bad) for bad in (5, 6)] == [False, True]
    assert [ErrorLimit(count=3).is_over(10, bad) for bad in (3, 4)] == [False, True]


def test_a_batch_of_bad_objects_only_leaves_no_load(lab: Lab, project: Path) -> None:
    lab.put("visits", b"", name="a.csv")
    lab.put("visits", "Note\nn\n", name="b.csv")
    lab.put("visits", "Id,Note,Ward\n1,n,w\n", day="2024-03-01")
    outcome = lab.load()
    assert (outcome.code, len(outcome.document["failures"]), len(outcome.document["batches"])) == (4, 2, 1)
    assert lab.query("select load_id, ingest_date::varchar from raw_meta.load_ledger") == [(1, "2024-03-01")]


def test_load_ids_go_on_after_a_load_that_only_erased(lab: Lab, project: Path) -> None:
    path = lab.put("visits", "Id,Note,Ward\n1,n,w\n")
    lab.load()
    path.unlink()
    erased = lab.load("--reload", f"ehr/visits/ingest_date={DAY}/part.csv", "--landing", str(lab.landing))
    assert (erased.code, erased.document["batches"][0]["load_id"]) == (0, 2)
    lab.put("visits", "Id,Note,Ward\n2,n,w\n")
    assert lab.load().document["batches"][0]["load_id"] == 3
