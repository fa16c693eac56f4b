"""Raw tables from the declarations. Making them again changes nothing, except that newly declared columns are added."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from biostar.contracts import Source
from biostar.errors import ConfigurationError
from biostar.warehouse import Dialect, Warehouse


def ddl_statements(dialect: Dialect, sources: Iterable[Source]) -> Iterator[str]:
    """The statements that make every declared schema and table, without semicolons."""
    for source in sources:
        yield dialect.create_schema(source.schema)
        for table in source.tables:
            yield dialect.create_table(table)


def create_tables(warehouse: Warehouse, sources: Sequence[Source]) -> list[str]:
    """Make what is declared and missing; returns what was made, `schema.table` or `….column`.

    Tables and columns are made in one transaction. A column that is declared wider than it is there is widened
    afterwards, where the target enforces widths: Redshift does that outside of transactions only.

    Raises:
        ConfigurationError: a table is there and lacks a column that cannot be added afterwards.
    """
    made: list[str] = []
    with warehouse.transaction():
        for source in sources:
            existing = warehouse.columns_of(source.schema)
            warehouse.execute(warehouse.dialect.create_schema(source.schema))
            for table in source.tables:
                there = existing.get(table.name)
                if there is None:
                    warehouse.execute(warehouse.dialect.create_table(table))
                    made.append(f"{table.schema}.{table.name}")
                    continue
                for column in table.all_columns:
                    if column.name in there:
                        continue
                    if column.not_null:
                        raise ConfigurationError(
                            f"the table {table.schema}.{table.name} was not made by biostar: it lacks '{column.name}'",
                            undone="no table was changed",
                            next_step="rename or drop the table, then run biostar raw create",
                        )
                    warehouse.execute(warehouse.dialect.add_column(table, column))
                    made.append(f"{table.schema}.{table.name}.{column.name}")
    return made + _widen(warehouse, sources)


def _widen(warehouse: Warehouse, sources: Iterable[Source]) -> list[str]:
    widened = []
    for source in sources:
        there = warehouse.widths_of(source.schema)
        for table in source.tables:
            for column in table.all_columns:
                width = there.get((table.name, column.name))
                if column.width is not None and width is not None and column.width > width:
                    warehouse.execute(warehouse.dialect.widen_column(table, column))
                    widened.append(f"{table.schema}.{table.name}.{column.name}")
    return widened
