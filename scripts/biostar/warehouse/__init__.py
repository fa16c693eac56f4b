"""A warehouse behind one small interface: DuckDB in a file, Amazon Redshift and its stand-in by the same calls.

What is SQL of one target only stands in the module of that target; callers use what every target understands.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from biostar.errors import UsageError
from biostar.warehouse.base import (
    CommitUnknownError,
    Dialect,
    FileToLoad,
    LoadGroup,
    ObjectCounts,
    Staged,
    UnreadableAsIs,
    Warehouse,
    quote_identifier,
    quote_literal,
)

TARGETS = ("duckdb", "redshift", "standin")

__all__ = [
    "TARGETS",
    "CommitUnknownError",
    "Dialect",
    "FileToLoad",
    "LoadGroup",
    "ObjectCounts",
    "Staged",
    "UnreadableAsIs",
    "Warehouse",
    "dialect_of",
    "open_warehouse",
    "quote_identifier",
    "quote_literal",
]


def dialect_of(target: str) -> Dialect:
    """How `target` spells its DDL.

    Raises:
        UsageError: there is no such target.
    """
    if target == "duckdb":
        from biostar.warehouse.duckdb_dialect import DuckDBDialect

        return DuckDBDialect()
    if target in ("redshift", "standin"):
        from biostar.warehouse.redshift_dialect import RedshiftDialect

        return RedshiftDialect(target)
    raise UsageError(f"there is no target '{target}'", next_step=f"choose one of {', '.join(TARGETS)}")


def open_warehouse(target: str, *, read_only: bool = False, environment: Mapping[str, str] = os.environ) -> Warehouse:
    """Connect to `target`.

    Raises:
        UsageError: there is no such target.
        ConfigurationError: its settings are wrong.
        WarehouseError: it does not answer.
    """
    if target == "duckdb":
        from biostar.warehouse.duckdb_warehouse import DuckDBWarehouse

        return DuckDBWarehouse.connect(environment, read_only=read_only)
    dialect_of(target)
    from biostar.warehouse.redshift_warehouse import RedshiftWarehouse

    return RedshiftWarehouse.connect(target, environment)
