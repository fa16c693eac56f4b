r"""Newline-delimited JSON into raw tables with DuckDB: every line becomes a row, a reject, or is known to be blank.

The lines are cut here and given to the engine in blocks: what reads JSON files by itself either stops at the first bad
line or drops it, and does not say its number. A block goes in with one statement; only where rows are fewer than lines
a second one tells what is wrong with which.

A value becomes text as JSON writes it: a number with the digits that stand there (the engine would make 1.10 to 1.1,
and of 20 digits keep 17), `true`, `false`, a text without its quotes, a nested value as compact JSON. `null` and an
empty text are null, as an empty field of CSV is. No name from a file gets into SQL: keys are bound, as JSON pointers.
"""

from __future__ import annotations

import secrets
from bisect import bisect_right
from dataclasses import dataclass

import duckdb

from biostar.errors import ObjectError
from biostar.landing.inspect import text_of
from biostar.landing.json_lines import BLOCK, Block, blocks_of
from biostar.warehouse.base import FileToLoad, LoadGroup, ObjectCounts, quote_identifier
from biostar.warehouse.duckdb_statement import bound_as_text

_BLANK = " \t\r"
_SPACES = "chr(32) || chr(9) || chr(13)"
_NUL = "\\u0000"

# Each string, or else each number, with marks behind the one and around the other; no valid JSON holds such characters.
_NUMBERS = (
    r"""'("(?:[^"\\]|\\.)*")|(-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)', '\1' || chr(1) || '\2' || chr(2), 'g'"""
)
_ONCE = "limit 9223372036854775807"
"""Keeps the optimizer from computing a column again in each place that names it; conditions stay above a limit."""

_MANY_DIGITS = "|".join(
    rf"[0-9]{{{whole},}}\.[0-9]{{{part}}}"
    for whole, part in ((13, 1), (11, 3), (9, 5), (7, 7), (5, 9), (3, 11), (1, 13))
)
_LOSSY = (
    r"regexp_matches(line, '[:\[,]\s*-?(?:[0-9]+\.[0-9]+0\s*[,}\]]|0+\.0000|0\s*[,}\]]|[0-9.]+[eE]|"
    rf"{_MANY_DIGITS})')"
)
r"""Whether a line may have a number that the engine writes otherwise than it stands there.

That are zeros at the end of a fraction, exponents, -0, what is smaller than 0.0001, and 15 digits or more with a point:
a double keeps any decimal of up to 15 digits and gives it back as it was (IEEE 754; `DBL_DIG` of C). Whole numbers keep
their digits anyway.
"""
_NUMBERS_AS_TEXT = (
    f"replace(replace(replace(regexp_replace(line, {_NUMBERS}),"
    """ chr(1) || chr(2), ''), chr(1), '"' || $mark), chr(2), '"')"""
)

_CODE = """
    case
        when kind <> 'OBJECT' or not is_object then 'invalid_json'
        when repeated then 'duplicate_key'
        when nul then 'invalid_encoding'
        when field is not null then 'value_too_long'
    end
"""
_REASON = r"""
    case code
        when 'invalid_json' then case
            when kind <> '' then 'the line is JSON, but no object'
            when regexp_matches(line, '^\s*\{.*\}\s*,?\s*\{.*\}\s*$') then 'the line holds several objects'
            else 'the line is not JSON'
        end
        when 'duplicate_key' then 'the object has a key twice, or two keys for one column'
        when 'invalid_encoding' then 'a value holds a NUL'
        else 'the value has ' || value_length || ' bytes, the column takes ' || $widths[field + 1]
    end
"""


def load_json(connection: duckdb.DuckDBPyConnection, group: LoadGroup) -> list[ObjectCounts]:
    """Load the files of a group, small ones many to a statement; see Warehouse.publish."""
    plan = _Plan.of(group)
    counts = {file.key: [0, 0] for file in group.files}
    pieces: list[_Piece] = []
    held = 0
    for file in group.files:
        lines = 0
        with file.open() as stream:
            for block in blocks_of(text_of(stream, file.key)):
                lines += block.lines
                counts[file.key][1] += _reject_unread(connection, plan, file, block)
                pieces.append(_Piece.of(file, block))
                held += len(block.text)
                if held >= BLOCK:
                    _load_pieces(connection, plan, pieces, counts)
                    pieces, held = [], 0
        if lines != file.lines:
            raise ObjectError(
                f"'{file.key}' changed while it was being read",
                file.key,
                undone="nothing of it is loaded",
                next_step="run the load again when its delivery is complete",
            )
    _load_pieces(connection, plan, pieces, counts)
    return [ObjectCounts(key, loaded, rejected) for key, (loaded, rejected) in counts.items()]


def json_statements(group: LoadGroup) -> list[str]:
    """The statement for the lines of a group, with `$text` for some MiB of them; it is sent as often as it takes."""
    return [bound_as_text(_Plan.of(group).insert(_Variant(False, False)), group)] if group.fields else []


@dataclass(frozen=True)
class _Piece:
    """Lines of one file that go in with lines of others, and how many of them are not blank."""

    file: FileToLoad
    block: Block
    records: int

    @classmethod
    def of(cls, file: FileToLoad, block: Block) -> _Piece:
        return cls(file, block, sum(1 for line in block.text.split("\n") if line.strip(_BLANK)))


def _reject_unread(connection: duckdb.DuckDBPyConnection, plan: _Plan, file: FileToLoad, block: Block) -> int:
    """List the lines of a block that no engine sees."""
    unread = [
        *((line, "line_too_long", "the line is longer than 4 MiB") for line in block.too_long),
        *((line, "invalid_encoding", "the bytes are not UTF-8") for line in block.not_text),
    ]
    for line, code, reason in unread:
        connection.execute(
            f"insert into {plan.book}"
            " values ($load_id, $source, $table, $key, $line, null, $code, $reason, null, $now)",
            {**plan.of_rejects(file), "line": line, "code": code, "reason": reason},
        )
    return len(unread)


def _load_pieces(
    connection: duckdb.DuckDBPyConnection, plan: _Plan, pieces: list[_Piece], counts: dict[str, list[int]]
) -> None:
    records = sum(piece.records for piece in pieces)
    if not records:
        return
    text = "\n".join(piece.block.text for piece in pieces)
    variant = _Variant.of(text, repeated=any(piece.file.repeats_keys for piece in pieces))
    bound = {"text": text, "pointers": list(plan.pointers), "mark": plan.mark}
    inserted = connection.execute(plan.insert(variant), {**bound, **plan.of_rows()}).fetchone()
    assert inserted is not None
    bad: list[int] = []
    if inserted[0] < records:
        bad = [int(line) for (line,) in connection.execute(plan.bad_lines(variant), bound).fetchall()]
    if inserted[0] + len(bad) != records:
        raise _lost(pieces[0].file, records, int(inserted[0]), len(bad))
    last = 0
    place = 0
    for piece in pieces:
        last += piece.block.lines
        until = bisect_right(bad, last, lo=place)
        if until > place:
            _reject(connection, plan, piece, until - place)
        counts[piece.file.key][0] += piece.records - (until - place)
        counts[piece.file.key][1] += until - place
        place = until


def _reject(connection: duckdb.DuckDBPyConnection, plan: _Plan, piece: _Piece, expected: int) -> None:
    """List the bad lines of a piece with what is wrong with them."""
    variant = _Variant.of(piece.block.text, repeated=True)
    refused = connection.execute(
        plan.insert_rejects(variant),
        {
            "text": piece.block.text,
            "first": piece.block.first,
            "pointers": list(plan.pointers),
            "names": list(plan.group.names),
            "widths": list(plan.group.widths),
            "mark": plan.mark,
            **plan.of_rejects(piece.file),
        },
    ).fetchone()
    assert refused is not None
    if refused[0] != expected:
        raise _lost(piece.file, expected, 0, int(refused[0]))


def _lost(file: FileToLoad, records: int, loaded: int, rejected: int) -> ObjectError:
    return ObjectError(
        f"'{file.key}', or what was loaded with it, has {records:,} records, of which {loaded:,} were read and"
        f" {rejected:,} refused",
        file.key,
        undone="nothing of it is loaded",
        next_step="please report it",
    )


@dataclass(frozen=True)
class _Variant:
    """What a text may have that costs time: NUL characters, keys that stand twice."""

    nul: bool
    repeated: bool

    @classmethod
    def of(cls, text: str, *, repeated: bool) -> _Variant:
        return cls(_NUL in text, repeated)


@dataclass(frozen=True)
class _Plan:
    """How the records of a group become rows.

    Attributes:
        group: the group.
        taken: positions of the fields that go into the table.
        pointers: JSON pointers of the keys of those fields, one field after the other.
        of_field: for each of those fields, the places of its keys among the pointers.
        mark: what a number is marked with while it is a text; nobody can have guessed it.
    """

    group: LoadGroup
    taken: tuple[int, ...]
    pointers: tuple[str, ...]
    of_field: tuple[tuple[int, ...], ...]
    mark: str

    @classmethod
    def of(cls, group: LoadGroup) -> _Plan:
        taken = tuple(position for position, field in enumerate(group.fields) if field is not None)
        pointers: list[str] = []
        of_field = []
        for position in taken:
            keys = group.keys[position]
            of_field.append(tuple(range(len(pointers), len(pointers) + len(keys))))
            pointers += ("/" + key.replace("~", "~0").replace("/", "~1") for key in keys)
        return cls(group, taken, tuple(pointers), tuple(of_field), f"{secrets.token_hex(8)}:")

    @property
    def book(self) -> str:
        return (
            quote_identifier(self.group.books, "load_rejects")
            + " (load_id, source_name, table_name, object_key, line_number, column_name, error_code, error_reason,"
            + " value_length, rejected_at)"
        )

    def of_rows(self) -> dict[str, object]:
        """The values bound in each insert of rows."""
        group = self.group
        return {
            "load_id": group.load_id,
            "ingest_date": group.ingest_date,
            "loaded_at": group.loaded_at,
            **{f"constant_{number}": value for number, (_, value) in enumerate(group.constants)},
        }

    def of_rejects(self, file: FileToLoad) -> dict[str, object]:
        """The values bound in each insert of rejects."""
        group = self.group
        return {
            "load_id": group.load_id,
            "source": group.table.source,
            "table": group.table.name,
            "key": file.key,
            "now": group.loaded_at,
        }

    def insert(self, variant: _Variant) -> str:
        """The statement that takes the good records of some lines."""
        group = self.group
        columns = [str(group.fields[position]) for position in self.taken] + [name for name, _ in group.constants]
        values = [f"f{position}" for position in self.taken]
        values += [f"$constant_{number}" for number in range(len(group.constants))]
        listed = ", ".join([*map(quote_identifier, columns), "_load_id", "_ingest_date", "_loaded_at"])
        return (
            f"insert into {quote_identifier(group.table.schema, group.table.name)} ({listed})"
            f" {self._records(variant, '1')} select {', '.join([*values, '$load_id', '$ingest_date', '$loaded_at'])}"
            " from fields where is_good"
        )

    def bad_lines(self, variant: _Variant) -> str:
        """The query for the numbers of the lines that `insert` leaves out and that are not blank, in order."""
        return (
            f"{self._records(variant, '1')} select line_number from fields"
            f" where not is_good and trim(line, {_SPACES}) <> '' order by line_number"
        )

    def insert_rejects(self, variant: _Variant) -> str:
        """The statement that lists the bad records of some lines with what is wrong with them."""
        field = " ".join(f"when strlen(f{position}) > {width} then {position}" for position, width in self._limits)
        length = " ".join(
            f"when strlen(f{position}) > {width} then strlen(f{position})" for position, width in self._limits
        )
        return f"""
            insert into {self.book}
            {self._records(variant, "$first")},
            kinds as (
                select
                    *,
                    coalesce(case when json_valid(line) then json_type(line) end, '') as kind,
                    {f"case {field} end" if self._limits else "cast(null as integer)"} as field,
                    {f"case {length} end" if self._limits else "cast(null as integer)"} as value_length
                from fields
                where not is_good and trim(line, {_SPACES}) <> ''
            ),
            codes as (
                select *, {_CODE} as code from kinds
            ),
            judged as (
                select
                    line,
                    line_number,
                    kind,
                    code,
                    case when code = 'value_too_long' then field end as field,
                    case when code = 'value_too_long' then value_length end as value_length
                from codes
            )
            select
                $load_id, $source, $table, $key, line_number, $names[field + 1], code, {_REASON}, value_length, $now
            from judged
            where code is not null
        """

    @property
    def _limits(self) -> list[tuple[int, int]]:
        return [(position, width) for position in self.taken if (width := self.group.widths[position]) is not None]

    def _records(self, variant: _Variant, first: str) -> str:
        """The lines of `$text` as records: `line_number`, counted from `first`, the fields, and whether all is good.

        One pass of the JSON reader over a line tells whether it is valid, what its keys hold, and with the first sign
        whether it is an object. A second one is for keys that may stand twice.
        """
        several = [
            " + ".join(f"cast(v[{place + 1}] is not null as integer)" for place in places) + " > 1"
            for places in self.of_field
            if len(places) > 1
        ]
        if variant.repeated:
            several.append("len(keys) <> list_unique(keys)")
        nul = [f"contains(f{position}, chr(0))" for position in self.taken] if variant.nul else []
        too_long = [f"coalesce(strlen(f{position}) > {width}, false)" for position, width in self._limits]
        starts = f"(line like '{{%' or ltrim(line, {_SPACES}) like '{{%')"
        fields = [
            f"nullif({self._value(places)}, '') as f{position}"
            for position, places in zip(self.taken, self.of_field, strict=True)
        ]
        return f"""
            with lines as (
                select unnest(text) as line, unnest(range({first}, {first} + len(text))) as line_number
                from (select string_split($text, chr(10)) as text)
            ),
            looked_at as (
                select *, {_LOSSY} as is_lossy from lines
            ),
            extracted as (
                select
                    line,
                    line_number,
                    is_lossy,
                    try(json_extract_string(case when is_lossy then {_NUMBERS_AS_TEXT} else line end, $pointers)) as v,
                    {"try(json_keys(line))" if variant.repeated else "null"} as keys
                from looked_at
                {_ONCE}
            ),
            fields as (
                select
                    line,
                    line_number,
                    v is not null and {starts} as is_object,
                    coalesce({" or ".join(several) or "false"}, false) as repeated,
                    {", ".join(fields) or "null as nothing"},
                    coalesce({" or ".join(nul) or "false"}, false) as nul,
                    is_object
                        and not repeated
                        and not nul
                        and not ({" or ".join(too_long) or "false"}) as is_good
                from extracted
                {_ONCE}
            )
        """

    def _value(self, places: tuple[int, ...]) -> str:
        value = f"v[{places[0] + 1}]"
        if len(places) > 1:
            value = f"coalesce({', '.join(f'v[{place + 1}]' for place in places)})"
        return (
            f"case when not is_lossy then {value}"
            f" when starts_with({value}, $mark) then substr({value}, {len(self.mark) + 1})"
            f""" when contains({value}, '"' || $mark)"""
            f""" then regexp_replace({value}, '"' || $mark || '([^"]*)"', '\\1', 'g') else {value} end"""
        )
