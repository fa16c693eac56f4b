"""The lists of the AWS Database Developer Guide, read once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from biostar.check.model import page_url, read_yaml

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Functions:
    """The function reference: what may be called, where, and what to call instead."""

    allowed: dict[str, str]
    """Name to page."""
    aggregates: frozenset[str]
    windows: frozenset[str]
    leader_only: frozenset[str]
    leader_doubtful: dict[str, str]
    retired: dict[str, str]
    compute_only: frozenset[str]
    bare: dict[str, str]
    catalog_only: frozenset[str]
    undocumented: dict[str, str]
    windows_without_frame: frozenset[str]
    windows_without_order: frozenset[str]
    windows_want_order: frozenset[str]
    integers: frozenset[str]
    not_calls: frozenset[str]
    refused: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class DateParts:
    """The parts of a date that each function takes."""

    functions: dict[str, frozenset[str]]


@dataclass(frozen=True)
class Types:
    """The data types, their families and limits."""

    allowed: dict[str, dict[str, Any]]
    catalog_only: frozenset[str]
    undocumented: dict[str, str]
    refused: dict[str, str]
    limits: dict[str, dict[str, Any]]
    try_cast: dict[str, frozenset[str]]


@dataclass(frozen=True)
class Words:
    """The reserved words and the names of system columns, lower case."""

    reserved: frozenset[str]
    alias_needs_as: frozenset[str]
    system_columns: frozenset[str]


@lru_cache(maxsize=1)
def functions() -> Functions:
    """The function lists."""
    document = read_yaml(_HERE / "functions.yml")
    allowed: dict[str, str] = {}
    for names in document["allowed"].values():
        for name, page in names.items():
            allowed.setdefault(name, page_url(page))
    leader = document["leader_only"]
    for name in leader["refused"]:
        allowed.setdefault(name, page_url(leader["page"]))
    return Functions(
        allowed=allowed,
        aggregates=frozenset(document["allowed"]["aggregate"]) | frozenset(document["allowed"]["bitwise aggregate"]),
        windows=frozenset(document["allowed"]["window"]),
        leader_only=frozenset(leader["refused"]),
        leader_doubtful=dict(leader["doubtful"]),
        retired=dict(document["retired"]["names"]),
        compute_only=frozenset(document["compute_only"]["names"]),
        bare={name: page_url(page) for name, page in document["without_parentheses"].items()},
        catalog_only=frozenset(document["catalog_only"]["names"]),
        undocumented=dict(document["undocumented"]),
        windows_without_frame=frozenset(document["windows_without_frame"]),
        windows_without_order=frozenset(document["windows_without_order"]),
        windows_want_order=frozenset(document["windows_want_order"]),
        integers=frozenset(document["integers"]),
        not_calls=frozenset(document["not_calls"]),
        refused=dict(document["refused"]),
    )


@lru_cache(maxsize=1)
def date_parts() -> DateParts:
    """The parts of a date, each with its abbreviations."""
    document = read_yaml(_HERE / "date_parts.yml")
    words = {part: frozenset({part, *others}) for part, others in document["parts"].items()}
    return DateParts(
        {name: frozenset().union(*(words[part] for part in parts)) for name, parts in document["functions"].items()}
    )


@lru_cache(maxsize=1)
def types() -> Types:
    """The type lists."""
    document = read_yaml(_HERE / "types.yml")
    casts = {name: frozenset(targets) for name, targets in document["try_cast"].items() if name != "page"}
    return Types(
        allowed=dict(document["allowed"]),
        catalog_only=frozenset(document["catalog_only"]),
        undocumented=dict(document["undocumented"]),
        refused=dict(document["refused"]),
        limits=dict(document["limits"]),
        try_cast=casts,
    )


@lru_cache(maxsize=1)
def words() -> Words:
    """The reserved words."""
    document = read_yaml(_HERE / "reserved_words.yml")
    return Words(
        reserved=frozenset(document["reserved"]),
        alias_needs_as=frozenset(document["alias_needs_as"]),
        system_columns=frozenset(document["system_columns"]),
    )


@lru_cache(maxsize=1)
def statement_forms() -> dict[str, Any]:
    """The forms of the statements, as text; `biostar.check.forms` reads them."""
    document: dict[str, Any] = read_yaml(_HERE / "statements.yml")
    return document
