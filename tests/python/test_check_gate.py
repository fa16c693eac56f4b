"""What the corpus cannot hold: places, limits of size, the project's contracts, and that the gate fails closed."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from sqlglot import exp

from biostar.check import Options, check_sql, rules
from biostar.check import query as query_rules
from biostar.check.forms import allowed_forms, refused_forms
from biostar.check.manual import functions, statement_forms, types, words
from biostar.check.model import Finding
from biostar.cli import main

PROJECT = Options(strict=True, portable=True)


def _findings(sql: str, options: Options | None = None) -> list[Finding]:
    return [finding for report in check_sql(sql, options) for finding in report.findings]


def _refused(sql: str, options: Options | None = None) -> set[str]:
    return {finding.rule for finding in _findings(sql, options) if finding.level == "refused"}


def test_a_finding_names_line_column_and_page() -> None:
    sql = "select\n    id,\n    string_agg(code, ',') as codes\nfrom t\ngroup by id"
    (finding,) = _findings(sql)
    assert (finding.line, finding.column) == (3, 5)
    assert finding.page == "https://docs.aws.amazon.com/redshift/latest/dg/c_unsupported-postgresql-functions.html"
    assert "listagg" in finding.instead


def test_places_count_from_the_start_of_the_text_in_later_statements() -> None:
    sql = "select 1 as a;\n\n/* two\n   lines */ select now();"
    (finding,) = _findings(sql)
    assert (finding.line, finding.column) == (4, 20)


def test_a_finding_in_a_quoted_query_has_its_own_line() -> None:
    sql = "unload ('select a\nfrom t\nwhere starts_with(a, ''x'')')\nto 's3://b/x' iam_role default"
    (finding,) = _findings(sql)
    assert (finding.rule, finding.line) == ("function-unknown", 3)


def test_each_statement_has_its_verdict() -> None:
    reports = check_sql("select 1 as a; select now(); create table t (a varchar)")
    assert [(report.kind, report.verdict) for report in reports] == [
        ("select", "accepted"),
        ("select", "refused"),
        ("create table", "warning"),
    ]


def test_semicolons_in_bodies_and_literals_split_nothing() -> None:
    reports = check_sql("create procedure p() as $$ begin a; b; end; $$ language plpgsql; select ';' as a")
    assert [report.kind for report in reports] == ["create procedure", "select"]


@pytest.mark.parametrize("count,refused", [(1600, set()), (1601, {"too-many-columns"})])
def test_columns_of_a_table(count: int, refused: set[str]) -> None:
    columns = ", ".join(f"c{number} integer" for number in range(count))
    assert _refused(f"create table t ({columns})") == refused


def test_columns_of_a_view() -> None:
    columns = ", ".join(f"{number} as c{number}" for number in range(1601))
    assert _refused(f"create view v as select {columns}") == {"too-many-columns"}


def test_a_statement_over_16_mb() -> None:
    assert _refused("select '" + "x" * (16 * 1024 * 1024) + "' as a") == {"statement-too-long"}


@pytest.mark.parametrize("length,refused", [(127, set()), (128, {"name-too-long"})])
def test_length_of_a_name(length: int, refused: set[str]) -> None:
    assert _refused(f"select 1 as {'a' * length}") == refused
    assert _refused(f"create table t ({'a' * length} integer)") == refused


def test_a_name_is_measured_in_bytes() -> None:
    assert _refused(f"select 1 as {'é' * 64}") == {"name-too-long"}


def test_user_defined_functions() -> None:
    sql = "select f_age(a), tools.f_code(b) from t"
    assert _refused(sql) == {"function-unknown"}
    assert _refused(sql, Options(allow_functions=frozenset({"f_age", "tools.f_code"}))) == set()


def test_a_function_made_in_the_same_text_is_known_after_it() -> None:
    made = (
        "create function f_age (date) returns integer stable as $$ select datediff(year, $1, sysdate) $$ language sql"
    )
    assert _refused(f"{made}; select f_age(a) from t") == set()
    assert _refused(f"select f_age(a) from t; {made}") == {"function-unknown"}


@pytest.mark.parametrize(
    "sql",
    [
        "select * exclude (a) from t",
        "select a, count(*) from t group by all",
        "select a from t as x qualify row_number() over (partition by a order by b) = 1",
        "select a from t where a ilike 'x%'",
        "select * from t pivot (sum(a) for b in ('x', 'y'))",
    ],
)
def test_what_only_redshift_takes_is_refused_in_the_project(sql: str) -> None:
    assert _refused(sql) == set()
    assert "not-portable" in _refused(sql, PROJECT)


@pytest.mark.parametrize("now", ["getdate()", "sysdate", "current_date"])
def test_no_clock_in_the_project(now: str) -> None:
    assert _refused(f"select cast({now} as date) as day") == set()
    assert _refused(f"select cast({now} as date) as day", PROJECT) == {"clock"}


def _contract(sql: str, **declared: str) -> set[str]:
    return _refused(sql, Options(strict=True, portable=True, contract=declared))


def test_contracted_columns_are_cast_to_their_types() -> None:
    good = "with f as (select cast(sum(a) as numeric(18, 2)) as amount from t) select * from f"
    assert _contract(good, amount="numeric(18, 2)") == set()
    assert _contract(good, amount="decimal(18,2)") == set()
    assert _contract(good, amount="numeric(18, 4)") == {"contract-type"}


@pytest.mark.parametrize(
    "expression,rule",
    [
        ("sum(a)", "uncast-aggregate"),
        ("coalesce(sum(a), 0)", "uncast-aggregate"),
        ("round(sum(a), 2)", "uncast-aggregate"),
        ("null", "untyped-literal"),
        ("'x'", "untyped-literal"),
    ],
)
def test_contracted_columns_without_a_cast(expression: str, rule: str) -> None:
    assert _contract(f"select {expression} as x from t", x="numeric(18, 2)") == {rule}
    through = f"with one as (select {expression} as x from t), two as (select x from one) select * from two"
    assert _contract(through, x="numeric(18, 2)") == {rule}


def test_declared_columns_tell_what_avg_averages() -> None:
    columns = {"dev.core.stays": {"days": "integer", "amount": "numeric(18, 2)"}}
    options = Options(strict=True, columns=columns)
    source = 'with s as (select * from "dev"."core"."stays") '
    assert _refused(source + "select avg(s.days) from s", options) == {"avg-of-integers"}
    assert _refused(source + "select avg(amount) from s", options) == set()
    assert _refused(source + "select avg(other) from s", options) == {"avg-of-unknown"}


# ---------------------------------------------------------------------------- it fails closed


def test_an_unknown_node_of_the_parser_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer sqlglot may read more: what the list doesn't have doesn't pass."""
    parts = {name: known for name, known in query_rules._PARTS.items() if name != "Between"}
    monkeypatch.setattr(query_rules, "_PARTS", parts)
    monkeypatch.setattr(query_rules, "_OPERATORS", (exp.Unary,))
    assert _refused("select a from t where a between 1 and 2") == {"construct"}


def test_an_unknown_part_of_a_known_node_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {**query_rules._PARTS, "Select": query_rules._PARTS["Select"] - {"order"}}
    monkeypatch.setattr(query_rules, "_PARTS", parts)
    assert _refused("select a from t order by a") == {"construct"}


def test_a_function_in_any_place_is_seen() -> None:
    places = [
        "select f_x(a) from t",
        "select 1 as a from t where f_x(a) = 1",
        "select 1 as a from t inner join u on f_x(t.a) = u.a",
        "select max(a) from t group by f_x(b) having f_x(max(a)) > 1 order by f_x(1)",
        "select sum(a) over (partition by f_x(b)) from t",
        "select case when f_x(a) then 1 end from t",
        "select a from (select f_x(b) as a from t) as s",
        "with s as (select f_x(b) as a from t) select a from s",
        "insert into t (a) select f_x(b) from u",
        "insert into t (a) values (f_x(1))",
        "update t set a = f_x(b)",
        "delete from t where f_x(a)",
        "merge into t using s on t.a = s.a when matched then update set b = f_x(s.b) "
        "when not matched then insert values (s.a)",
        "create view v as select f_x(a) as b from t",
        "create table t (a integer default f_x(1))",
        "create materialized view v as select f_x(a) as b from t",
        "explain select f_x(a) from t",
        "call p(f_x(1))",
        "declare c cursor for select f_x(a) from t",
        "unload ('select f_x(a) from t') to 's3://b/x' iam_role default",
        'select "f_x"(a) from t',
        "select F_X (a) from t",
    ]
    assert [sql for sql in places if "function-unknown" not in _refused(sql)] == []


def test_every_form_and_rule_is_sound() -> None:
    assert len(allowed_forms()) > 140
    known = rules()
    assert {form.rule for form in refused_forms()} <= set(known)
    for form in allowed_forms():
        assert form.first, form.page
        assert form.page.startswith("https://docs.aws.amazon.com/redshift/latest/dg/")
    for rule in known.values():
        assert rule.by in {"manual", "project", "advice"}
        assert rule.page.startswith("https://")
        assert rule.title and rule.instead


def test_the_lists_do_not_contradict_themselves() -> None:
    lists = functions()
    assert not set(lists.allowed) & set(lists.retired)
    assert not set(lists.allowed) & set(lists.refused)
    assert not set(types().allowed) & set(types().refused)
    assert len(lists.allowed) > 350
    assert len(words().reserved) > 150
    assert all(name == name.lower() for name in lists.allowed)


def test_every_fragment_is_used() -> None:
    document = statement_forms()
    texts = " ".join([*document["fragments"].values(), *(f for s in document["statements"] for f in s["forms"])])
    texts += " ".join(entry["form"] for entry in document["refused"])
    assert [name for name in document["fragments"] if f"<{name}>" not in texts] == []


# ---------------------------------------------------------------------------- the command


def test_files_and_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = tmp_path / "good.sql", tmp_path / "bad.sql"
    good.write_text("select 1 as a", encoding="utf-8")
    bad.write_text("select distinct on (a) a from t", encoding="utf-8")
    assert main(["check", str(good)]) == 0
    assert main(["check", str(good), str(bad)]) == 4
    printed = capsys.readouterr().out
    assert f"{bad}:1:" in printed
    assert "[distinct-on]" in printed


def test_stdin_and_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("select 1 as a;\nselect now()"))
    assert main(["check", "-", "--json"]) == 4
    document = json.loads(capsys.readouterr().out)
    assert document["summary"] == {"files": 1, "statements": 2, "accepted": 1, "warnings": 0, "refused": 1}
    (first, second) = document["files"][0]["statements"]
    assert first["verdict"] == "accepted"
    assert second["findings"][0]["rule"] == "function-retired"
    assert second["findings"][0]["line"] == 2
    assert second["findings"][0]["page"].startswith("https://docs.aws.amazon.com/")


def test_warnings_do_not_refuse_until_strict(tmp_path: Path) -> None:
    file = tmp_path / "t.sql"
    file.write_text("create table t (a varchar)", encoding="utf-8")
    assert main(["check", str(file)]) == 0
    assert main(["check", "--strict", str(file)]) == 4


def test_an_open_transaction(tmp_path: Path) -> None:
    file = tmp_path / "v.sql"
    file.write_text("vacuum t", encoding="utf-8")
    assert main(["check", str(file)]) == 0
    assert main(["check", "--transaction", str(file)]) == 4


def test_an_allowed_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "f.sql"
    file.write_text("select tools.f_x(a) from t", encoding="utf-8")
    assert main(["check", str(file)]) == 4
    assert main(["check", str(file), "--allow-function", "tools.f_x"]) == 0


def test_rules_are_listed_and_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--rules"]) == 0
    assert len(re.findall(r"^[a-z-]+ \((?:manual|project|advice)\)$", capsys.readouterr().out, re.MULTILINE)) == len(
        rules()
    )
    assert main(["check", "--explain", "distinct-on"]) == 0
    assert "row_number()" in capsys.readouterr().out
    assert main(["check", "--explain", "no-such-rule"]) == 2


@pytest.mark.parametrize("content", [b"\xff\xfe\x00bad", None])
def test_files_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "x.sql"
    if content is not None:
        file.write_bytes(content)
    assert main(["check", str(file)]) in {2, 4}


def test_an_empty_text_is_accepted() -> None:
    assert check_sql("") == []
    assert check_sql("-- nothing but words\n") == []


def test_no_project_and_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["check"]) == 2
