"""What is repeated of an error of DuckDB never quotes a value."""

from __future__ import annotations

import duckdb
import pytest

from biostar.warehouse.duckdb_words import words_of

VALUE = "999-12-3456"


@pytest.mark.parametrize(
    "sql",
    [
        f"select cast('{VALUE}' as integer)",
        f"select strptime('{VALUE}', '%Y')",
        f"select cast('{VALUE}' as date)",
        f"select json('{VALUE}')",
        f"select error('{VALUE}')",
        f"select '{VALUE}' + interval 1 day from nowhere_{VALUE}",
        f"select regexp_matches('a', '({VALUE}')",
    ],
)
def test_an_error_that_quotes_a_value_is_called_by_its_kind(sql: str) -> None:
    with duckdb.connect() as connection, pytest.raises(duckdb.Error) as fault:
        connection.execute(sql).fetchall()
    assert VALUE not in words_of(fault.value)


def test_an_error_that_speaks_of_files_and_names_is_repeated() -> None:
    with duckdb.connect() as connection:
        with pytest.raises(duckdb.Error) as of_file:
            connection.execute("select * from read_csv('/nowhere/x.csv')")
        with pytest.raises(duckdb.Error) as of_name:
            connection.execute("select * from encounters")
    assert "/nowhere/x.csv" in words_of(of_file.value)
    assert "encounters" in words_of(of_name.value)
