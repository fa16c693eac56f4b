"""DDL for DuckDB. It keeps `varchar(n)` for the reader's sake and enforces no length; the loader checks it."""

from __future__ import annotations

from biostar.contracts import Column, RawTable
from biostar.warehouse.base import quote_identifier


class DuckDBDialect:
    """Spelling of DuckDB."""

    name = "duckdb"

    def create_schema(self, schema: str) -> str:
        """Create a schema unless it is there."""
        return f"create schema if not exists {quote_identifier(schema)}"

    def create_table(self, table: RawTable) -> str:
        """Create a raw table unless it is there."""
        columns = ",\n".join(f"    {column_ddl(column)}" for column in table.all_columns)
        return f"create table if not exists {quote_identifier(table.schema, table.name)} (\n{columns}\n)"

    def add_column(self, table: RawTable, column: Column) -> str:
        """Add one column; rows that are there get null."""
        return f"alter table {quote_identifier(table.schema, table.name)} add column {column_ddl(column)}"

    def widen_column(self, table: RawTable, column: Column) -> str:
        """Give a column of text its declared width, which DuckDB keeps for the reader's sake."""
        return (
            f"alter table {quote_identifier(table.schema, table.name)}"
            f" alter column {quote_identifier(column.name)} type {column.data_type}"
        )


def column_ddl(column: Column) -> str:
    """A column as both targets define it."""
    return f"{quote_identifier(column.name)} {column.data_type}{' not null' if column.not_null else ''}"
