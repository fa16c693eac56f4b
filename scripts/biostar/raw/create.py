"""Raw tables from the declarations. Making them again changes nothing, except that newly declared columns are added."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from biostar.contracts import Source
from biostar.errors import ConfigurationError, TransientError, WarehouseError
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
        ConfigurationError: a table is there and lacks a column that cannot be added afterwards, or has one that cannot
            be widened.
    """
    made: list[str] = []
    with warehouse.transaction():
        for source in sources:
            existing = warehouse.columns_of(source.schema)
            if not existing:  # a user who may fill the tables need not be allowed to make schemas
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
                    try:
                        warehouse.execute(warehouse.dialect.widen_column(table, column))
                    except TransientError:
                        raise
                    except WarehouseError as fault:
                        raise ConfigurationError(
                            f"{table.schema}.{table.name}.{column.name} takes {width} bytes, is declared with"
                            f" {column.width}, and cannot be widened: {fault.message}",
                            undone="nothing was loaded",
                            next_step="if a view uses it, drop the view, which the next build makes again; or declare"
                            " the width that it has",
                        ) from None
                    widened.append(f"{table.schema}.{table.name}.{column.name}")
    return widened
