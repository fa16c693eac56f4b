"""Whether a field fits its column, with the code and words of Redshift's load errors.

Codes: https://docs.aws.amazon.com/redshift/latest/dg/r_Load_Error_Reference.html, whose description of each stands
beside it below. The reference gives no messages: those of 1220 are from multi-byte-character-load-errors.html; the
others are what clusters print, as people quote them in public.
"""

from __future__ import annotations

import datetime
import decimal
import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from biostar.standin.loading.command import CopyOptions

EXTRA_COLUMNS = (1202, "Extra column(s) found")  # more columns than were defined in the DDL
TOO_LONG = (1204, "Char length exceeds DDL length")  # exceeded the acceptable range for the data type
NUMERIC_OVERFLOW = 1204
BAD_DATE = (1205, "Invalid Date Format - length must be 10 or more")  # date format is not valid
BAD_TIMESTAMP = (1206, "Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]")  # timestamp format is not valid
BAD_DIGIT = 1207  # a value outside of the expected range of 0-9; 1209, decimal format error, isn't told apart
BAD_FLOAT = 1208  # FLOAT data type format error
BAD_BOOLEAN = (1210, "Unknown boolean format")  # BOOLEAN data type format error
NOT_NULL = (1213, "Missing data for not-null field")  # a field specified as NOT NULL contained no data
NO_DELIMITER = (1214, "Delimiter not found")  # delimiter not found
BAD_LINE = (1216, "Invalid input line")  # input line is not valid
BAD_QUOTES = (1216, "Invalid quote formatting for CSV")
BAD_JSON = (1216, "Invalid value")
BAD_UTF8 = (1220, "String contains invalid or unsupported UTF8 codepoints")  # UTF-8 that is not valid or not supported
BAD_CHAR = (1220, "Multibyte character not supported for CHAR (Hint: Try using VARCHAR)")
INTEGER_OVERFLOW = 1222  # integer value overflow error
BAD_SUPER = (1224, "Invalid JSON format")  # not well-formed JSON for a super data type

_INTEGERS = {
    "smallint": ("Short", -(2**15), 2**15 - 1),
    "integer": ("Integer", -(2**31), 2**31 - 1),
    "bigint": ("Long", -(2**63), 2**63 - 1),
}
_TRUE = frozenset(("t", "true", "y", "yes", "1"))
_FALSE = frozenset(("f", "false", "n", "no", "0"))
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_SURROGATES = re.compile("[\ud800-\udfff]")


class BadValue(Exception):
    """A field that can't be loaded."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class TargetColumn:
    """A column that a COPY fills."""

    name: str
    kind: str
    size: int
    scale: int
    not_null: bool

    @property
    def type_name(self) -> str:
        """The type as the load-error views show it."""
        names = {"integer": "int4", "bigint": "int8", "smallint": "int2", "character varying": "varchar"}
        names |= {"character": "char", "timestamp without time zone": "timestamp", "double precision": "float8"}
        names |= {"timestamp with time zone": "timestamptz", "real": "float4", "boolean": "bool"}
        return names.get(self.kind, self.kind)

    @property
    def length(self) -> str:
        """The length as the load-error views show it."""
        if self.kind == "numeric" and self.size:
            return f"{self.size}, {self.scale}"
        return str(self.size) if self.size else "0"


Check = Callable[[str], "str | None"]


def checker(column: TargetColumn, options: CopyOptions) -> Check:
    """The function that turns the text of a field into the text to load, or raises BadValue."""
    convert = _converter(column, options)
    textual = column.kind in ("character varying", "character", "super")
    null_as = options.null_as
    blanks_null, empty_null, trim = (options.has(flag) for flag in ("blanksasnull", "emptyasnull", "trimblanks"))

    def check(value: str) -> str | None:
        if value == null_as:
            return None
        if textual:
            if not value:
                return None if empty_null or null_as == "" or column.kind == "super" else ""
            if blanks_null and not value.strip():
                return None
            if trim:
                value = value.rstrip(" ")
        else:
            value = value.strip()
            if not value:
                return None
        return convert(value)

    def required(value: str) -> str:
        loaded = check(value)
        if loaded is None:
            raise BadValue(*NOT_NULL)
        return loaded

    return required if column.not_null else check


def _converter(column: TargetColumn, options: CopyOptions) -> Check:
    kind = column.kind
    if kind in ("character varying", "character"):
        return _text(column, options)
    if kind in _INTEGERS:
        return _integer(kind)
    if kind == "numeric":
        return _decimal(column, options)
    if kind in ("real", "double precision"):
        return _float
    if kind == "boolean":
        return _boolean
    if kind == "date":
        return _date(options)
    if kind.startswith("timestamp"):
        return _timestamp(options)
    if kind == "super":
        return _super_of_json if options.format == "json" else _super
    return lambda value: value


def clean_text(value: str, replacement: str) -> str:
    """The text with invalid bytes replaced, where a replacement was given.

    Raises:
        BadValue: there are invalid bytes and no replacement, or a NUL.
    """
    if _SURROGATES.search(value):
        if not replacement:
            raw = value.encode("utf-8", "surrogateescape")
            found = _SURROGATES.search(value)
            place = len(value[: found.start()].encode()) if found else 0
            bad = f"{raw[place : place + 1].hex()} (error {_utf8_error(raw[place:])})"
            raise BadValue(BAD_UTF8[0], f"{BAD_UTF8[1]}. Bad UTF8 hex sequence: {bad}")
        value = _SURROGATES.sub(replacement, value)
    if "\0" in value:
        raise BadValue(BAD_UTF8[0], f"{BAD_UTF8[1]}. Bad UTF8 hex sequence: 00 (error 2)")
    return value


def _utf8_error(raw: bytes) -> int:
    """The number of the manual's table for bytes that are no character (multi-byte-character-load-errors.html)."""
    lead = raw[0]
    if 248 <= lead <= 253:
        return 1  # more than four bytes
    if lead >= 254 or lead < 192:
        return 3  # no byte that a character begins with
    size = 2 if lead < 224 else 3 if lead < 240 else 4
    following = raw[1:size]
    if any(not 128 <= byte <= 191 for byte in following):
        return 4  # a byte that can't follow
    return 2 if len(following) < size - 1 else 5  # cut off, or a character that UTF-8 has not


def _text(column: TargetColumn, options: CopyOptions) -> Check:
    size, cut, replacement = column.size, options.has("truncatecolumns"), options.replacement
    single = column.kind == "character"

    def convert(value: str) -> str:
        value = clean_text(value, replacement)
        if single and not value.isascii():
            first = next(character for character in value if character > "\x7f")
            raise BadValue(BAD_CHAR[0], f"{BAD_CHAR[1]}. Invalid char: {first.encode().hex(' ')}")
        if not size or len(value) * 4 <= size:
            return value
        raw = value.encode()
        if len(raw) <= size:
            return value
        if cut:
            return raw[:size].decode(errors="ignore")
        if len(raw.rstrip(b" ")) <= size:
            return raw[:size].decode()
        raise BadValue(*TOO_LONG)

    return convert


def _first_bad(value: str, allowed: str) -> int:
    return next((place for place, character in enumerate(value) if character not in allowed), 0)


def _integer(kind: str) -> Check:
    name, low, high = _INTEGERS[kind]

    def convert(value: str) -> str:
        digits = value[1:] if value[:1] in "+-" else value
        if not (digits.isdigit() and digits.isascii()):
            place = len(value) - len(digits) + _first_bad(digits, "0123456789")
            bad = value[place : place + 1]
            raise BadValue(BAD_DIGIT, f"Invalid digit, Value '{bad}', Pos {place}, Type: {name}")
        if not low <= int(value) <= high:
            raise BadValue(INTEGER_OVERFLOW, f"Overflow ({name} valid range {low} to {high})")
        return value

    return convert


def _decimal(column: TargetColumn, options: CopyOptions) -> Check:
    quantum = decimal.Decimal(1).scaleb(-column.scale)
    context = decimal.Context(prec=80)
    rounding = decimal.ROUND_HALF_UP if options.has("roundec") else decimal.ROUND_DOWN
    limit = decimal.Decimal(10) ** (column.size - column.scale) if column.size else None

    def convert(value: str) -> str:
        if not _NUMBER.fullmatch(value):
            place = _first_bad(value, "+-0123456789.")
            bad = value[place : place + 1]
            raise BadValue(BAD_DIGIT, f"Invalid digit, Value '{bad}', Pos {place}, Type: Decimal")
        if limit is None:
            return value
        number = decimal.Decimal(value).quantize(quantum, rounding=rounding, context=context)
        if abs(number) >= limit:
            raise BadValue(NUMERIC_OVERFLOW, f"Overflow for NUMERIC({column.size},{column.scale})")
        return str(number)

    return convert


def _float(value: str) -> str:
    if not _NUMBER.fullmatch(value) and value.lower() not in ("nan", "infinity", "-infinity", "inf", "-inf"):
        place = _first_bad(value, "+-0123456789.eE")
        raise BadValue(BAD_FLOAT, f"Invalid digit, Value '{value[place : place + 1]}', Pos {place}, Type: Double")
    return value


def _boolean(value: str) -> str:
    low = value.lower()
    if low in _TRUE:
        return "t"
    if low in _FALSE:
        return "f"
    raise BadValue(*BAD_BOOLEAN)


_PATTERNS = (
    ("yyyy", "%Y"),
    ("yy", "%y"),
    ("month", "%B"),
    ("mon", "%b"),
    ("mm", "%m"),
    ("ddd", "%j"),
    ("dd", "%d"),
    ("hh24", "%H"),
    ("hh12", "%I"),
    ("hh", "%I"),
    ("mi", "%M"),
    ("ss.ff", "%S.%f"),
    ("ss", "%S"),
    ("am", "%p"),
    ("pm", "%p"),
    ("tz", "%z"),
    ("of", "%z"),
)


def strptime_format(pattern: str) -> str:
    """A format of DATEFORMAT or TIMEFORMAT as Python's."""
    written, at, low = "", 0, pattern.lower()
    while at < len(pattern):
        for theirs, ours in _PATTERNS:
            if low.startswith(theirs, at):
                written += ours
                at += len(theirs)
                break
        else:
            written += pattern[at].replace("%", "%%")
            at += 1
    return written


_AUTO_DATES = ("%Y-%m-%d", "%Y%m%d", "%m/%d/%Y", "%m-%d-%Y", "%d %B %Y", "%b %d %Y", "%d.%m.%Y", "%Y/%m/%d")


def _any_format(value: str, formats: tuple[str, ...]) -> datetime.datetime | None:
    for pattern in formats:
        try:
            return datetime.datetime.strptime(value, pattern)
        except ValueError:
            continue
    return None


def _date(options: CopyOptions) -> Check:
    pattern = options.date_format
    formats = _AUTO_DATES if pattern == "auto" else (strptime_format(pattern or "YYYY-MM-DD"),)

    def convert(value: str) -> str | None:
        found = _any_format(value if pattern else value[:10], formats)
        if found is None:
            if options.has("acceptanydate"):
                return None
            raise BadValue(*(BAD_DATE if len(value) < 10 else (BAD_DATE[0], "Invalid Date Format - incorrect value")))
        return found.date().isoformat()

    return convert


_ISO_TIMESTAMP = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)\s*(Z|UTC|[+-]\d\d(?::?\d\d)?)?)?"
)


def _timestamp(options: CopyOptions) -> Check:
    pattern = options.time_format

    def convert(value: str) -> str | None:
        text = _epoch(value, pattern) if pattern.startswith("epoch") else _moment(value, pattern)
        if text is None:
            if options.has("acceptanydate"):
                return None
            raise BadValue(*BAD_TIMESTAMP)
        return text

    return convert


def _epoch(value: str, pattern: str) -> str | None:
    if not re.fullmatch(r"-?\d+(\.\d+)?", value):
        return None
    seconds = decimal.Decimal(value) / (1000 if pattern == "epochmillisecs" else 1)
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=int(seconds * 1000000))
    return moment.isoformat(" ")


def _moment(value: str, pattern: str) -> str | None:
    if not pattern or pattern == "auto":
        found = _ISO_TIMESTAMP.fullmatch(value)
        if found is not None and _any_format(found[1], ("%Y-%m-%d",)) and _is_time(found[2]):
            return value
        if not pattern:
            return None
    formats = (*_AUTO_DATES, "%m/%d/%Y %H:%M:%S", "%Y%m%d %H:%M:%S", "%b %d,%Y %H:%M:%S", "%d.%m.%Y %H:%M:%S")
    moment = _any_format(value, formats if pattern == "auto" else (strptime_format(pattern),))
    return moment.isoformat(" ") if moment is not None else None


def _is_time(value: str | None) -> bool:
    if value is None:
        return True
    hours, minutes, *seconds = value.split(":")
    return int(hours) < 24 and int(minutes) < 60 and (not seconds or float(seconds[0]) < 60)


def _super(value: str) -> str:
    """Text and CSV must hold JSON: https://docs.aws.amazon.com/redshift/latest/dg/ingest-super.html."""
    value = clean_text(value, "")
    try:
        json.loads(value)
    except ValueError:
        raise BadValue(*BAD_SUPER) from None
    return value


def _super_of_json(value: str) -> str:
    """A value out of a JSON document; a text comes without its quotes."""
    value = clean_text(value, "")
    try:
        json.loads(value)
    except ValueError:
        return json.dumps(value)
    return value
