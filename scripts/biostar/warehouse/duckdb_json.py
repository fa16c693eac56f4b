r"""Newline-delimited JSON into raw tables with DuckDB: every line becomes a row, a reject, or is known to be blank.

The lines are cut here and given to the engine in blocks: what reads JSON files by itself either stops at the first bad
line or drops it, and does not say its number. A block goes in with one statement; only where rows are fewer than lines
a second one tells what is wrong with which.

A value becomes text as JSON writes it: a number with the digits that stand there (the engine would make 1.10 to 1.1,
and of 20 digits keep 17), `true`, `false`, a text without its quotes, a nested value as compact JSON. `null` and an
empty text are null, as an empty field of CSV is. No name from a file gets into SQL: keys are bound, as JSON pointers.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

import duckdb

from biostar.errors import ObjectError
from biostar.landing.inspect import text_of
from biostar.landing.json_lines import Block, blocks_of
from biostar.warehouse.base import FileToLoad, LoadGroup, ObjectCounts, quote_identifier

_BLANK = " \t\r"
_INEXACT = re.compile(r"[0-9][.eE]|-0")
"""In a text without it each number is a whole one, and those keep their digits anyway."""
_NUL = "\\u0000"

# Each string, or else each number, with marks behind the one and around the other; no valid JSON holds such characters.
_NUMBERS = (
    r"""'("(?:[^"\\]|\\.)*")|(-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)', '\1' || chr(1) || '\2' || chr(2), 'g'"""
)
_NUMBERS_AS_TEXT = (
    f"replace(replace(replace(regexp_replace(line, {_NUMBERS}),"
    """ chr(1) || chr(2), ''), chr(1), '"' || $mark), chr(2), '"')"""
)

_CODE = """
    case
        when kind <> 'OBJECT' then 'invalid_json'
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
    """Load the files of a group one after the other; see Warehouse.publish."""
    return [_load_file(connection, group, file) for file in group.files]


def json_statements(group: LoadGroup) -> list[str]:
    """The statement for each block of each file, with `$text` for its lines."""
    plan = _Plan.of(group)
    return [plan.insert(_Variant(False, False), written=True)] * len(group.files) if group.fields else []


def _load_file(connection: duckdb.DuckDBPyConnection, group: LoadGroup, file: FileToLoad) -> ObjectCounts:
    plan = _Plan.of(group)
    lines = loaded = rejected = 0
    with file.open() as stream:
        for block in blocks_of(text_of(stream, file.key)):
            lines += block.lines
            new, bad = _load_block(connection, plan, file, block)
            loaded += new
            rejected += bad
    if lines != file.lines:
        raise ObjectError(
            f"'{file.key}' changed while it was being read",
            file.key,
            undone="nothing of it is loaded",
            next_step="run the load again when its delivery is complete",
        )
    return ObjectCounts(file.key, loaded, rejected)


def _load_block(connection: duckdb.DuckDBPyConnection, plan: _Plan, file: FileToLoad, block: Block) -> tuple[int, int]:
    group = plan.group
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
    records = sum(1 for line in block.text.split("\n") if line.strip(_BLANK))
    if not records:
        return 0, len(unread)
    variant = _Variant(bool(_INEXACT.search(block.text)), _NUL in block.text)
    bound = {"text": block.text, "first": block.first, "pointers": list(plan.pointers)}
    if variant.inexact:
        bound["mark"] = plan.mark
    inserted = connection.execute(plan.insert(variant), {**bound, **plan.of_rows()}).fetchone()
    assert inserted is not None
    loaded, rejected = int(inserted[0]), 0
    if loaded < records:
        refused = connection.execute(
            plan.insert_rejects(variant),
            {**bound, **plan.of_rejects(file), "names": list(group.names), "widths": list(group.widths)},
        ).fetchone()
        assert refused is not None
        rejected = int(refused[0])
    if loaded + rejected != records:
        raise ObjectError(
            f"'{file.key}' has {records:,} records from line {block.first:,} on, of which {loaded:,} were read and"
            f" {rejected:,} refused",
            file.key,
            undone="nothing of it is loaded",
            next_step="please report it",
        )
    return loaded, rejected + len(unread)


@dataclass(frozen=True)
class _Variant:
    """What a block has that costs time: numbers that are not whole, and what may be NUL characters."""

    inexact: bool
    nul: bool


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

    def insert(self, variant: _Variant, *, written: bool = False) -> str:
        """The statement that takes the good records of a block."""
        group = self.group
        columns = [str(group.fields[position]) for position in self.taken] + [name for name, _ in group.constants]
        values = [f"f{position}" for position in self.taken]
        values += [f"$constant_{number}" for number in range(len(group.constants))]
        listed = ", ".join([*map(quote_identifier, columns), "_load_id", "_ingest_date", "_loaded_at"])
        return (
            f"insert into {quote_identifier(group.table.schema, group.table.name)} ({listed})"
            f" {self._records(variant)} select {', '.join([*values, '$load_id', '$ingest_date', '$loaded_at'])}"
            " from judged where code is null"
        )

    def insert_rejects(self, variant: _Variant) -> str:
        """The statement that lists the bad records of a block."""
        return (
            f"insert into {self.book} {self._records(variant)}"
            " select $load_id, $source, $table, $key, line_number, $names[field + 1], code,"
            f" {_REASON}, value_length, $now from judged where code is not null"
        )

    def _records(self, variant: _Variant) -> str:
        group = self.group
        limits = [(position, width) for position in self.taken if (width := group.widths[position]) is not None]
        field = " ".join(f"when strlen(f{position}) > {width} then {position}" for position, width in limits)
        length = " ".join(f"when strlen(f{position}) > {width} then strlen(f{position})" for position, width in limits)
        several = [
            " + ".join(f"cast(v[{place + 1}] is not null as integer)" for place in places) + " > 1"
            for places in self.of_field
            if len(places) > 1
        ]
        repeated = " or ".join([*several, "len(json_keys(line)) <> list_unique(json_keys(line))"])
        fields = [
            f"nullif({self._value(places, variant)}, '') as f{position}"
            for position, places in zip(self.taken, self.of_field, strict=True)
        ]
        fields = fields or ["null as nothing"]
        nul = " or ".join(f"contains(f{position}, chr(0))" for position in self.taken) if variant.nul else ""
        return f"""
            with lines as (
                select unnest(text) as line, unnest(range($first, $first + len(text))) as line_number
                from (select string_split($text, chr(10)) as text)
            ),
            kinds as (
                select line, line_number, coalesce(case when json_valid(line) then json_type(line) end, '') as kind
                from lines
                where trim(line, ' ' || chr(9) || chr(13)) <> ''
            ),
            extracted as (
                select
                    line,
                    line_number,
                    kind,
                    case
                        when kind = 'OBJECT'
                            then json_extract_string({_NUMBERS_AS_TEXT if variant.inexact else "line"}, $pointers)
                    end as v
                from kinds
            ),
            fields as (
                select
                    line,
                    line_number,
                    kind,
                    case when kind = 'OBJECT' then {repeated} else false end as repeated,
                    {", ".join(fields)}
                from extracted
            ),
            lengths as (
                select
                    *,
                    {nul or "false"} as nul,
                    {f"case {field} end" if limits else "cast(null as integer)"} as field,
                    {f"case {length} end" if limits else "cast(null as integer)"} as value_length
                from fields
            ),
            codes as (
                select *, {_CODE} as code from lengths
            ),
            judged as (
                select
                    * exclude (field, value_length),
                    case when code = 'value_too_long' then field end as field,
                    case when code = 'value_too_long' then value_length end as value_length
                from codes
            )
        """

    def _value(self, places: tuple[int, ...], variant: _Variant) -> str:
        value = f"v[{places[0] + 1}]"
        if len(places) > 1:
            value = f"coalesce({', '.join(f'v[{place + 1}]' for place in places)})"
        if not variant.inexact:
            return value
        return (
            f"case when starts_with({value}, $mark) then substr({value}, {len(self.mark) + 1})"
            f""" when contains({value}, '"' || $mark)"""
            f""" then regexp_replace({value}, '"' || $mark || '([^"]*)"', '\\1', 'g') else {value} end"""
        )
