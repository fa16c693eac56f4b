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

from collections.abc import Iterator, Sequence

import duckdb

from biostar.errors import ObjectError, WarehouseError
from biostar.warehouse.base import FileToLoad, LoadGroup, ObjectCounts, quote_identifier
from biostar.warehouse.duckdb_statement import SPECIAL, bound, bound_as_text, literal, literal_path

SMALL = 1 << 20
"""Bytes of an object; below, a statement of its own costs more than reading it twice."""

MOST_OBJECTS = 500
MOST_BYTES = 32 << 20

_NUMBER = "file_row_number"
_ADDRESS = "biostar_address"
_NESTED = ("STRUCT(", "MAP(", "UNION(")


def load_parquet(connection: duckdb.DuckDBPyConnection, group: LoadGroup) -> list[ObjectCounts]:
    """Load the files of a group: small ones in lots, the others one after the other; see Warehouse.publish."""
    small, others = lots_of(group.files)
    counts: list[ObjectCounts] = []
    for lot in small:
        done = _load_lot(connection, group, lot)
        counts += done
        loaded = {count.key for count in done}
        others += (file for file in lot if file.key not in loaded)
    return counts + [_load_file(connection, group, file) for file in others]


def parquet_statements(group: LoadGroup) -> list[str]:
    """The statements for a group as they are sent where nothing is in doubt, with the bound values written out."""
    if not group.fields:
        return []
    small, others = lots_of(group.files)
    statements = []
    for lot in small:
        addresses = f"[{', '.join(literal(file.address) for file in lot)}]"
        statements += [
            _look(group, lot[0]).replace("$address", addresses),
            bound_as_text(_insert(group, lot[0]), group).replace("$address", addresses),
        ]
    for file in others:
        address = literal(literal_path(file.address))
        statements.append(bound_as_text(_insert(group, file), group).replace("$address", address))
    return statements


def lots_of(files: Sequence[FileToLoad]) -> tuple[list[list[FileToLoad]], list[FileToLoad]]:
    """Small files in lots of two or more, and the others."""
    small: list[FileToLoad] = []
    others: list[FileToLoad] = []
    for file in files:
        fits = 0 < file.size < SMALL and not any(character in file.address for character in SPECIAL)
        (small if fits else others).append(file)
    found: list[list[FileToLoad]] = []
    for lot in _cut(small):
        if len(lot) > 1:
            found.append(lot)
        else:
            others += lot
    return found, others


def _cut(files: Sequence[FileToLoad]) -> Iterator[list[FileToLoad]]:
    lot: list[FileToLoad] = []
    size = 0
    for file in files:
        if lot and (len(lot) == MOST_OBJECTS or size + file.size > MOST_BYTES):
            yield lot
            lot, size = [], 0
        lot.append(file)
        size += file.size
    if lot:
        yield lot


def _load_lot(connection: duckdb.DuckDBPyConnection, group: LoadGroup, lot: Sequence[FileToLoad]) -> list[ObjectCounts]:
    """Load with one statement what is without doubt of some files; all others have to be loaded one by one."""
    # With a connection of its own: a statement that fails would end the transaction of the load.
    with connection.cursor() as look:
        try:
            rows = look.execute(
                _look(group, lot[0]),
                {"address": [file.address for file in lot]},
            ).fetchall()
        except duckdb.Error:
            return []  # one of them cannot be read, or the store failed: whichever it is, it will come again
    found = {str(name): (int(read), int(kept)) for name, read, kept in rows}
    good = [file for file in lot if found.get(file.address, (0, 0)) == (file.lines, file.lines)]
    if not good:
        return []
    inserted = connection.execute(
        _insert(group, lot[0]),
        {
            "address": [file.address for file in good],
            **bound(group),
        },
    ).fetchone()
    assert inserted is not None
    expected = sum(file.lines for file in good)
    if int(inserted[0]) != expected:
        raise WarehouseError(
            f"{len(good):,} objects, '{good[0].key}' the first, have {expected:,} rows, {inserted[0]:,} were read",
            undone="nothing of the current batch is loaded",
            next_step="run the load again",
        )
    return [ObjectCounts(file.key, file.lines, 0) for file in good]


def _load_file(connection: duckdb.DuckDBPyConnection, group: LoadGroup, file: FileToLoad) -> ObjectCounts:
    address = literal_path(file.address)
    rejected = 0
    try:
        inserted = connection.execute(
            _insert(group, file),
            {
                "address": address,
                **bound(group),
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


def _look(group: LoadGroup, like: FileToLoad) -> str:
    """The query for the rows of each of several files, and how many of them are good."""
    return (
        f"{_rows(group, like, _ADDRESS)}"
        f" select {_ADDRESS}, count(*), count(*) filter (where field is null) from judged group by {_ADDRESS}"
    )


def _insert(group: LoadGroup, file: FileToLoad) -> str:
    """The statement for a file, or for several that have its columns."""
    taken = [(position, name) for position, name in enumerate(group.fields) if name is not None]
    columns = [name for _, name in taken] + [name for name, _ in group.constants]
    values = [f"f{position}" for position, _ in taken]
    values += [f"$constant_{number}" for number in range(len(group.constants))]
    listed = ", ".join([*map(quote_identifier, columns), "_load_id", "_ingest_date", "_loaded_at"])
    return (
        f"insert into {quote_identifier(group.table.schema, group.table.name)} ({listed})"
        f" {_rows(group, file)}"
        f" select {', '.join([*values, '$load_id', '$ingest_date', '$loaded_at'])} from judged where field is null"
    )


def _insert_rejects(group: LoadGroup, file: FileToLoad) -> str:
    # A file may have a column of this name itself; then the number is not to be had.
    number = "" if _NUMBER in {name.lower() for name in group.names} else _NUMBER
    return f"""
        insert into {quote_identifier(group.books, "load_rejects")}
            (load_id, source_name, table_name, object_key, line_number, column_name, error_code, error_reason,
             value_length, rejected_at)
        {_rows(group, file, number)}
        select
            $load_id, $source, $table, $key, {f"1 + {number}" if number else "null"}, $names[field + 1],
            case when value_length is null then 'invalid_encoding' else 'value_too_long' end,
            case
                when value_length is null then 'the bytes are not UTF-8'
                else 'the value has ' || value_length || ' bytes, the column takes ' || $widths[field + 1]
            end,
            value_length, $now
        from judged
        where field is not null
    """


def _rows(group: LoadGroup, file: FileToLoad, besides: str = "") -> str:
    """The rows of a file, or of several like it, as text, and what is wrong with them.

    `besides` asks for the number of each row in its file (_NUMBER) or for the address of its file (_ADDRESS).
    """
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
    option = {_NUMBER: f", {_NUMBER} = true", _ADDRESS: f", filename = '{_ADDRESS}'"}.get(besides, "")
    return f"""
        with texts as (
            select {", ".join([besides, *values] if besides else values)}
            from read_parquet($address, hive_partitioning = false{option}) as t({names})
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
