"""Source YAML to contracts, refusing what a loader could only guess at.

Each message names file, table and column, since a declaration is written by a person who has to find the line.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from biostar.contracts.limits import ErrorLimit
from biostar.contracts.model import LOAD_COLUMNS, Column, RawTable, Source
from biostar.errors import ConfigurationError

SOURCE_FILES = "models/staging/*/_*__sources.yml"
POLICIES = ("error", "ignore", "evolve")
FILE_FORMATS = ("csv", "json", "parquet")
LAYOUTS = ("daily", "hourly", "hive", "dms")
PHI_CLASSES = ("direct", "quasi", "none")
PLAIN_TYPES = ("bigint", "integer", "date", "timestamp")
LONGEST_VARCHAR = 65535
"""Bytes; the longest varchar that Redshift's manual allows in a column (Character types)."""

# Redshift allows 127 bytes; 60 leaves room for prefixes and suffixes that dbt adds to a relation's name.
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,59}")
_VARCHAR = re.compile(r"varchar\(([1-9]\d*)\)")
_ENV_VAR = re.compile(
    r"""\{\{\s*env_var\(\s*(['"])(?P<name>\w+)\1\s*(?:,\s*(['"])(?P<default>[^'"]*)\3\s*)?\)\s*\}\}"""
)

# The C loader reads the declarations in a tenth of the time; it is missing where PyYAML was built without libyaml.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_sources(project: Path, environment: Mapping[str, str] = os.environ) -> tuple[Source, ...]:
    """Every source that the project declares, in the order of the file names.

    Raises:
        ConfigurationError: there is no declaration, or one cannot be used; the first fault found is named.
    """
    files = sorted(project.glob(SOURCE_FILES))
    if not files:
        raise ConfigurationError(
            f"no source is declared under '{project}' (looked for {SOURCE_FILES})",
            next_step="run biostar inside the project, or set DBT_PROJECT_DIR",
        )
    sources: list[Source] = []
    for file in files:
        where = str(file.relative_to(project))
        for entry in _entries(_document(file, where), "sources", where):
            sources.append(_source(entry, where, environment))
    _refuse_twice((source.name for source in sources), "source", "the project")
    return tuple(sources)


def _document(file: Path, where: str) -> Mapping[str, Any]:
    try:
        document = yaml.load(file.read_bytes(), Loader=_Loader)
    except OSError as fault:
        raise ConfigurationError(f"{where}: cannot be read: {fault.strerror}") from fault
    except yaml.YAMLError as fault:
        mark = getattr(fault, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise ConfigurationError(
            f"{where}{line}: not YAML: {getattr(fault, 'problem', fault)}", next_step="correct the file"
        ) from fault
    if not isinstance(document, Mapping):
        raise _wrong(where, "holds no mapping with the key 'sources'")
    return document


def _source(entry: Mapping[str, Any], where: str, environment: Mapping[str, str]) -> Source:
    name = _name(entry, where, "source")
    where = f"{where}: source '{name}'"
    schema = _rendered(str(entry.get("schema") or name), where, environment)
    if not _NAME.fullmatch(schema):
        raise _wrong(where, f"the schema '{schema}' is not a plain lower-case name of at most 60 characters")
    meta = _meta(entry, where)
    landing = meta.get("landing")
    if landing is not None and not (isinstance(landing, str) and _NAME.fullmatch(landing)):
        raise _wrong(where, f"meta.landing is '{landing}', which is not a plain folder name")
    tables = tuple(_table(table, name, schema, landing, meta, where) for table in _entries(entry, "tables", where))
    _refuse_twice((table.name for table in tables), "table", where)
    known = {(table.name, column.name) for table in tables for column in table.columns}
    for table in tables:
        for column, other, key in table.references:
            if (other, key) not in known:
                raise _wrong(
                    f"{where}, table '{table.name}'", f"'{column}' refers to '{other}.{key}', which is not there"
                )
    return Source(name, schema, landing, tables)


def _table(
    entry: Mapping[str, Any], source: str, schema: str, landing: str | None, inherited: Mapping[str, Any], where: str
) -> RawTable:
    name = _name(entry, where, "table")
    declared_in = where.partition(":")[0]
    where = f"{where}, table '{name}'"
    meta = _meta(entry, where)
    columns = tuple(_column(column, where) for column in _entries(entry, "columns", where))
    _refuse_twice((spelling for column in columns for spelling in column.names), "column name or alias", where)
    added = {column.name for column in LOAD_COLUMNS} if landing is not None else set()
    for column in columns:
        if column.name in added:
            raise _wrong(where, f"column '{column.name}' is one that the loader adds itself; remove it")

    policy = _choice(meta, "unknown_columns", POLICIES, "error", where)
    file_format = _choice(meta, "format", FILE_FORMATS, inherited.get("format", "csv"), where)
    layout = _choice(meta, "layout", LAYOUTS, inherited.get("layout", "daily"), where)
    has_header = meta.get("header", inherited.get("header", True))
    if not isinstance(has_header, bool):
        raise _wrong(where, f"header is '{has_header}', allowed are true, false")
    told = meta.get("max_errors", inherited.get("max_errors"))
    max_errors = None if told is None else ErrorLimit.parse(str(told))
    if told is not None and max_errors is None:
        raise _wrong(where, f"max_errors is '{told}', allowed are a number of records, or a share as 2.5%")
    if landing is not None:
        _refuse_discord(file_format, layout, has_header, where)
    key = meta.get("natural_key")
    if not isinstance(key, list) or not key or not all(isinstance(part, str) for part in key):
        raise _wrong(where, "natural_key must be a list of at least one column")
    for part in key:
        if part not in {column.name for column in columns}:
            raise _wrong(where, f"natural_key names '{part}', which is not a declared column")
    return RawTable(
        source=source,
        schema=schema,
        name=name,
        landing=landing,
        columns=columns,
        natural_key=tuple(key),
        unknown_columns=policy,
        file_format=file_format,
        layout=layout,
        has_header=has_header,
        max_errors=max_errors,
        references=_references(meta, columns, where),
        declared_in=declared_in,
    )


def _references(meta: Mapping[str, Any], columns: Sequence[Column], where: str) -> tuple[tuple[str, str, str], ...]:
    """`{patient: patients.id}` as column, table and key; that the table is there is checked when all are read."""
    told = meta.get("references", {})
    if not isinstance(told, Mapping):
        raise _wrong(where, "references must map columns to table.column")
    names = {column.name for column in columns}
    found = []
    for column, target in told.items():
        table, dot, key = str(target).partition(".")
        if column not in names or not (dot and _NAME.fullmatch(table) and _NAME.fullmatch(key)):
            raise _wrong(where, f"references has '{column}: {target}', which is not a column and table.column")
        found.append((str(column), table, key))
    return tuple(found)


def _refuse_discord(file_format: str, layout: str, has_header: bool, where: str) -> None:
    if layout == "dms" and file_format == "json":
        raise _wrong(where, "layout is 'dms' and format 'json'; AWS DMS writes csv or parquet")
    if not has_header and file_format != "csv":
        raise _wrong(where, f"header is 'false' and format '{file_format}', whose files name their columns themselves")


def _choice(meta: Mapping[str, Any], key: str, allowed: Sequence[str], default: str, where: str) -> Any:
    value = meta.get(key, default)
    if value not in allowed:
        raise _wrong(where, f"{key} is '{value}', allowed are {', '.join(allowed)}")
    return value


def _column(entry: Mapping[str, Any], where: str) -> Column:
    name = _name(entry, where, "column")
    where = f"{where}, column '{name}'"
    data_type = str(entry.get("data_type", ""))
    text = _VARCHAR.fullmatch(data_type)
    if text:
        if int(text.group(1)) > LONGEST_VARCHAR:
            raise _wrong(where, f"data_type is '{data_type}', Redshift allows {LONGEST_VARCHAR} bytes at most")
    elif data_type not in PLAIN_TYPES:
        raise _wrong(where, f"data_type is '{data_type}', allowed are varchar(<bytes>), {', '.join(PLAIN_TYPES)}")
    meta = _meta(entry, where)
    aliases = meta.get("aliases", [])
    if not isinstance(aliases, list) or not all(isinstance(alias, str) and alias.strip() for alias in aliases):
        raise _wrong(where, "aliases must be a list of names")
    phi = meta.get("phi", "none")
    if phi not in PHI_CLASSES:
        raise _wrong(where, f"phi is '{phi}', allowed are {', '.join(PHI_CLASSES)}")
    optional = meta.get("optional", False)
    if not isinstance(optional, bool):
        raise _wrong(where, f"optional is '{optional}', allowed are true, false")
    return Column(name, data_type, tuple(alias.strip().lower() for alias in aliases), optional, phi)


def _entries(entry: Mapping[str, Any], key: str, where: str) -> list[Mapping[str, Any]]:
    found = entry.get(key)
    if not isinstance(found, list) or not found or not all(isinstance(item, Mapping) for item in found):
        raise _wrong(where, f"'{key}' must be a list of at least one entry")
    return found


def _name(entry: Mapping[str, Any], where: str, what: str) -> str:
    name = entry.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _wrong(
            where, f"a {what} is named '{name}', which is not a plain lower-case name of at most 60 characters"
        )
    return name


def _meta(entry: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    config = entry.get("config") or {}
    meta = config.get("meta") or {} if isinstance(config, Mapping) else None
    if not isinstance(meta, Mapping):
        raise _wrong(where, "config.meta must be a mapping")
    return meta


def _rendered(text: str, where: str, environment: Mapping[str, str]) -> str:
    def value(call: re.Match[str]) -> str:
        found = environment.get(call["name"], call["default"])
        if found is None:
            raise _wrong(where, f"needs the environment variable {call['name']}, which is not set")
        return str(found)

    rendered = _ENV_VAR.sub(value, text)
    if "{{" in rendered or "{%" in rendered:
        raise _wrong(where, f"'{text}' uses Jinja other than env_var('NAME', 'default'), which the loader cannot read")
    return rendered


def _refuse_twice(names: Iterable[str], what: str, where: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise _wrong(where, f"{what} '{name}' is declared twice")
        seen.add(name)


def _wrong(where: str, fault: str) -> ConfigurationError:
    return ConfigurationError(f"{where}: {fault}", next_step=f"correct {where.partition(':')[0]}")
