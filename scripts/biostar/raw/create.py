"""Raw tables from the declarations. Making them again changes nothing, except that newly declared columns are added."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from biostar.contracts import Source
from biostar.errors import ConfigurationError
from biostar.warehouse import Dialect, Warehouse


def ddl_statements(dialect: Dialect, sources: Iterable[Source]) -> Iterator[str]:
    """The statements that make every declared schema and table, without semicolons."""
    for source in sources:
        yield dialect.create_schema(source.schema)
        for table in source.tables:
            yield dialect.create_table(table)


def create_tables(warehouse: Warehouse, sources: Iterable[Source]) -> list[str]:
    """Make what is declared and missing, in one transaction; returns what was made, `schema.table` or `….column`.

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
    return made
