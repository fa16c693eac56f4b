"""What may be repeated of an error of DuckDB."""

from __future__ import annotations

import duckdb

_OF_FILES_AND_NAMES = (duckdb.IOException, duckdb.HTTPException, duckdb.CatalogException, duckdb.ConnectionException)


def words_of(fault: duckdb.Error) -> str:
    """The first line of an error that speaks of files and names; of any other, which may quote a value, its kind."""
    return str(fault).partition("\n")[0] if isinstance(fault, _OF_FILES_AND_NAMES) else type(fault).__name__
