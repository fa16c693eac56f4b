"""Name the difference between two canonical texts, without quoting them."""

from __future__ import annotations

import json
import math
import unicodedata
from datetime import datetime, timedelta
from decimal import Context, Decimal, localcontext
from typing import Any

from biostar.parity.types import Meeting

TOLERANCES = {12: 1e-11, 6: 1e-5}
"""How far floats may lie apart, as a share of the larger, by the significant digits that both types have."""

Value = str | float | None


def floats_agree(left: float, right: float, digits: int) -> bool:
    """Whether two floats are the same value as far as their types can tell."""
    if math.isnan(left) or math.isnan(right):
        return math.isnan(left) and math.isnan(right)
    return left == right or (math.isfinite(left - right) and math.isclose(left, right, rel_tol=TOLERANCES[digits]))


def values_agree(left: Value, right: Value, meeting: Meeting) -> bool:
    """Whether two values of a column are equal."""
    if isinstance(left, float) and isinstance(right, float):
        return floats_agree(left, right, meeting.digits)
    if meeting.family == "json" and isinstance(left, str) and isinstance(right, str):
        return left == right or _read(left) == _read(right)
    return left == right


def _read(document: str) -> Any:
    return json.loads(document, parse_float=Decimal, parse_int=Decimal)


def diagnose(left: Value, right: Value, meeting: Meeting) -> str:
    """What kind of difference lies between two values that are not equal."""
    if left is None or right is None:
        if meeting.presence:
            return "open on one side, closed on the other"
        return "null against empty text" if (left or right or "") == "" else "null against a value"
    if isinstance(left, float) or isinstance(right, float):
        return _floats(float(left), float(right))
    if meeting.family == "text":
        return _texts(left, right)
    if meeting.family in ("numeric", "integer"):
        with localcontext(Context(prec=80)):
            return _numbers(Decimal(left), Decimal(right), meeting.scale)
    if meeting.family in ("date", "timestamp"):
        return _times(left, right)
    return "different truth value" if meeting.family == "boolean" else "different value"


def normal_key(texts: tuple[Value, ...]) -> tuple[str, ...]:
    """A key without what a careless comparison would not see: case, blanks around, form of the letters."""
    return tuple(_folded(str(text).strip()) if text is not None else "" for text in texts)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _floats(left: float, right: float) -> str:
    if math.isnan(left) or math.isnan(right) or math.isinf(left) or math.isinf(right):
        return "not a finite number on one side"
    if left == -right:
        return "opposite sign"
    return "float rounding" if math.isclose(left, right, rel_tol=1e-6) else "different number"


def _numbers(left: Decimal, right: Decimal, scale: int) -> str:
    if left == -right:
        return "opposite sign"
    if abs(left - right) == Decimal(1).scaleb(-scale) and scale:
        return "rounding in the last decimal"
    if left and right:
        for power in range(1, 10):
            if left.scaleb(power) == right or right.scaleb(power) == left:
                return f"scale: a factor of 10^{power}"
    if scale and (rounded := _fewer_decimals(left, right, scale)) is not None:
        return f"scale: one side has only {rounded} of {scale} decimals"
    return "different number"


def _fewer_decimals(left: Decimal, right: Decimal, scale: int) -> int | None:
    """How many decimals one side keeps when it is the other one, rounded or cut off."""
    for places in range(scale - 1, -1, -1):
        unit = Decimal(1).scaleb(-places)
        for coarse, fine in ((left, right), (right, left)):
            if coarse == coarse.quantize(unit) and fine != fine.quantize(unit) and abs(coarse - fine) < unit:
                return places
    return None


def _texts(left: str, right: str) -> str:
    if left.rstrip(" ") == right.rstrip(" "):
        return "trailing blanks"
    if left.strip() == right.strip():
        return "white space at an end"
    if left.replace("\r\n", "\n") == right.replace("\r\n", "\n"):
        return "line ends"
    if unicodedata.normalize("NFC", left) == unicodedata.normalize("NFC", right):
        return "unicode normalisation"
    if left.casefold() == right.casefold():
        return "letter case"
    if _folded(left) == _folded(right):
        return "letter case and unicode normalisation"
    if _decoded(left) == right or _decoded(right) == left:
        return "encoded twice: UTF-8 read as Latin-1"
    if _number(left) is not None and _number(left) == _number(right):
        return "the same number, written differently"
    shorter, longer = sorted((left, right), key=len)
    if not shorter:
        return "empty text against a value"
    if longer.startswith(shorter):
        return f"cut off after {len(shorter.encode())} bytes"
    if "\ufffd" in left + right or ("?" in left + right and left.isascii() != right.isascii()):
        return "characters replaced"
    return "different text"


def _decoded(text: str) -> str | None:
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _times(left: str, right: str) -> str:
    try:
        apart = datetime.fromisoformat(right) - datetime.fromisoformat(left)
    except ValueError:  # before year 1 or after 9999
        return "different time, beyond years 1 to 9999"
    if abs(apart) < timedelta(seconds=1):
        for name, unit in (("microseconds", 1000), ("milliseconds", 1_000_000)):
            if abs(apart) < timedelta(microseconds=unit):
                return f"fraction of a second, in the {name}"
    if abs(apart) <= timedelta(hours=14) and apart % timedelta(minutes=15) == timedelta():
        sign = "+" if apart > timedelta() else "-"
        hours, rest = divmod(int(abs(apart).total_seconds()) // 60, 60)
        return f"time zone: right is {sign}{hours:02}:{rest:02}"
    if abs(apart) < timedelta(seconds=1.5):
        return "about one second: rounding of a fraction"
    if abs(apart) == timedelta(days=1):
        return "one day apart"
    if left[10:] == right[10:] and (left[:4], left[5:7], left[8:10]) == (right[:4], right[8:10], right[5:7]):
        return "day and month exchanged"
    return "different date" if len(left) == len(right) == 10 else "different time"
