r"""Which objects COPY reads as they lie, and as what it reads them. Text only; nothing is sent from here.

All others are read by DuckDB and come to COPY as clean CSV (see redshift_refine): what ends up in a raw table must not
depend on the target, so COPY gets what the manual says how it reads, and nothing else.

JSON: objects in which every line is an object and every value a text. As what text a number or a boolean arrives in a
varchar, what becomes of `null` and of the escapes other than `\n`, `\t` and `\\`, the manual does not say; a nested
value keeps its blanks in the manual's example
(https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-json.html). COPY knows no lines in JSON: from
what is none it goes on to the next thing that looks like an object, wherever that begins, takes several objects on a
line, and reports the last line of what it took for one
(https://docs.aws.amazon.com/redshift/latest/dg/copy-parameters-data-format.html#copy-json-data-file). NULL AS is not to
be had with JSON (same page), so that the text `\N` may be a null. Which objects are of texts alone is known from the
inspection (`only_texts`); where COPY refuses a record of one, its value being too long, DuckDB reads the object.

Parquet: objects whose columns have types that have one spelling. COPY fills a temporary table with the columns of the
file, by position, and they become text on the way into the raw table. Floating point numbers, times of day, times with
a zone or in nanoseconds, unsigned, nested and binary values are not among them. COPY takes neither MAXERROR nor REGION
with Parquet, and decompresses what ends with .gz, .snappy or .bz2
(https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from biostar.contracts import FileFormat
from biostar.warehouse.base import FileToLoad, LoadGroup, quote_identifier

WIDEST = 65_535
"""Bytes of the longest varchar, https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html."""

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_ -]{1,127}")
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")
_UNPACKED = (".gz", ".snappy", ".bz2")


@dataclass(frozen=True)
class ParquetType:
    """How a type of Parquet passes through a temporary table.

    Attributes:
        data_type: of the column there.
        as_text: the value as text; `{}` stands for the column.
        doubtful: a condition on values that DuckDB spells in a way of its own, or nothing.
    """

    data_type: str
    as_text: str = "cast({} as varchar)"
    doubtful: str = ""


# The manual's table has microseconds as (.000000); whether that point is written too it does not say.
_FRACTION = "rtrim(ltrim(to_char({}, 'US'), '.'), '0')"
_TYPES = {
    "VARCHAR": ParquetType(f"varchar({WIDEST})", "{}"),
    "BOOLEAN": ParquetType("boolean", "case when {} then 'true' when not {} then 'false' end"),
    "SMALLINT": ParquetType("smallint"),
    "INTEGER": ParquetType("integer"),
    "BIGINT": ParquetType("bigint"),
    "DATE": ParquetType(
        "date", "to_char({}, 'YYYY-MM-DD')", "{} < cast('0001-01-01' as date) or {} > cast('9999-12-31' as date)"
    ),
    "TIMESTAMP": ParquetType(
        "timestamp",
        "to_char({}, 'YYYY-MM-DD HH24:MI:SS')"
        f" || case when octet_length({_FRACTION}) > 0 then '.' || {_FRACTION} else '' end",
        "{} < cast('0001-01-01' as timestamp) or {} >= cast('9999-12-31' as timestamp)",
    ),
}
PARQUET_TYPES = (*_TYPES, "DECIMAL(18,4)")
"""A name of each kind of type that COPY reads as it lies."""


@dataclass(frozen=True)
class StageColumn:
    """A column of a temporary table.

    Attributes:
        name: its name there.
        target: the column of the raw table that it goes to, None where the field is left out.
        width: bytes declared for the raw column, None for a field that is left out.
        parquet: how its type becomes text; None for a column of text.
    """

    name: str
    target: str | None
    width: int | None
    parquet: ParquetType | None = None

    @property
    def definition(self) -> str:
        """The column in CREATE TABLE; of text it is a byte wider than declared, see redshift_copy."""
        text = f"varchar({min(WIDEST, (self.width or WIDEST) + 1)})"
        return f"{quote_identifier(self.name)} {self.parquet.data_type if self.parquet else text}"

    @property
    def is_text(self) -> bool:
        """Whether it holds text as it came."""
        return self.parquet is None or self.parquet.as_text == "{}"

    @property
    def as_text(self) -> str:
        """Its value as the raw table shows it."""
        name = quote_identifier(self.name)
        if self.is_text:
            return f"case when octet_length({name}) > 0 then {name} end"
        assert self.parquet is not None
        return self.parquet.as_text.replace("{}", name)

    @property
    def misfit(self) -> str:
        """A condition on values that the raw table cannot have; empty where there are none."""
        name = quote_identifier(self.name)
        text = name if self.is_text else self.as_text
        found = [f"octet_length({text}) > {self.width}"] if self.width is not None else []
        if self.parquet is not None and self.parquet.doubtful and self.target is not None:
            found.append(self.parquet.doubtful.replace("{}", name))
        return " or ".join(found)


def copied_as(group: LoadGroup, file: FileToLoad, region: str = "") -> FileFormat | None:
    """As what COPY can be given an object as it lies, to begin with; None where it cannot.

    It cannot read a local copy, nor one in which lines were left out. That a carriage return alone ends a line, and how
    `ignoreheader` counts a header of several lines, the manual does not say.

    Args:
        group: the group.
        file: one of its files.
        region: of the bucket, where it is another than the cluster's.
    """
    if not file.address.startswith("s3://") or file.left_out:
        return None
    if group.table.file_format == "csv":
        return "csv" if file.line_end != "\r" and group.header_lines <= 1 else None
    if group.table.file_format == "json":
        one_key = all(len(keys) == 1 and _PLAIN_KEY.fullmatch(keys[0]) for keys in group.keys)
        return "json" if file.only_texts and not file.repeats_keys and one_key else None
    readable = all(_parquet_type(data_type) for data_type in file.types) and len(file.types) == len(group.fields)
    unpacked = file.address.lower().endswith(_UNPACKED)
    return "parquet" if readable and file.lines and file.size and not region and not unpacked else None


def stage_columns(group: LoadGroup, types: Sequence[str] = ()) -> tuple[StageColumn, ...]:
    """The columns that a file of the group fills, in the order of its fields.

    Args:
        group: the group.
        types: of Parquet that COPY reads, the types of its columns.
    """
    taken = {field for field in group.fields if field is not None}
    columns = []
    for position, (field, width) in enumerate(zip(group.fields, group.widths, strict=True)):
        name = field if field is not None else f"ignored_{position}"
        while field is None and name in taken:
            name = f"_{name}"
        parquet = _parquet_type(types[position]) if types else None
        columns.append(StageColumn(name, field, width if field is not None else None, parquet))
    return tuple(columns)


def json_paths(group: LoadGroup) -> bytes:
    """The JSONPaths object: of each column the key that has its values, in the order of `stage_columns`."""
    return json.dumps({"jsonpaths": [f"$['{keys[0]}']" for keys in group.keys]}).encode()


def _parquet_type(data_type: str) -> ParquetType | None:
    if decimal := _DECIMAL.fullmatch(data_type):
        return ParquetType(f"numeric({decimal[1]}, {decimal[2]})")
    return _TYPES.get(data_type)
