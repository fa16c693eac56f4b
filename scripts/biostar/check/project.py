"""What a dbt project sends to Redshift: compiled models, snapshots and tests, declared tables, hooks, the loader's DDL.

dbt compiles in this process, for the target `redshift`, without a connection, into a target folder of its own, so that
a build on DuckDB is left alone. Tables are created by dbt from the contracts; the gate checks the DDL that follows
from a contract beside the query that fills the table.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biostar.check.gate import check_sql
from biostar.check.inspection import Inspection, Options
from biostar.check.model import StatementReport, page_url
from biostar.check.recording import node_name, record_builds, why
from biostar.contracts import read_sources
from biostar.errors import ConfigurationError
from biostar.raw import ddl_statements
from biostar.warehouse import dialect_of
from biostar.warehouse.redshift_copy import sample_statements

_QUERIES = {"model", "snapshot", "test"}
_COMMENT = re.compile(r"^\s*/\*.*?\*/", re.DOTALL)
_CLOCK = re.compile(r"__dbt_tmp\d+")


@dataclass(frozen=True)
class Text:
    """One text to check and how."""

    name: str
    sql: str
    options: Options
    in_transaction: bool = False
    first_line: int = 1


def compile_project(project: Path, target_path: Path) -> dict[str, Any]:
    """The manifest of the project, compiled for Redshift without a connection.

    Raises ConfigurationError with dbt's own words where the project doesn't compile.
    """
    from dbt.cli.main import dbtRunner

    arguments = ["--quiet", "compile", "--target", "redshift", "--no-introspect", "--no-populate-cache"]
    result = dbtRunner().invoke([*arguments, *dbt_arguments(project, target_path)])
    if not result.success:
        raise ConfigurationError(
            f"dbt could not compile the project for redshift: {why(result)}",
            undone="nothing was checked",
            next_step="dbt compile --target redshift --no-introspect --no-populate-cache",
        )
    return read_manifest(target_path)


def dbt_arguments(project: Path, target_path: Path) -> list[str]:
    """dbt's options for a project: where it is, where its profiles are, and where it compiles to."""
    arguments = ["--project-dir", str(project), "--target-path", str(target_path)]
    if "DBT_PROFILES_DIR" not in os.environ and (project / "profiles" / "profiles.yml").exists():
        arguments += ["--profiles-dir", str(project / "profiles")]
    return arguments


def read_manifest(target_path: Path) -> dict[str, Any]:
    """The manifest that a compilation left behind."""
    path = target_path / "manifest.json"
    if not path.exists():
        raise ConfigurationError(
            f"there is no compiled project in {target_path}",
            undone="nothing was checked",
            next_step="biostar check, without --no-compile",
        )
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def project_texts(manifest: dict[str, Any], project: Path, base: Options) -> Iterator[Text]:
    """Every text of the project with the options that apply to it."""
    columns = known_columns(manifest)
    package = manifest["metadata"]["project_name"]
    for node in manifest["nodes"].values():
        if node["package_name"] != package or node["resource_type"] not in _QUERIES:
            continue
        name, sql = _compiled(node, project)
        if sql is None:
            continue
        model = node["resource_type"] == "model"
        contract = _contract(node)
        yield Text(
            name,
            sql,
            Options(
                strict=base.strict,
                allow_functions=base.allow_functions,
                columns=columns,
                contract=contract if model else None,
                portable=True,
            ),
        )
        if contract and node["config"].get("materialized") in {"table", "incremental"}:
            yield Text(
                _relative(node["patch_path"] or node["original_file_path"], project),
                table_ddl(node),
                base,
            )
        for when, hook in _hooks(node):
            if "{{" not in hook["sql"] and "{%" not in hook["sql"]:
                where = f"{node['original_file_path']} ({when})"
                yield Text(where, hook["sql"], base, bool(hook.get("transaction", True)))
    yield from _loader_texts(project, base)


def check_project(manifest: dict[str, Any], project: Path, base: Options) -> dict[str, list[StatementReport]]:
    """The verdict on each statement of the project, by file."""
    reports: dict[str, list[StatementReport]] = {}
    for text in project_texts(manifest, project, base):
        reports.setdefault(text.name, []).extend(check_sql(text.sql, text.options, in_transaction=text.in_transaction))
    package = manifest["metadata"]["project_name"]
    for node in manifest["nodes"].values():
        if node["package_name"] != package or node["resource_type"] not in _QUERIES:
            continue
        if node.get("compiled_code") is None:
            name = node["original_file_path"]
            report = StatementReport(1, "not compiled", page_url("c_SQL_commands"))
            Inspection("", base, report.findings).report("unreadable", (1, 1), f"{node['name']} was not compiled")
            reports.setdefault(name, []).append(report)
        is_mart = node["original_file_path"].startswith("models/marts/")
        if is_mart and node["config"].get("materialized") in {"table", "incremental"} and _contract(node) is None:
            name = node["original_file_path"]
            report = StatementReport(1, "create table as", page_url("r_CREATE_TABLE_AS"))
            Inspection("", base, report.findings).report("contract-missing", (1, 1), node["name"])
            reports.setdefault(name, []).append(report)
    return reports


def unread_hooks(manifest: dict[str, Any]) -> int:
    """How many hooks are Jinja that only a run of dbt writes out."""
    package = manifest["metadata"]["project_name"]
    nodes = [node for node in manifest["nodes"].values() if node["package_name"] == package]
    return sum("{{" in hook["sql"] or "{%" in hook["sql"] for node in nodes for _, hook in _hooks(node))


def check_sent(
    manifest: dict[str, Any], project: Path, target_path: Path, base: Options
) -> dict[str, list[StatementReport]]:
    """The verdict on each statement that dbt would send in a first and in a second build, hooks and all."""
    # A target folder of its own: dbt writes a manifest of what it built last, and the gate needs that of the whole.
    apart = target_path / "sent"
    apart.mkdir(parents=True, exist_ok=True)
    parsed = target_path / "partial_parse.msgpack"
    if parsed.exists():
        shutil.copyfile(parsed, apart / parsed.name)
    sent = record_builds(manifest, dbt_arguments(project, apart))
    columns = known_columns(manifest)
    ours = Options(strict=base.strict, allow_functions=base.allow_functions, columns=columns)
    dbts = Options(allow_functions=base.allow_functions)
    reports: dict[str, list[StatementReport]] = {}
    transactions: dict[int, bool] = {}
    known: dict[tuple[str, bool], list[StatementReport]] = {}
    for statement in sent:
        inside = transactions.get(statement.connection, False)
        sql = _COMMENT.sub("", statement.sql).strip()
        if not sql:
            continue
        key = (_CLOCK.sub("", sql), inside)
        if key not in known:
            options = ours if statement.node in manifest["nodes"] else dbts
            known[key] = check_sql(sql, options, in_transaction=inside)
            reports.setdefault(node_name(statement.node, manifest), []).extend(known[key])
        transactions[statement.connection] = _inside_after(sql, inside)
    return reports


def _inside_after(sql: str, inside: bool) -> bool:
    first = sql.split(None, 1)[0].strip(";").lower()
    if first in {"begin", "start"}:
        return True
    return False if first in {"commit", "rollback", "end", "abort"} else inside


def known_columns(manifest: dict[str, Any]) -> dict[str, dict[str, str]]:
    """The declared types of every relation's columns, by `database.schema.name` as compiled SQL names it."""
    found: dict[str, dict[str, str]] = {}
    for node in [*manifest["nodes"].values(), *manifest["sources"].values()]:
        relation = node.get("relation_name")
        if not relation:
            continue
        types = {
            name.strip('"').lower(): column["data_type"].lower()
            for name, column in (node.get("columns") or {}).items()
            if column.get("data_type")
        }
        if types:
            found[relation.replace('"', "").lower()] = types
    return found


def table_ddl(node: dict[str, Any]) -> str:
    """The CREATE TABLE that dbt-redshift sends for a contracted model."""
    config = node["config"]
    lines = []
    for name, column in node["columns"].items():
        constraints = "".join(f" {_constraint(each)}" for each in column.get("constraints") or [])
        written = f'"{name}"' if column.get("quote") else name
        lines.append(f"    {written} {column['data_type']}{constraints}")
    dist, sort = config.get("dist"), config.get("sort")
    options = ""
    if dist in {"all", "even"}:
        options += f"\ndiststyle {dist}"
    elif dist and dist != "auto":
        options += f"\ndiststyle key distkey ({dist})"
    if sort:
        keys = [sort] if isinstance(sort, str) else sort
        options += f"\n{config.get('sort_type') or 'compound'} sortkey ({', '.join(keys)})"
    relation = node.get("relation_name") or node["name"]
    return f"create table {relation} (\n" + ",\n".join(lines) + f"\n){options}"


def _constraint(constraint: dict[str, Any]) -> str:
    kind = str(constraint.get("type") or "")
    if kind == "foreign_key":
        target = constraint.get("to")
        listed = f" ({', '.join(constraint.get('to_columns') or [])})" if constraint.get("to_columns") else ""
        return f"references {target}{listed}" if target else f"references {constraint.get('expression') or ''}"
    return kind.replace("_", " ") if kind in {"not_null", "primary_key", "unique"} else ""


def _contract(node: dict[str, Any]) -> dict[str, str] | None:
    if not (node["config"].get("contract") or {}).get("enforced"):
        return None
    return {
        name.strip('"').lower(): (column.get("data_type") or "").lower() for name, column in node["columns"].items()
    }


def _compiled(node: dict[str, Any], project: Path) -> tuple[str, str | None]:
    path = node.get("compiled_path")
    sql = node.get("compiled_code")
    if path is None or sql is None:
        return str(node["original_file_path"]), None
    file = Path(path)
    if not file.is_absolute():
        file = project / file
    return _relative(str(file), project), sql


def _relative(path: str, project: Path) -> str:
    plain = re.sub(r"^\w+://", "", path)
    file = Path(plain)
    if file.is_absolute() and file.is_relative_to(project):
        return str(file.relative_to(project))
    return plain


def _hooks(node: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Hooks, with the relation put in; what else they have of Jinja is refused as such, since nobody compiled it."""
    for when in ("pre-hook", "post-hook"):
        for hook in node["config"].get(when) or []:
            sql = re.sub(r"\{\{\s*this\s*\}\}", node.get("relation_name") or node["name"], hook["sql"])
            if sql.strip():
                yield when, {**hook, "sql": sql}


def _loader_texts(project: Path, base: Options) -> Iterator[Text]:
    """What the loader sends by itself: the DDL of the raw tables, and for each of them COPY and what goes with it."""
    sources = read_sources(project)
    statements = list(ddl_statements(dialect_of("redshift"), sources))
    yield Text("biostar raw ddl --target redshift", ";\n".join(statements), base)
    statements = [
        statement
        for source in sources
        if source.landing is not None
        for table in source.tables
        for statement in sample_statements(table)
    ]
    yield Text("biostar load --dry-run --target redshift", ";\n".join(statements), base)
