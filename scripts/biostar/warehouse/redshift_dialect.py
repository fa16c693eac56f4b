"""DDL for Amazon Redshift.

Raw tables only ever grow, and staging reads the newest loads: the compound sort key on the load lets a block be skipped
by its load id without ever needing a VACUUM SORT, since each load appends at the end. No raw table is joined on one
column often enough to distribute by it, so Redshift chooses (DISTSTYLE AUTO). ENCODE is left out on purpose: without it
the manual's CREATE TABLE page has ENCODE AUTO apply to the whole table.
"""

from __future__ import annotations

from biostar.contracts import Column, RawTable
from biostar.warehouse.base import quote_identifier
from biostar.warehouse.duckdb_dialect import column_ddl


class RedshiftDialect:
    """Spelling of Amazon Redshift, and of its stand-in."""

    def __init__(self, name: str = "redshift") -> None:
        self.name = name

    def create_schema(self, schema: str) -> str:
        """Create a schema unless it is there."""
        return f"create schema if not exists {quote_identifier(schema)}"

    def create_table(self, table: RawTable) -> str:
        """Create a raw table unless it is there."""
        columns = ",\n".join(f"    {column_ddl(column)}" for column in table.all_columns)
        load = "_load_id" if table.landing is not None else "load_id"
        sorting = f"\ncompound sortkey ({quote_identifier(load)})" if load in table.by_name or table.landing else ""
        return (
            f"create table if not exists {quote_identifier(table.schema, table.name)} (\n{columns}\n)\n"
            f"diststyle auto{sorting}"
        )

    def add_column(self, table: RawTable, column: Column) -> str:
        """Add one column; Redshift takes one to a statement, and NOT NULL only with a default."""
        return f"alter table {quote_identifier(table.schema, table.name)} add column {column_ddl(column)}"

    def widen_column(self, table: RawTable, column: Column) -> str:
        """Give a column of text its declared width; only larger, and outside of a transaction block.

        https://docs.aws.amazon.com/redshift/latest/dg/r_ALTER_TABLE.html
        """
        return (
            f"alter table {quote_identifier(table.schema, table.name)}"
            f" alter column {quote_identifier(column.name)} type {column.data_type}"
        )
