"""Source declarations: what is read from them, what is refused, and the DDL that comes out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlglot
import yaml

from biostar.contracts import Column, read_sources
from biostar.errors import ConfigurationError
from biostar.project import project_root
from biostar.raw import ddl_statements
from biostar.warehouse import dialect_of, quote_identifier
from conftest import PROJECT, Lab


def declaration() -> dict[str, Any]:
    return {
        "version": 2,
        "sources": [
            {
                "name": "raw_x",
                "schema": "{{ env_var('BIOSTAR_SCHEMA_PREFIX', '') }}raw_x",
                "config": {"meta": {"landing": "x"}},
                "tables": [
                    {
                        "name": "things",
                        "config": {"meta": {"natural_key": ["id"], "unknown_columns": "evolve"}},
                        "columns": [
                            {"name": "id", "data_type": "varchar(64)", "config": {"meta": {"phi": "direct"}}},
                            {
                                "name": "note",
                                "data_type": "varchar(10)",
                                "config": {"meta": {"aliases": ["REMARK"], "optional": True}},
                            },
                        ],
                    }
                ],
            }
        ],
    }


def read(root: Path, document: object, environment: dict[str, str] | None = None):
    path = root / "models/staging/x/_x__sources.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document))
    return read_sources(root, environment or {})


def test_a_declaration_becomes_values(tmp_path: Path) -> None:
    [source] = read(tmp_path, declaration(), {"BIOSTAR_SCHEMA_PREFIX": "dev_"})
    assert (source.name, source.schema, source.landing) == ("raw_x", "dev_raw_x", "x")
    [table] = source.tables
    assert (table.natural_key, table.unknown_columns) == (("id",), "evolve")
    assert table.columns == (
        Column("id", "varchar(64)", phi="direct"),
        Column("note", "varchar(10)", aliases=("remark",), optional=True),
    )
    assert [column.width for column in table.all_columns] == [64, 10, None, None, None]
    assert table.by_name["remark"].name == "note"
    assert hash(source)


def wrong(path: list[Any], value: object):
    def change(document: dict[str, Any]) -> dict[str, Any]:
        at: Any = document
        for step in path[:-1]:
            at = at[step]
        if value is ...:
            del at[path[-1]]
        else:
            at[path[-1]] = value
        return document

    return change


SOURCE = ["sources", 0]
TABLE = [*SOURCE, "tables", 0]
COLUMN = [*TABLE, "columns", 0]
META = ["config", "meta"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (wrong(["sources"], ...), "'sources' must be a list"),
        (wrong([*SOURCE, "name"], "Raw X"), "a source is named 'Raw X'"),
        (wrong([*SOURCE, "schema"], "{{ target.name }}_x"), "uses Jinja other than env_var"),
        (wrong([*SOURCE, "schema"], "{{ env_var('NOWHERE') }}"), "environment variable NOWHERE"),
        (wrong([*SOURCE, "schema"], 'x"; drop'), "the schema 'x\"; drop'"),
        (wrong([*SOURCE, *META, "landing"], "../x"), "meta.landing is '../x'"),
        (wrong([*SOURCE, "tables"], []), "'tables' must be a list"),
        (wrong([*TABLE, "name"], "x" * 61), "at most 60 characters"),
        (
            wrong([*TABLE, *META, "unknown_columns"], "drop"),
            "unknown_columns is 'drop', allowed are error, ignore, evolve",
        ),
        (wrong([*TABLE, *META, "natural_key"], ...), "natural_key must be a list"),
        (wrong([*TABLE, *META, "natural_key"], ["ID"]), "natural_key names 'ID'"),
        (wrong([*TABLE, *META, "references"], ["id"]), "references must map columns to table.column"),
        (wrong([*TABLE, *META, "references"], {"id": "x"}), "references has 'id: x'"),
        (wrong([*TABLE, *META, "references"], {"nothing": "patients.id"}), "references has 'nothing: patients.id'"),
        (wrong([*TABLE, *META, "references"], {"id": "elsewhere.id"}), "'id' refers to 'elsewhere.id'"),
        (wrong([*COLUMN, "name"], "Id"), "a column is named 'Id'"),
        (wrong([*COLUMN, "name"], "_load_id"), "is one that the loader adds itself"),
        (wrong([*COLUMN, "name"], "remark"), "'remark' is declared twice"),
        (wrong([*COLUMN, "data_type"], ...), "data_type is ''"),
        (wrong([*COLUMN, "data_type"], "varchar"), "data_type is 'varchar', allowed are varchar(<bytes>)"),
        (wrong([*COLUMN, "data_type"], "varchar(65536)"), "65535 bytes at most"),
        (wrong([*COLUMN, "data_type"], "varchar(0)"), "data_type is 'varchar(0)'"),
        (wrong([*COLUMN, *META, "phi"], "maybe"), "phi is 'maybe', allowed are direct, quasi, none"),
        (wrong([*COLUMN, *META, "optional"], "yes"), "optional is 'yes'"),
        (wrong([*COLUMN, *META, "aliases"], "a"), "aliases must be a list"),
        (wrong([*COLUMN, "config"], [1]), "config.meta must be a mapping"),
    ],
)
def test_a_wrong_declaration_names_the_place(tmp_path: Path, change, words: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(words)) as caught:
        read(tmp_path, change(declaration()))
    assert caught.value.message.startswith("models/staging/x/_x__sources.yml")
    assert caught.value.next_step == "correct models/staging/x/_x__sources.yml"


def test_what_is_not_yaml_names_the_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"line \d: not YAML"):
        read(tmp_path, "a: 1\nb: [")
    with pytest.raises(ConfigurationError, match="no mapping"):
        read(tmp_path, "[1]")
    with pytest.raises(ConfigurationError, match="no source is declared"):
        read_sources(tmp_path / "elsewhere", {})


def test_the_project_is_found_from_any_folder_in_it(tmp_path: Path) -> None:
    assert project_root(PROJECT / "models" / "staging", {}) == PROJECT
    assert project_root(tmp_path, {}) == PROJECT  # the checkout that the package is installed from
    with pytest.raises(ConfigurationError, match="DBT_PROJECT_DIR"):
        project_root(tmp_path, {"DBT_PROJECT_DIR": str(tmp_path)})


def test_the_declarations_of_the_project() -> None:
    sources = {source.name: source for source in read_sources(PROJECT, {})}
    assert len(sources["raw_ehr"].tables) == 18
    assert [table.name for table in sources["raw_meta"].tables] == ["load_ledger", "load_rejects", "unload_ledger"]


def test_duckdb_takes_the_ddl() -> None:
    sources = read_sources(PROJECT, {})
    with duckdb.connect() as connection:
        for _ in range(2):
            for statement in ddl_statements(dialect_of("duckdb"), sources):
                connection.execute(statement)
        made = connection.execute("select count(*) from duckdb_tables()").fetchone()
    assert made == (sum(len(source.tables) for source in sources),)


def test_the_redshift_ddl_is_redshift(lab: Lab) -> None:
    said = lab.run("raw", "ddl", "--target", "redshift").document["statements"]
    sources = read_sources(PROJECT, {})
    tables = [statement for statement in said if statement.startswith("create table")]
    assert len(tables) == sum(len(source.tables) for source in sources)
    assert len(said) == len(tables) + len(sources)
    for statement in said:
        [parsed] = sqlglot.parse(statement, read="redshift")
        assert isinstance(parsed, sqlglot.exp.Create), statement
    [conditions] = [statement for statement in tables if '"raw_ehr"."conditions"' in statement]
    # `system` is a word that Redshift reserves.
    assert '    "system" varchar(64),\n' in conditions
    assert '    "_load_id" bigint not null,\n' in conditions
    assert conditions.endswith(')\ndiststyle auto\ncompound sortkey ("_load_id")')


def test_the_printed_ddl_runs_as_it_is(lab: Lab) -> None:
    from biostar.cli import main

    lab.capsys.readouterr()
    assert main(["raw", "ddl"]) == 0
    with duckdb.connect() as connection:
        connection.execute(lab.capsys.readouterr().out)
        assert connection.execute("select count(*) from raw_meta.load_ledger").fetchone() == (0,)


def test_names_are_quoted_by_one_rule() -> None:
    assert quote_identifier("a", 'b"; drop table c; --') == '"a"."b""; drop table c; --"'


def test_references_name_columns_and_tables_that_are_there() -> None:
    (tables,) = (source.tables for source in read_sources(PROJECT) if source.name == "raw_ehr")
    references = {table.name: table.references for table in tables}
    assert references["claims_transactions"] == (
        ("claimid", "claims", "id"),
        ("patientid", "patients", "id"),
        ("providerid", "providers", "id"),
    )
    # Every table with a direct identifier but the patients' own says whose row it is.
    for table in tables:
        personal = any(column.phi == "direct" for column in table.columns)
        says = any((other, key) == ("patients", "id") for _, other, key in table.references)
        assert says == (personal and table.name != "patients"), table.name
