"""CSV objects into raw tables with DuckDB: every line of a file becomes a row, a reject, or is known to be blank.

Files that are read alike go in together, a lot with one `insert … select from read_csv`: what a file costs is then its
bytes, and not a statement of its own. DuckDB 1.5 loses lines without a word where a quote is never closed, so the
records that came out are held against the lines that went in. It does not say how many rows it took from which file,
and need not: each gives at most one record for each of its lines, so where the sums are equal every summand is. Only
where they differ (blank lines) a second look is taken, and a file of which lines are missing is refused as it is. A
file in which a quote is open where a line ends, by intent or not, is loaded alone.

A quote that is opened and, lines later, closed by the rules of CSV makes one value, whatever it holds: nobody can tell
it from a value that is meant to span lines.

Fields are named f0, f1, … in the statements, so that no name from a file gets into SQL.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import duckdb

from biostar.errors import BiostarError, DataError, ObjectError
from biostar.landing.inspect import blank_lines, lines_at
from biostar.warehouse.base import FileToLoad, LoadGroup, ObjectCounts, UnreadableAsIs, quote_identifier
from biostar.warehouse.duckdb_statement import SPECIAL, bound, bound_as_text, literal, literal_path

LONGEST_LINE = 4 * 1024 * 1024
"""Bytes; Redshift's COPY takes no longer input row, so a longer one is a reject on every target."""

MOST_OBJECTS = 500
"""In one statement; where one of them is in doubt, all of them are looked at again."""

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
class _Refused:
    """What DuckDB refused of a file: where it stands, how many records, and how many of them swallow lines."""

    rejects: str
    records: int = 0
    quotes_over_lines: int = 0


@dataclass(frozen=True)
class _Look:
    """What a second look at a file found: rows that fit, rows with a value that is too long, line ends in values."""

    fitting: int
    too_long: int = 0
    line_ends: int = 0


@dataclass(frozen=True)
class _Read:
    """One file after its rows are in.

    Attributes:
        file: the file.
        rejects: what DuckDB refused of it, as it stands behind FROM.
        refused: how many records those are.
        loaded: rows that went in.
        too_long: rows that did not, for a value that is longer than its column.
        blank_lines: the blank ones, by number.
        values_span_lines: whether line ends stand within values.
        blank_for_sure: whether each blank line is one, and none is part of a value.
    """

    file: FileToLoad
    rejects: str
    refused: int
    loaded: int
    too_long: int
    blank_lines: tuple[int, ...]
    values_span_lines: bool
    blank_for_sure: bool


def load_csv(connection: duckdb.DuckDBPyConnection, group: LoadGroup) -> list[ObjectCounts]:
    """Load the files of a group; see Warehouse.publish."""
    lots = lots_of(group.files)
    inserted = [_insert_lot(connection, group, lot, _rejects(number)) for number, lot in enumerate(lots)]
    # One look at what is in the table now costs less than a condition on every row on its way there.
    any_too_long = _remove_too_long(connection, group)
    counts: list[ObjectCounts] = []
    broken: list[str] = []
    for number, (lot, rows) in enumerate(zip(lots, inserted, strict=True)):
        reads = _account_for_lot(connection, group, lot, _rejects(number), rows, any_too_long=any_too_long)
        for file, read in zip(lot, reads, strict=True):
            if read is None:
                broken.append(file.key)
            elif not broken:
                counts.append(_write_rejects(connection, group, read))
        # They hold the text of the records, which is to be kept no longer than needed.
        forget(connection, _rejects(number))
    if broken:
        raise UnreadableAsIs(quotes=broken)
    return counts


def csv_statements(group: LoadGroup) -> list[str]:
    """The statements for a group as they are sent, with the bound values written out."""
    return [
        bound_as_text(_insert(group, lot, _rejects(number)), group).replace("$address", _written(lot))
        for number, lot in enumerate(lots_of(group.files))
    ]


def lots_of(files: Sequence[FileToLoad]) -> list[list[FileToLoad]]:
    """Files in lots that are read with one statement.

    In a lot of several, each file has its records on lines of their own, and DuckDB calls it as we do.
    """
    alike: dict[tuple[str, str], list[FileToLoad]] = {}
    lots = []
    for file in files:
        if file.records_are_lines and not file.left_out and not any(character in file.address for character in SPECIAL):
            alike.setdefault((file.compression, file.line_end), []).append(file)
        else:
            lots.append([file])
    for members in alike.values():
        lots += (members[place : place + MOST_OBJECTS] for place in range(0, len(members), MOST_OBJECTS))
    return lots


def _insert(group: LoadGroup, lot: Sequence[FileToLoad], rejects: str) -> str:
    """The INSERT of a lot; the addresses are bound as `$address`."""
    taken = [(position, name) for position, name in enumerate(group.fields) if name is not None]
    columns = ", ".join(quote_identifier(name) for name in (*(name for _, name in taken), *dict(group.constants)))
    constants = [f"$constant_{number}" for number in range(len(group.constants))]
    fields = ", ".join([*(f"f{position}" for position, _ in taken), *constants])
    return (
        f"insert into {quote_identifier(group.table.schema, group.table.name)}"
        f" ({columns}, _load_id, _ingest_date, _loaded_at)"
        f" select {fields}, $load_id, $ingest_date, $loaded_at from {_scan(group, lot, rejects)}"
    )


def _rejects(number: int) -> str:
    """The table for what DuckDB refuses of a lot."""
    return f"biostar_rejects_{number}"


def _insert_lot(
    connection: duckdb.DuckDBPyConnection, group: LoadGroup, lot: Sequence[FileToLoad], rejects: str
) -> int:
    forget(connection, rejects)
    try:
        inserted = connection.execute(
            _insert(group, lot, rejects), {"address": _addresses(lot), **bound(group)}
        ).fetchone()
    except duckdb.InvalidInputException as fault:
        raise _unreadable(connection, group, lot, fault) from None
    assert inserted is not None
    return int(inserted[0])


def _remove_too_long(connection: duckdb.DuckDBPyConnection, group: LoadGroup) -> bool:
    """Take rows with a value longer than declared out of the load again, and say whether there were any."""
    tests = " or ".join(f"strlen({quote_identifier(group.fields[at] or '')}) > {width}" for at, width in _limits(group))
    if not tests:
        return False
    table = quote_identifier(group.table.schema, group.table.name)
    where = f"where _load_id = $load_id and ({tests})"
    found = connection.execute(f"select count(*) from {table} {where}", {"load_id": group.load_id}).fetchone()
    assert found is not None
    if found[0]:
        connection.execute(f"delete from {table} {where}", {"load_id": group.load_id})
    return bool(found[0])


def _account_for_lot(
    connection: duckdb.DuckDBPyConnection,
    group: LoadGroup,
    lot: Sequence[FileToLoad],
    rejects: str,
    inserted: int,
    *,
    any_too_long: bool,
) -> list[_Read | None]:
    """Where the lines of each file of a lot went; None for each file of which a broken quote swallows lines."""
    refused = _refused(connection, lot, rejects)
    data_lines = {file.key: file.lines - group.header_lines - len(file.left_out) for file in lot}
    is_even = inserted + sum(one.records for one in refused.values()) == sum(data_lines.values())
    if is_even and not any_too_long:
        looks = {key: _Look(lines - refused[key].records) for key, lines in data_lines.items()}
    else:
        looks = _look_again(connection, group, lot)
        if len(lot) == 1:
            (key, look), *_ = looks.items()
            looks = {key: replace(look, fitting=inserted - look.too_long)}
        elif sum(look.fitting + look.too_long for look in looks.values()) != inserted:
            raise DataError(
                f"objects from '{lot[0].key}' to '{lot[-1].key}' changed while they were being read",
                undone="nothing of the batch is loaded",
                next_step="run the load again when their delivery is complete",
            )
    return [_account(connection, group, file, refused[file.key], looks[file.key]) for file in lot]


def _refused(connection: duckdb.DuckDBPyConnection, lot: Sequence[FileToLoad], rejects: str) -> dict[str, _Refused]:
    found = connection.execute(
        f"""
        select
            scans.file_path,
            scans.file_id,
            count(distinct rejects.line),
            count(*) filter (
                where rejects.error_type = 'UNQUOTED VALUE'
                and contains(trim(rejects.csv_line, chr(13) || chr(10)), chr(10))
            )
        from {rejects} as rejects
        inner join {rejects}_scans as scans on rejects.scan_id = scans.scan_id and rejects.file_id = scans.file_id
        group by scans.file_path, scans.file_id
        """
    ).fetchall()
    if len(lot) == 1:
        # Its path may be written otherwise; all there is belongs to it.
        return {lot[0].key: _Refused(rejects, *(found[0][2:] if found else ()))}
    of = {
        str(path): _Refused(f"(select * from {rejects} where file_id = {int(number)})", int(records), int(over_lines))
        for path, number, records, over_lines in found
    }
    refused = {file.key: of.pop(file.address, _Refused(f"(select * from {rejects} limit 0)")) for file in lot}
    if of:
        raise BiostarError(f"DuckDB calls {len(of)} files of '{lot[0].key}' and others by names that nobody gave them")
    return refused


def _look_again(connection: duckdb.DuckDBPyConnection, group: LoadGroup, lot: Sequence[FileToLoad]) -> dict[str, _Look]:
    """Read a lot again, to count file by file."""
    forget(connection, _AGAIN)
    taken = [position for position, name in enumerate(group.fields) if name is not None]
    # The engine passes over mistakes in fields that nobody asks for, so these are those that were asked for before.
    line_ends = _line_ends(range(len(group.fields)) if len(lot) == 1 and lot[0].quotes else taken)
    rows = connection.execute(
        "select filename, count(*) filter (where not too_long), count(*) filter (where too_long), sum(line_ends)"
        f" from (select filename, {_is_too_long(group)} as too_long, {line_ends} as line_ends"
        f" from {_scan(group, lot, _AGAIN, name_files=True)}) group by filename",
        {"address": _addresses(lot)},
    ).fetchall()
    forget(connection, _AGAIN)
    found = {str(name): _Look(int(fitting), int(too_long), int(inside)) for name, fitting, too_long, inside in rows}
    if len(lot) == 1:
        # Its path may be written otherwise.
        return {lot[0].key: next(iter(found.values()), _Look(0))}
    return {file.key: found.get(file.address, _Look(0)) for file in lot}


def _unreadable(
    connection: duckdb.DuckDBPyConnection, group: LoadGroup, lot: Sequence[FileToLoad], fault: duckdb.Error
) -> Exception:
    """What to raise where the engine gave up on a lot, with the files that are to blame."""
    if len(lot) > 1:
        mixed: list[FileToLoad] = []
        bad: list[FileToLoad] = []
        # With a connection of its own: the transaction of the load has ended by the fault.
        with connection.cursor() as another:
            for file in lot:
                try:
                    another.execute(
                        f"select count(*) from {_scan(group, [file], _AGAIN)}", {"address": _addresses([file])}
                    )
                except duckdb.InvalidInputException as of_file:
                    (mixed if _has_mixed_ends(of_file) else bad).append(file)
                finally:
                    forget(another, _AGAIN)
        if not bad:
            # Where each can be read alone, nobody knows what it is: written anew they are plain text.
            return UnreadableAsIs(line_ends=[file.key for file in mixed or lot])
        lot = bad
    elif _has_mixed_ends(fault):
        return UnreadableAsIs(line_ends=[lot[0].key])
    return ObjectError(
        f"'{lot[0].key}' cannot be read as CSV",
        lot[0].key,
        undone="nothing of it is loaded",
        next_step="deliver it again as comma-separated UTF-8 text with a header",
    )


def _has_mixed_ends(fault: duckdb.Error) -> bool:
    return "invalid state" in str(fault)


def _account(
    connection: duckdb.DuckDBPyConnection, group: LoadGroup, file: FileToLoad, refused: _Refused, look: _Look
) -> _Read | None:
    """Where each line of a file went; None where lines are missing."""
    if refused.quotes_over_lines:
        return None
    blank = file.left_out
    inside = 0
    for_sure = True
    unexplained = file.lines - group.header_lines - look.fitting - look.too_long - refused.records
    if unexplained != len(file.left_out):
        inside = look.line_ends + (_line_ends_of(connection, refused.rejects) if file.quotes else 0)
        with file.open() as stream:
            blank = blank_lines(stream, file.key)
        # A blank line within a value is a line end inside and looks blank too; any other must be one of the blanks.
        unexplained -= inside
        if not 0 <= unexplained <= len(blank):
            return None
        for_sure = unexplained in (0, len(blank))
        if unexplained == 0:
            blank = ()  # all of them are within values
    return _Read(file, refused.rejects, refused.records, look.fitting, look.too_long, blank, inside > 0, for_sure)


def forget(connection: duckdb.DuckDBPyConnection, rejects: str) -> None:
    """Drop a table of rejects with the table of its scans, if they are there."""
    connection.execute(f"drop table if exists {rejects}")
    connection.execute(f"drop table if exists {rejects}_scans")


def _line_ends_of(connection: duckdb.DuckDBPyConnection, rejects: str) -> int:
    """Line ends within refused records."""
    row = connection.execute(
        f"select coalesce(sum(lines - 1), 0) from ({_LINES_OF_REJECTS.format(rejects=rejects)})"
    ).fetchone()
    assert row is not None
    return int(row[0])


def _line_ends(positions: Iterable[int]) -> str:
    return " + ".join(
        f"coalesce(strlen(f{position}) - strlen(replace(f{position}, chr(10), '')), 0)" for position in positions
    )


def _write_rejects(connection: duckdb.DuckDBPyConnection, group: LoadGroup, read: _Read) -> ObjectCounts:
    """Write what did not go in of a file to load_rejects, and say how many records that is."""
    if read.file.left_out:
        connection.execute(
            f"insert into {_book(group)} select $load_id, $source, $table, $key, unnest($lines), null, 'broken_quotes',"
            " 'a quote on the line is not closed on it, in a file where quotes are broken', null, $now",
            {**_of_reject(group, read.file), "lines": list(read.file.left_out)},
        )
    if read.refused:
        _write_refused(connection, group, read)
    if read.too_long:
        _write_too_long(connection, group, read)
    return ObjectCounts(read.file.key, read.loaded, len(read.file.left_out) + read.refused + read.too_long)


def _of_reject(group: LoadGroup, file: FileToLoad) -> dict[str, object]:
    return {
        "load_id": group.load_id,
        "source": group.table.source,
        "table": group.table.name,
        "key": file.key,
        "now": group.loaded_at,
    }


def _write_refused(connection: duckdb.DuckDBPyConnection, group: LoadGroup, read: _Read) -> None:
    """Write the records that DuckDB refused, each with the line on which it begins."""
    if read.values_span_lines:
        records, lines = _reject_lines(connection, group, read)
        places = "select unnest($records) as line, unnest($lines) as line_number"
        where: dict[str, object] = {"records": records, "lines": lines}
    else:
        places = f"select distinct line, line + $lines_between as line_number from {read.rejects}"
        where = {"lines_between": group.header_lines - _skipped(group)}
    connection.execute(
        f"""
        insert into {_book(group)}
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
            **_of_reject(group, read.file),
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


def _limits(group: LoadGroup) -> list[tuple[int, int]]:
    """Position and bytes of each field whose column takes only so many."""
    return [
        (position, width)
        for position, (name, width) in enumerate(zip(group.fields, group.widths, strict=True))
        if name is not None and width is not None
    ]


def _is_too_long(group: LoadGroup) -> str:
    """Whether a row has a value that is longer than declared."""
    tests = " or ".join(f"strlen(f{position}) > {width}" for position, width in _limits(group))
    return f"coalesce({tests}, false)" if tests else "false"


def _write_too_long(connection: duckdb.DuckDBPyConnection, group: LoadGroup, read: _Read) -> None:
    """Write a reject for each row with a value that is too long, reading the file again in its order."""
    limits = _limits(group)
    first = " ".join(f"when strlen(f{position}) > {width} then {position}" for position, width in limits)
    length = " ".join(f"when strlen(f{position}) > {width} then strlen(f{position})" for position, width in limits)
    inside = _line_ends(range(len(group.fields))) if read.values_span_lines else "0"
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
                from {_scan(group, [read.file], _AGAIN, in_order=True)}
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
                "address": _addresses([read.file]),
                "header_lines": group.header_lines,
                "blank_lines": list(read.blank_lines),
                "records": records,
                "lines": lines,
                **_of_reject(group, read.file),
                "names": list(group.names),
                "widths": list(group.widths),
            },
        ).fetchone()
    finally:
        connection.execute("set preserve_insertion_order = false")
    forget(connection, _AGAIN)
    assert row is not None
    if row[0] != read.too_long:
        raise BiostarError(
            f"'{read.file.key}' has {read.too_long} rows with a value that is too long, {row[0]} were found again"
        )


def _book(group: LoadGroup) -> str:
    return (
        quote_identifier(group.books, "load_rejects")
        + " (load_id, source_name, table_name, object_key, line_number, column_name, error_code, error_reason,"
        + " value_length, rejected_at)"
    )


def _scan(
    group: LoadGroup,
    lot: Sequence[FileToLoad],
    rejects: str,
    *,
    in_order: bool = False,
    name_files: bool = False,
) -> str:
    """The table function that reads a lot; the sniffer and the partition in the path are out of the game.

    The bad records go to a temporary table named `rejects`. One thread alone keeps the order of a file.
    """
    columns = ", ".join(f"f{position}: 'varchar'" for position in range(len(group.fields)))
    return (
        f"read_csv($address, auto_detect = false, header = false, skip = {_skipped(group)}, columns = {{{columns}}},"
        f""" delim = ',', quote = '"', escape = '"', compression = '{lot[0].compression}',"""
        f" strict_mode = true, null_padding = false, max_line_size = {LONGEST_LINE}, hive_partitioning = false,"
        f" parallel = {str(not in_order).lower()}, store_rejects = true, rejects_limit = 0,"
        f" rejects_table = '{rejects}', rejects_scan = '{rejects}_scans'{', filename = true' if name_files else ''})"
    )


def _skipped(group: LoadGroup) -> int:
    """Records that are no data; DuckDB counts a header as one, however many lines it takes."""
    return min(group.header_lines, 1)


def _addresses(lot: Sequence[FileToLoad]) -> list[str]:
    """The addresses to bind, which DuckDB takes for patterns."""
    return [literal_path(file.address) for file in lot]


def _written(lot: Sequence[FileToLoad]) -> str:
    return f"[{', '.join(literal(address) for address in _addresses(lot))}]"
