"""The texts of a dbt project, from its manifest: no dbt is run here; the whole project is checked by make test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from biostar.check import Options, project
from biostar.check.project import check_project, known_columns, read_manifest, table_ddl, unread_hooks
from biostar.check.recording import Recorder
from biostar.errors import ConfigurationError

STRICT = Options(strict=True)
ROOT = Path(__file__).parents[2]


def _model(sql: str, **config: Any) -> dict[str, Any]:
    return {
        "name": "fct_claim",
        "alias": "fct_claim",
        "package_name": "biostar",
        "resource_type": "model",
        "original_file_path": "models/marts/claims/fct_claim.sql",
        "patch_path": "biostar://models/marts/claims/fct_claim.yml",
        "compiled_path": "target/compiled/fct_claim.sql",
        "compiled_code": sql,
        "relation_name": '"dev"."claims"."fct_claim"',
        "database": "dev",
        "schema": "claims",
        "columns": {
            "claim_id": {"name": "claim_id", "data_type": "varchar(64)", "constraints": [{"type": "not_null"}]},
            "amount": {"name": "amount", "data_type": "numeric(18, 2)"},
        },
        "config": {
            "materialized": "table",
            "contract": {"enforced": True},
            "dist": "claim_id",
            "sort": ["claim_id"],
            **config,
        },
    }


GOOD = "select cast(id as varchar(64)) as claim_id, cast(sum(a) as numeric(18, 2)) as amount from t group by id"


def _manifest(*nodes: dict[str, Any]) -> dict[str, Any]:
    return {
        "metadata": {"project_name": "biostar"},
        "nodes": {f"model.biostar.{number}": node for number, node in enumerate(nodes)},
        "sources": {},
    }


def _rules(manifest: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    monkeypatch.setattr(project, "_loader_texts", lambda *_: iter(()))
    reports = check_project(manifest, ROOT, STRICT)
    return {
        name: {finding.rule for report in statements for finding in report.findings if finding.level == "refused"}
        for name, statements in reports.items()
    }


def test_a_good_model(monkeypatch: pytest.MonkeyPatch) -> None:
    found = _rules(_manifest(_model(GOOD)), monkeypatch)
    assert found == {"target/compiled/fct_claim.sql": set(), "models/marts/claims/fct_claim.yml": set()}


def test_the_contract_is_checked_as_the_table_that_follows_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    node = _model(GOOD)
    node["columns"]["amount"]["data_type"] = "numeric(40, 2)"
    node["columns"]["system"] = {"name": "system", "data_type": "varchar"}
    found = _rules(_manifest(node), monkeypatch)
    assert found["models/marts/claims/fct_claim.yml"] == {"type-too-long", "reserved-word", "varchar-without-length"}


def test_the_query_is_held_against_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    sql = "select cast(id as varchar(32)) as claim_id, sum(a) as amount from t group by id"
    found = _rules(_manifest(_model(sql)), monkeypatch)
    assert found["target/compiled/fct_claim.sql"] == {"contract-type", "uncast-aggregate"}


def test_a_mart_without_a_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    found = _rules(_manifest(_model(GOOD, contract={"enforced": False})), monkeypatch)
    assert found["models/marts/claims/fct_claim.sql"] == {"contract-missing"}


def test_a_plain_hook_is_checked_inside_dbts_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    hooks = {"post-hook": [{"sql": "vacuum {{ this }}", "transaction": True}, {"sql": "analyze {{ this }}"}]}
    found = _rules(_manifest(_model(GOOD, **hooks)), monkeypatch)
    assert found["models/marts/claims/fct_claim.sql (post-hook)"] == {"transaction-forbidden"}


def test_hooks_that_only_a_run_writes_out_are_counted() -> None:
    hooks = {"pre-hook": [{"sql": "{{ biostar.prepare() }}"}], "post-hook": [{"sql": "analyze {{ this }}"}]}
    assert unread_hooks(_manifest(_model(GOOD, **hooks))) == 1


def test_the_ddl_that_follows_from_a_contract() -> None:
    assert table_ddl(_model(GOOD)) == (
        'create table "dev"."claims"."fct_claim" (\n'
        "    claim_id varchar(64) not null,\n"
        "    amount numeric(18, 2)\n"
        ")\ndiststyle key distkey (claim_id)\ncompound sortkey (claim_id)"
    )


def test_known_columns() -> None:
    assert known_columns(_manifest(_model(GOOD))) == {
        "dev.claims.fct_claim": {"claim_id": "varchar(64)", "amount": "numeric(18, 2)"}
    }


def test_the_loaders_own_statements_are_checked() -> None:
    reports = check_project(_manifest(), ROOT, STRICT)
    for name, least in (
        ("biostar raw ddl --target redshift", 18),
        ("biostar load --dry-run --target redshift", 18 * 8 - 1),
    ):
        statements = reports[name]
        assert len(statements) > least
        assert {statement.verdict for statement in statements} == {"accepted"}
    assert "copy" in {statement.kind for statement in reports["biostar load --dry-run --target redshift"]}


def test_a_node_that_was_not_compiled_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    node = _model(GOOD)
    node["compiled_code"] = None
    assert _rules(_manifest(node), monkeypatch) == {"models/marts/claims/fct_claim.sql": {"unreadable"}}


def test_nothing_compiled(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no compiled project"):
        read_manifest(tmp_path)


# ---------------------------------------------------------------------------- the warehouse that isn't there


def _recorder(*, built: bool) -> Recorder:
    return Recorder(_manifest(_model(GOOD)), built)


def test_statements_are_written_down_with_their_node() -> None:
    recorder = _recorder(built=False)
    cursor = recorder.connect().cursor()
    cursor.execute('/* {"app": "dbt", "node_id": "model.biostar.0"} */ create view v as select 1 as a')
    (sent,) = recorder.sent
    assert (sent.node, sent.connection) == ("model.biostar.0", 1)
    assert sent.sql.endswith("create view v as select 1 as a")


def test_an_empty_query_is_described_by_its_casts_and_the_contract() -> None:
    cursor = _recorder(built=False).connect().cursor()
    cursor.execute(
        '/* {"node_id": "model.biostar.0"} */ '
        "select * from (select cast(1 as bigint) as n, amount from t) as s where false limit 0"
    )
    assert [(name, oid) for name, oid, *_ in cursor.description] == [("n", 20), ("amount", 1700)]
    assert cursor.fetchall() == []


@pytest.mark.parametrize("built,rows", [(False, []), (True, [("dev", "fct_claim", "claims", "table")])])
def test_relations_exist_once_they_are_built(built: bool, rows: list[tuple[str, ...]]) -> None:
    cursor = _recorder(built=built).connect().cursor()
    cursor.execute(
        "select table_name from information_schema.tables where table_schema ilike 'claims' "
        "union all select table_name from information_schema.views where table_schema ilike 'claims'"
    )
    assert cursor.fetchall() == rows


def test_columns_of_a_temporary_table_are_the_models() -> None:
    cursor = _recorder(built=True).connect().cursor()
    cursor.execute("with bound_views as (select 1 where table_name = 'fct_claim__dbt_tmp123') select 1")
    assert cursor.fetchall() == [
        ("claim_id", "character varying", 64, None, None),
        ("amount", "numeric", None, 18, 2),
    ]


def test_a_test_finds_no_failures() -> None:
    cursor = _recorder(built=False).connect().cursor()
    cursor.execute("select count(*) as failures, count(*) != 0 as should_warn, count(*) != 0 as should_error from t")
    assert cursor.fetchone() == (0, False, False)
