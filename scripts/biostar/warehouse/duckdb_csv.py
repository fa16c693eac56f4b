"""CSV objects into raw tables with DuckDB: every line of a file becomes a row, a reject, or is known to be blank.

The fast way is one `insert … select from read_csv`. DuckDB 1.5 loses lines without a word where a quote is never
closed, so the records that came out are held against the lines that went in; only where they differ (values that span
lines, blank lines, broken quotes) a second look is taken, and where lines are missing the object is refused as it is.

A quote that is opened and, lines later, closed by the rules of CSV makes one value, whatever it holds: nobody can tell
it from a value that is meant to span lines.

Fields are named f0, f1, … in the statements, so that no name from a file gets into SQL.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from biostar.errors import BiostarError, DataError
from biostar.landing.inspect import blank_lines, lines_at
from biostar.warehouse.base import FileToLoad, LoadGroup, ObjectCounts, UnreadableAsIs, quote_identifier

LONGEST_LINE = 4 * 1024 * 1024
"""Bytes; Redshift's COPY takes no longer input row, so a longer one is a reject on every target."""


_AGAIN = "biostar_rejects_again"
"""Takes the rejects of a second look. DuckDB's plain ignore_errors drops good rows after text behind a quote."""

# Codes and words of our own: DuckDB's messages may quote the record.
_CODE = """
    case kind
        when 'MISSING COLUMNS' then 'missing_columns'
        when 'TOO MANY COLUMNS' then 'too_many_columns'
        when 'UNQUOTED VALUE' then 'broken_quotes'
        when 'INVALID ENCODING' then 'invalid_encoding'
        when 'LINE SIZE OVER MAXIMUM' then 'line_too_long'
        else 'unreadable'
    end
"""
_LINES_OF_REJECTS = """
    select line, 1 + length(text) - length(replace(text, chr(10), '')) as lines
    from (select line, trim(any_value(csv_line), chr(13) || chr(10)) as text from {rejects} group by line)
"""
"""How many lines each reject takes; DuckDB keeps the line ends before it with its text."""

_REASON = """
    case kind
        when 'MISSING COLUMNS' then 'the record has ' || fields || ' of the ' || $width || ' fields of the header'
        when 'TOO MANY COLUMNS' then 'the record has ' || fields || ' fields, the header ' || $width
        when 'UNQUOTED VALUE' then 'a quote is not closed, or text follows the closing quote'
        when 'INVALID ENCODING' then 'the bytes are not UTF-8'
        when 'LINE SIZE OVER MAXIMUM' then 'the line is longer than 4 MiB'
        else 'the record cannot be read'
    end
"""


@dataclass(frozen=True)
class _Read:
    """One file after its rows are in.

    Attributes:
        file: the file.
        rejects: the temporary table with what DuckDB refused of it.
        loaded: rows that went in.
        rejected: records that did not.
        blank_lines: the blank ones, by number.
        values_span_lines: whether line ends stand within values.
        blank_for_sure: whether each blank line is one, and none is part of a value.
    """

    file: FileToLoad
    rejects: str
    loaded: int
    rejected: int
    blank_lines: tuple[int, ...]
    values_span_lines: bool
    blank_for_sure: bool


def load_group(connection: duckdb.DuckDBPyConnection, group: LoadGroup) -> list[ObjectCounts]:
    """Load the files of a group one after the other; see Warehouse.publish."""
    reads: list[_Read] = []
    broken: list[str] = []
    for number, file in enumerate(group.files):
        read = _load_file(connection, group, file, f"biostar_rejects_{number}")
        if read is None:
            broken.append(file.key)
        else:
            reads.append(read)
    if broken:
        raise UnreadableAsIs(quotes=broken)
    too_long = _remove_too_long(connection, group)
    counts = []
    for read in reads:
        found = _locate_too_long(connection, group, read) if too_long else 0
        too_long -= found
        counts.append(ObjectCounts(read.file.key, read.loaded - found, read.rejected + found))
    for read in reads:
        # They hold the text of the records, which is to be kept no longer than needed.
        forget(connection, read.rejects)
    if too_long:
        raise BiostarError(f"{too_long} over-long rows of '{group.table.name}' were not found again in their files")
    return counts


def load_statements(group: LoadGroup) -> list[str]:
    """The statement for each file of a group as it is sent, with the bound values written out."""
    statements = []
    for number, file in enumerate(group.files):
        statement = bound_as_text(insert(group, file, f"biostar_rejects_{number}"), group)
        statements.append(statement.replace("$address", literal(_literal_path(file.address))))
    return statements


def bound_as_text(statement: str, group: LoadGroup) -> str:
    """A statement with what a group binds written out, for people to read."""
    written = {
        "$load_id": str(group.load_id) if group.load_id else "<next load id>",
        "$ingest_date": f"date '{group.ingest_date}'",
        "$loaded_at": f"timestamp '{group.loaded_at}'",
        **{f"$constant_{number}": literal(value) for number, (_, value) in enumerate(group.constants)},
    }
    for name, value in sorted(written.items(), reverse=True):  # $constant_10 before $constant_1
        statement = statement.replace(name, value)
    return statement


def bound(group: LoadGroup) -> dict[str, object]:
    """The values of a group that its INSERT binds, besides the address."""
    return {
        "load_id": group.load_id,
        "ingest_date": group.ingest_date,
        "loaded_at": group.loaded_at,
        **{f"constant_{number}": value for number, (_, value) in enumerate(group.constants)},
    }


def insert(group: LoadGroup, file: FileToLoad, rejects: str) -> str:
    """The INSERT of a file, or of several that are read like it; the address is bound as `$address`."""
    taken = [(position, name) for position, name in enumerate(group.fields) if name is not None]
    columns = ", ".join(quote_identifier(name) for name in (*(name for _, name in taken), *dict(group.constants)))
    constants = [f"$constant_{number}" for number in range(len(group.constants))]
    fields = ", ".join([*(f"f{position}" for position, _ in taken), *constants])
    return (
        f"insert into {quote_identifier(group.table.schema, group.table.name)}"
        f" ({columns}, _load_id, _ingest_date, _loaded_at)"
        f" select {fields}, $load_id, $ingest_date, $loaded_at from {scan(group, file, rejects)}"
    )


def _load_file(connection: duckdb.DuckDBPyConnection, group: LoadGroup, file: FileToLoad, rejects: str) -> _Read | None:
    forget(connection, rejects)
    try:
        inserted = connection.execute(
            insert(group, file, rejects),
            {
                "address": _literal_path(file.address),
                **bound(group),
            },
        ).fetchone()
    except duckdb.InvalidInputException as fault:
        if "invalid state" in str(fault):
            raise UnreadableAsIs(line_ends=[file.key]) from None
        raise DataError(
            f"'{file.key}' cannot be read as CSV",
            undone="nothing of its batch is loaded",
            next_step="deliver it again as comma-separated UTF-8 text with a header",
        ) from None
    assert inserted is not None
    return _account(connection, group, file, rejects, int(inserted[0]))


def _account(
    connection: duckdb.DuckDBPyConnection, group: LoadGroup, file: FileToLoad, rejects: str, loaded: int
) -> _Read | None:
    row = connection.execute(
        f"""
        select
            count(distinct line),
            count(*) filter (
                where error_type = 'UNQUOTED VALUE' and contains(trim(csv_line, chr(13) || chr(10)), chr(10))
            )
        from {rejects}
        """
    ).fetchone()
    assert row is not None
    rejected, quotes_over_lines = int(row[0]), int(row[1])
    if quotes_over_lines:
        return None
    blank: tuple[int, ...] = file.left_out
    inside = 0
    for_sure = True
    data_lines = file.lines - group.header_lines
    if loaded + rejected + len(blank) != data_lines:
        inside = _line_ends_inside(connection, group, file, rejects) if file.quotes else 0
        with file.open() as stream:
            blank = blank_lines(stream, file.key)
        # A blank line within a value is a line end inside and looks blank too; any other must be one of the blanks.
        unexplained = data_lines - loaded - rejected - inside
        if not 0 <= unexplained <= len(blank):
            return None
        if unexplained == 0:
            blank = ()  # all of them are within values
        for_sure = unexplained == len(blank)
    read = _Read(file, rejects, loaded, rejected + len(file.left_out), blank, inside > 0, for_sure)
    _write_rejects(connection, group, read)
    return read


def forget(connection: duckdb.DuckDBPyConnection, rejects: str) -> None:
    """Drop a table of rejects with the table of its scans, if they are there."""
    connection.execute(f"drop table if exists {rejects}")
    connection.execute(f"drop table if exists {rejects}_scans")


def _line_ends_inside(connection: duckdb.DuckDBPyConnection, group: LoadGroup, file: FileToLoad, rejects: str) -> int:
    """Line ends within the values of a file, of the good rows and of the rejected ones."""
    forget(connection, _AGAIN)
    good = connection.execute(
        f"select coalesce(sum({_line_ends(group)}), 0) from {scan(group, file, _AGAIN)}",
        {"address": _literal_path(file.address)},
    ).fetchone()
    bad = connection.execute(
        f"""
        select coalesce(sum(lines - 1), 0) from ({_LINES_OF_REJECTS.format(rejects=rejects)})
        """
    ).fetchone()
    forget(connection, _AGAIN)
    assert good is not None
    assert bad is not None
    return int(good[0]) + int(bad[0])


def _line_ends(group: LoadGroup) -> str:
    return " + ".join(
        f"coalesce(strlen(f{position}) - strlen(replace(f{position}, chr(10), '')), 0)"
        for position in range(len(group.fields))
    )


def _write_rejects(connection: duckdb.DuckDBPyConnection, group: LoadGroup, read: _Read) -> None:
    book = _book(group)
    file = read.file
    common = {
        "load_id": group.load_id,
        "source": group.table.source,
        "table": group.table.name,
        "key": file.key,
        "now": group.loaded_at,
    }
    if file.left_out:
        connection.execute(
            f"insert into {book} select $load_id, $source, $table, $key, unnest($lines), null, 'broken_quotes',"
            " 'a quote on the line is not closed on it, in a file where quotes are broken', null, $now",
            {**common, "lines": list(file.left_out)},
        )
    if read.rejected == len(file.left_out):
        return
    if read.values_span_lines:
        records, lines = _reject_lines(connection, group, read)
        places = "select unnest($records) as line, unnest($lines) as line_number"
        where: dict[str, object] = {"records": records, "lines": lines}
    else:
        places = f"select distinct line, line + $lines_between as line_number from {read.rejects}"
        where = {"lines_between": group.header_lines - _skipped(group)}
    connection.execute(
        f"""
        insert into {book}
        with places as (
            {places}
        ),
        first_errors as (
            select
                line,
                arg_min(error_type, byte_position) as kind,
                arg_min(column_name, byte_position) as field,
                -- one error for each field that lacks (the first says how many there are) or is too many (the last)
                case when min(error_type) = 'MISSING COLUMNS' then min(found) else max(found) end as fields
            from (
                -- other kinds of error say no number
                select *, cast(nullif(regexp_extract(error_message, 'Found: (\\d+)', 1), '') as bigint) as found
                from {read.rejects}
            )
            group by line
        )
        select
            $load_id, $source, $table, $key, places.line_number,
            $names[cast(substr(field, 2) as integer) + 1],
            {_CODE}, {_REASON}, null, $now
        from first_errors
        inner join places on first_errors.line = places.line
        """,
        {
            **common,
            **where,
            "names": list(group.names),
            "width": len(group.fields),
        },
    )


def _reject_lines(connection: duckdb.DuckDBPyConnection, group: LoadGroup, read: _Read) -> tuple[list[int], list[int]]:
    """Number of each rejected record as DuckDB counts, and the line of the file on which it begins."""
    rows = connection.execute(
        f"""
        select
            line,
            min(line_byte_position) - 1
                + any_value(length(csv_line) - length(ltrim(csv_line, chr(13) || chr(10))))
        from {read.rejects}
        group by line
        order by line
        """
    ).fetchall()
    records = [int(record) for record, _ in rows]
    if not read.values_span_lines:
        return records, [record + group.header_lines - _skipped(group) for record in records]
    # DuckDB counts a record as one line; where values span lines only the position in bytes tells.
    with read.file.open() as stream:
        return records, lines_at(stream, read.file.key, [int(at) for _, at in rows])


def _remove_too_long(connection: duckdb.DuckDBPyConnection, group: LoadGroup) -> int:
    """Take rows with a value longer than declared out of the load again, and say how many; mostly none."""
    tests = [
        f"strlen({quote_identifier(name)}) > {width}"
        for name, width in zip(group.fields, group.widths, strict=True)
        if name is not None and width is not None
    ]
    if not tests:
        return 0
    table = quote_identifier(group.table.schema, group.table.name)
    where = f"where _load_id = $load_id and ({' or '.join(tests)})"
    found = connection.execute(f"select count(*) from {table} {where}", {"load_id": group.load_id}).fetchone()
    assert found is not None
    if found[0]:
        connection.execute(f"delete from {table} {where}", {"load_id": group.load_id})
    return int(found[0])


def _locate_too_long(connection: duckdb.DuckDBPyConnection, group: LoadGroup, read: _Read) -> int:
    """Write a reject for each row with a value that is too long, reading the file again in its order."""
    limits = [
        (position, width)
        for position, (name, width) in enumerate(zip(group.fields, group.widths, strict=True))
        if name is not None and width is not None
    ]
    first = " ".join(f"when strlen(f{position}) > {width} then {position}" for position, width in limits)
    length = " ".join(f"when strlen(f{position}) > {width} then strlen(f{position})" for position, width in limits)
    inside = _line_ends(group) if read.values_span_lines else "0"
    # A row begins after the header, the rows before it with the lines that they span, and the rejects and blank lines
    # before it, here called obstacles. Counted among the lines of rows only, an obstacle stands where the row that
    # follows it begins. A blank line that may be part of a value leaves the number open.
    line = "line_number" if read.blank_for_sure else "null"
    records, lines = _reject_lines(connection, group, read)
    forget(connection, _AGAIN)
    connection.execute("set preserve_insertion_order = true")
    try:
        row = connection.execute(
            f"""
            insert into {_book(group)}
            with numbered as (
                select
                    row_number() over () as position,
                    case {first} end as field,
                    case {length} end as value_length,
                    {inside} as line_ends
                from {scan(group, read.file, _AGAIN, in_order=True)}
            ),
            placed as (
                select
                    position,
                    field,
                    value_length,
                    position + sum(line_ends) over (order by position rows unbounded preceding) - line_ends
                        as line_among_rows
                from numbered
            ),
            obstacles as (
                select places.line_number, spans.lines
                from (select unnest($records) as line, unnest($lines) as line_number) as places
                inner join ({_LINES_OF_REJECTS.format(rejects=read.rejects)}) as spans on places.line = spans.line
                union all
                select unnest($blank_lines), 1
            ),
            obstacles_among_rows as (
                select
                    lines,
                    line_number - $header_lines
                        - sum(lines) over (order by line_number rows unbounded preceding) + lines as line_among_rows
                from obstacles
            ),
            too_long as (
                select
                    field,
                    value_length,
                    $header_lines + placed.line_among_rows + coalesce(
                        (
                            select sum(lines) from obstacles_among_rows
                            where obstacles_among_rows.line_among_rows <= placed.line_among_rows
                        ),
                        0
                    ) as line_number
                from placed
                where field is not null
            )
            select
                $load_id, $source, $table, $key, {line}, $names[field + 1], 'value_too_long',
                'the value has ' || value_length || ' bytes, the column takes ' || $widths[field + 1],
                value_length, $now
            from too_long
            """,
            {
                "address": _literal_path(read.file.address),
                "header_lines": group.header_lines,
                "blank_lines": list(read.blank_lines),
                "records": records,
                "lines": lines,
                "load_id": group.load_id,
                "source": group.table.source,
                "table": group.table.name,
                "key": read.file.key,
                "names": list(group.names),
                "widths": list(group.widths),
                "now": group.loaded_at,
            },
        ).fetchone()
    finally:
        connection.execute("set preserve_insertion_order = false")
    forget(connection, _AGAIN)
    assert row is not None
    return int(row[0])


def _book(group: LoadGroup) -> str:
    return (
        quote_identifier(group.books, "load_rejects")
        + " (load_id, source_name, table_name, object_key, line_number, column_name, error_code, error_reason,"
        + " value_length, rejected_at)"
    )


def scan(group: LoadGroup, file: FileToLoad, rejects: str, *, in_order: bool = False) -> str:
    """The table function that reads a file; the sniffer and the partition in the path are out of the game.

    The bad records go to a temporary table named `rejects`. One thread alone keeps the order of the file.
    """
    columns = ", ".join(f"f{position}: 'varchar'" for position in range(len(group.fields)))
    return (
        f"read_csv($address, auto_detect = false, header = false, skip = {_skipped(group)}, columns = {{{columns}}},"
        f""" delim = ',', quote = '"', escape = '"', compression = '{file.compression}',"""
        f" strict_mode = true, null_padding = false, max_line_size = {LONGEST_LINE}, hive_partitioning = false,"
        f" parallel = {str(not in_order).lower()}, store_rejects = true, rejects_limit = 0,"
        f" rejects_table = '{rejects}', rejects_scan = '{rejects}_scans')"
    )


def _skipped(group: LoadGroup) -> int:
    """Records that are no data; DuckDB counts a header as one, however many lines it takes."""
    return min(group.header_lines, 1)


def literal(text: str | None) -> str:
    """Text as a literal of DuckDB, for statements that are shown and not sent."""
    return "null" if text is None else "'" + text.replace("'", "''") + "'"


def _literal_path(address: str) -> str:
    """DuckDB takes a path for a pattern; in brackets each of its special characters stands for itself."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in address)
