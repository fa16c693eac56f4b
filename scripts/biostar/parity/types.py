"""The types that can be compared, what each engine calls them, and how two of them meet.

    here              DuckDB                     Redshift                        canonical text
    smallint …        SMALLINT INTEGER BIGINT    smallint integer bigint         digits, a minus before them
    numeric(p,s)      DECIMAL(p,s)               numeric(p,s)                    all decimals of the larger scale
    real, double      FLOAT DOUBLE               real, double precision          12 (real: 6) significant digits
    boolean           BOOLEAN                    boolean                         true, false
    date              DATE                       date                            YYYY-MM-DD
    timestamp         TIMESTAMP                  timestamp without time zone     YYYY-MM-DD HH:MM:SS.ffffff
    timestamptz       TIMESTAMP WITH TIME ZONE   timestamp with time zone        the same, in UTC
    varchar(n)        VARCHAR                    character varying(n)            as it is, blanks included
    char(n)           VARCHAR                    character(n)                    without the blanks at its end
    time              TIME                       time without time zone          HH:MM:SS.ffffff
    timetz            TIME WITH TIME ZONE        time with time zone             the same, in UTC
    varbyte           BLOB                       binary varying                  hexadecimal digits
    super             JSON                       super                           JSON without blanks

A null is the character U+001E. DuckDB keeps no width of a text: the other side's is held against the contract's.
Two JSON texts that differ are read when their rows are fetched: neither the order of an object's attributes nor the
spelling of a number is a difference. A value of more than 65,535 bytes cannot be written as text on Redshift.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_DUCKDB = {
    "TINYINT": "smallint",
    "SMALLINT": "smallint",
    "INTEGER": "integer",
    "BIGINT": "bigint",
    "DECIMAL": "numeric",
    "FLOAT": "real",
    "DOUBLE": "double precision",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
    "VARCHAR": "varchar",
    "TIME": "time",
    "TIME WITH TIME ZONE": "timetz",
    "BLOB": "varbyte",
    "JSON": "super",
}
_REDSHIFT = {
    "smallint": "smallint",
    "int2": "smallint",
    "integer": "integer",
    "int": "integer",
    "int4": "integer",
    "bigint": "bigint",
    "int8": "bigint",
    "numeric": "numeric",
    "decimal": "numeric",
    "real": "real",
    "float4": "real",
    "double precision": "double precision",
    "float": "double precision",
    "float8": "double precision",
    "boolean": "boolean",
    "bool": "boolean",
    "date": "date",
    "timestamp": "timestamp",
    "timestamp without time zone": "timestamp",
    "timestamptz": "timestamptz",
    "timestamp with time zone": "timestamptz",
    "varchar": "varchar",
    "character varying": "varchar",
    "nvarchar": "varchar",
    "text": "varchar",
    "char": "char",
    "character": "char",
    "bpchar": "char",
    "time": "time",
    "time without time zone": "time",
    "timetz": "timetz",
    "time with time zone": "timetz",
    "varbyte": "varbyte",
    "varbinary": "varbyte",
    "binary varying": "varbyte",
    "super": "super",
}
_FAMILIES = {
    "smallint": "integer",
    "integer": "integer",
    "bigint": "integer",
    "numeric": "numeric",
    "real": "float",
    "double precision": "float",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp",
    "timestamptz": "timestamp",
    "varchar": "text",
    "char": "text",
    "time": "time",
    "timetz": "time",
    "varbyte": "bytes",
    "super": "json",
}
_MEETING = {
    frozenset(("integer", "numeric")): "numeric",
    frozenset(("integer", "float")): "float",
    frozenset(("numeric", "float")): "float",
    frozenset(("date", "timestamp")): "timestamp",
}
_PARTS = re.compile(r"\s*([A-Za-z0-9_ ]+?)\s*(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?\s*")
_DIGITS = {"smallint": 5, "integer": 10, "bigint": 19}
WIDEST_AS_IS = 256
WIDEST_ROW = 60_000


@dataclass(frozen=True)
class ColumnType:
    """A column's type under the common name; an engine's own name where there is none.

    `width` is n of a text, in what the engine counts; None where it keeps none. `precision` and `scale` are those of
    a numeric.
    """

    name: str
    width: int | None = None
    precision: int = 0
    scale: int = 0

    @property
    def family(self) -> str:
        """Types of one family have a common text; empty for a type that cannot be compared."""
        return _FAMILIES.get(self.name, "")

    def __str__(self) -> str:
        if self.name == "numeric":
            return f"numeric({self.precision},{self.scale})"
        return f"{self.name}({self.width})" if self.width else self.name


@dataclass(frozen=True)
class Meeting:
    """How the two columns of one name are compared.

    Attributes:
        family: of both.
        precision: digits of a numeric that holds both.
        scale: the larger of both scales.
        digits: significant digits of a float that both have.
        padded: whether blanks at the end come from the type.
        digest: whether the text goes into the row's number as its MD5, since a text on Redshift ends at 65,535 bytes.
        presence: compare only whether there is a value.
    """

    family: str
    precision: int = 0
    scale: int = 0
    digits: int = 12
    padded: bool = False
    digest: bool = False
    presence: bool = False


def duckdb_type(text: str) -> ColumnType:
    """The type that DuckDB's catalog calls `text`."""
    return _parsed(text, {name.lower(): common for name, common in _DUCKDB.items()})


def redshift_type(text: str) -> ColumnType:
    """The type that Redshift's catalog, or a contract, calls `text`; a numeric without a scale has none."""
    return _parsed(text, _REDSHIFT)


def _parsed(text: str, names: dict[str, str]) -> ColumnType:
    parts = _PARTS.fullmatch(text)
    name = names.get(parts[1].lower()) if parts else None
    if parts is None or name is None:
        return ColumnType(text.lower())
    first = int(parts[2]) if parts[2] else None
    if name == "numeric":
        return ColumnType(name, precision=first or 18, scale=int(parts[3] or 0))
    return ColumnType(name, width=first if _FAMILIES[name] == "text" else None)


def type_difference(left: ColumnType, right: ColumnType, declared: ColumnType | None) -> str:
    """In what the types differ, by the mapping above; empty where they agree."""
    if not left.family or not right.family:
        unknown = left if not left.family else right
        return f"{left} and {right}: {unknown} cannot be compared"
    texts = left.family == right.family == "text"
    if texts and (left.width is None or right.width is None):
        kept = right if left.width is None else left
        if kept.width is not None and declared is not None and declared.width is not None and kept != declared:
            return f"{kept}, declared as {declared}"
        return ""
    return "" if left == right else f"{left} and {right}"


def meet(left: ColumnType, right: ColumnType, declared: ColumnType | None = None) -> Meeting | None:
    """How to compare values of the two types; None where they have no common text."""
    if not left.family or not right.family:
        return None
    family = left.family if left.family == right.family else _MEETING.get(frozenset((left.family, right.family)))
    if family is None:
        return None
    if family == "numeric":
        scale = max(left.scale, right.scale)
        whole = max(_DIGITS.get(side.name, side.precision - side.scale) for side in (left, right))
        return Meeting(family, precision=min(38, whole + scale), scale=scale)
    if family == "float":
        return Meeting(family, digits=6 if "real" in (left.name, right.name) else 12)
    if family == "text":
        widths = [side.width for side in (left, right, declared) if side is not None and side.width is not None]
        digest = not widths or max(widths) > WIDEST_AS_IS
        return Meeting(family, padded="char" in (left.name, right.name), digest=digest)
    return Meeting(family, digest=family in ("bytes", "json"))
