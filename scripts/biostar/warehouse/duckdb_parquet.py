"""Parquet objects into raw tables with DuckDB: typed values to text, each type in one spelling.

date         2024-02-08
timestamp    2024-02-08 10:30:00, with fractions of a second where there are any; one with a time zone in UTC
decimal      with all digits of its scale
boolean      true, false
nested       JSON
binary       as UTF-8 text, as which old writers mark text
the rest     as DuckDB writes it

The columns get names of our own in the statement, so that no name from a file gets into SQL. A reject has the number of
its row, from 1, where a text has that of its line.
"""

from __future__ import annotations

import duckdb

from biostar.errors import ObjectError
from biostar.warehouse.base import FileToLoad, LoadGroup, ObjectCounts, quote_identifier
from biostar.warehouse.duckdb_csv import _literal_path

_NESTED = ("STRUCT(", "MAP(", "UNION(")


def load_parquet(connection: duckdb.DuckDBPyConnection, group: LoadGroup) -> list[ObjectCounts]:
    """Load the files of a group one after the other; see Warehouse.publish."""
    return [_load_file(connection, group, file) for file in group.files]


def parquet_statements(group: LoadGroup) -> list[str]:
    """The statement for each file of a group, with the address written out."""
    return [
        _insert(group, file).replace("$address", "'" + _literal_path(file.address).replace("'", "''") + "'")
        for file in group.files
        if group.fields
    ]


def _load_file(connection: duckdb.DuckDBPyConnection, group: LoadGroup, file: FileToLoad) -> ObjectCounts:
    address = _literal_path(file.address)
    rejected = 0
    try:
        inserted = connection.execute(
            _insert(group, file),
            {
                "address": address,
                "load_id": group.load_id,
                "ingest_date": group.ingest_date,
                "loaded_at": group.loaded_at,
                **{f"constant_{number}": value for number, (_, value) in enumerate(group.constants)},
            },
        ).fetchone()
        assert inserted is not None
        if int(inserted[0]) != file.lines:
            refused = connection.execute(
                _insert_rejects(group, file),
                {
                    "address": address,
                    "load_id": group.load_id,
                    "source": group.table.source,
                    "table": group.table.name,
                    "key": file.key,
                    "names": list(group.names),
                    "widths": list(group.widths),
                    "now": group.loaded_at,
                },
            ).fetchone()
            assert refused is not None
            rejected = int(refused[0])
    except (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.OutOfRangeException):
        raise _damaged(file) from None
    except duckdb.Error as fault:
        # Of no kind at all are errors of the codecs: "Failed to decompress GZIP block", "Out of buffer".
        if type(fault) is duckdb.Error:
            raise _damaged(file) from None
        raise
    counts = ObjectCounts(file.key, int(inserted[0]), rejected)
    if counts.read != file.lines:
        raise ObjectError(
            f"'{file.key}' has {file.lines:,} rows by its footer, {counts.read:,} were read",
            file.key,
            undone="nothing of it is loaded",
            next_step="deliver the object again",
        )
    return counts


def _damaged(file: FileToLoad) -> ObjectError:
    return ObjectError(
        f"'{file.key}' is a damaged Parquet file",
        file.key,
        undone="nothing of it is loaded",
        next_step="deliver the object again",
    )


def _insert(group: LoadGroup, file: FileToLoad) -> str:
    taken = [(position, name) for position, name in enumerate(group.fields) if name is not None]
    columns = [name for _, name in taken] + [name for name, _ in group.constants]
    values = [f"f{position}" for position, _ in taken]
    values += [f"$constant_{number}" for number in range(len(group.constants))]
    listed = ", ".join([*map(quote_identifier, columns), "_load_id", "_ingest_date", "_loaded_at"])
    return (
        f"insert into {quote_identifier(group.table.schema, group.table.name)} ({listed}) {_rows(group, file)}"
        f" select {', '.join([*values, '$load_id', '$ingest_date', '$loaded_at'])} from judged where field is null"
    )


def _insert_rejects(group: LoadGroup, file: FileToLoad) -> str:
    return f"""
        insert into {quote_identifier(group.books, "load_rejects")}
            (load_id, source_name, table_name, object_key, line_number, column_name, error_code, error_reason,
             value_length, rejected_at)
        {_rows(group, file)}
        select
            $load_id, $source, $table, $key, 1 + file_row_number, $names[field + 1],
            case when value_length is null then 'invalid_encoding' else 'value_too_long' end,
            case
                when value_length is null then 'the bytes are not UTF-8'
                else 'the value has ' || value_length || ' bytes, the column takes ' || $widths[field + 1]
            end,
            value_length, $now
        from judged
        where field is not null
    """


def _rows(group: LoadGroup, file: FileToLoad) -> str:
    names = ", ".join(f"p{position}" for position in range(len(group.fields)))
    taken = [position for position, name in enumerate(group.fields) if name is not None]
    values = [f"nullif({_as_text(f'p{position}', file.types[position])}, '') as f{position}" for position in taken]
    binary = [position for position in taken if file.types[position] == "BLOB"]
    not_text = [
        f"when p{position} is not null and try(decode(p{position})) is null then {position}" for position in binary
    ]
    limits = [(position, width) for position in taken if (width := group.widths[position]) is not None]
    too_long = [f"when strlen(f{position}) > {width} then {position}" for position, width in limits]
    length = " ".join(f"when strlen(f{position}) > {width} then strlen(f{position})" for position, width in limits)
    values.append(f"{f'case {chr(32).join(not_text)} end' if binary else 'cast(null as integer)'} as not_text")
    return f"""
        with texts as (
            select file_row_number, {", ".join(values)}
            from read_parquet($address, hive_partitioning = false, file_row_number = true) as t({names})
        ),
        judged as (
            select
                *,
                coalesce(not_text, {f"case {' '.join(too_long)} end" if limits else "null"}) as field,
                {f"case when not_text is null then case {length} end end" if limits else "null"} as value_length
            from texts
        )
    """


def _as_text(column: str, data_type: str) -> str:
    if data_type == "BLOB":
        return f"try(decode({column}))"
    if data_type == "TIMESTAMP WITH TIME ZONE":
        return f"cast(timezone('UTC', {column}) as varchar)"
    if data_type.endswith("]") or data_type.startswith(_NESTED):
        return f"cast(to_json({column}) as varchar)"
    return f"cast({column} as varchar)"
