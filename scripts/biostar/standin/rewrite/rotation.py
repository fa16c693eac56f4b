"""PIVOT and UNPIVOT, as plain queries: https://docs.aws.amazon.com/redshift/latest/dg/r_FROM_clause30.html.

Columns that neither names go into the result by themselves, so the columns of the input must be asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from biostar.standin.errors import Refused
from biostar.standin.rewrite.tokens import Tokens, name_value, string_value
from biostar.standin.wire import identifier, literal

if TYPE_CHECKING:
    from biostar.standin.rewrite.expressions import Emitter

AGGREGATES = ("count", "sum", "min", "max", "avg")
_AFTER_A_TABLE = frozenset(
    """
    where group having order limit offset qualify union intersect except minus join inner left right full cross natural
    on using when set as
    """.split()  # noqa: SIM905
)


@dataclass(frozen=True)
class Rotation:
    """Where the input begins and ends, its alias, and where PIVOT or UNPIVOT stands."""

    start: int
    end: int
    at: int


def find_rotations(tokens: Tokens) -> dict[int, Rotation]:
    """The places of PIVOT and UNPIVOT, by the place where their input begins."""
    found: dict[int, Rotation] = {}
    for at, token in enumerate(tokens.items):
        if token.kind != "word" or token.low not in ("pivot", "unpivot"):
            continue
        opening = tokens.low(at + 1) == "(" or tokens.words(at + 2, "nulls", "(")
        if not opening or tokens.low(at - 1) in ("as", ",", ".", "select", "from", "join"):
            continue
        start = _begin(tokens, at)
        found[start] = Rotation(start, at, at)
    return found


def _begin(tokens: Tokens, at: int) -> int:
    start = _begin_of_item(tokens, at - 1)
    if tokens.low(start - 1) in ("from", "join", ","):
        return start
    start = _begin_of_item(tokens, start - 2 if tokens.low(start - 1) == "as" else start - 1)
    if tokens.low(start - 1) in ("from", "join", ","):
        return start
    raise Refused(f'syntax error at or near "{tokens.low(at)}"', "42601")


def _begin_of_item(tokens: Tokens, last: int) -> int:
    if tokens.low(last) == ")":
        return tokens.match[last]
    while tokens.low(last - 1) == ".":
        last -= 2
    return last


def rotate(emitter: Emitter, rotation: Rotation) -> tuple[str, int]:
    """The query that stands for a PIVOT or UNPIVOT and its input, and the place after it."""
    tokens = emitter.tokens
    source = emitter.emit(rotation.start, rotation.end).strip()
    if tokens.low(rotation.end - 1) == ")" and tokens.match[rotation.end - 1] == rotation.start:
        source += " as standin_input"
    columns = emitter.columns(f"select * from {source}", rotation.start)
    opening = rotation.at + 1 if tokens.low(rotation.at + 1) == "(" else rotation.at + 3
    close = tokens.match[opening]
    middle = emitter.top_level(opening + 1, close, "for")
    if middle is None or tokens.low(middle + 2) != "in" or tokens.low(middle + 3) != "(":
        raise Refused(f'syntax error at or near "{tokens.low(rotation.at)}"', "42601")
    column = name_value(tokens.items[middle + 1])
    listed = emitter.split(middle + 4, tokens.match[middle + 3])
    if tokens.low(rotation.at) == "pivot":
        query = _pivot(emitter, source, columns, (opening + 1, middle), column, listed)
    else:
        nulls = tokens.low(rotation.at + 1) == "include"
        value = name_value(tokens.items[opening + 1])
        query = _unpivot(emitter, source, columns, value, column, listed, nulls)
    following = tokens.items[close + 1] if close + 1 < len(tokens.items) else None
    named = following is not None and (
        following.low == "as" or (following.kind in ("word", "quoted") and following.low not in _AFTER_A_TABLE)
    )
    return f"({query})" + ("" if named else " as standin_rotated"), close + 1


@dataclass(frozen=True)
class _Call:
    """An aggregate of PIVOT: what stands before and after the condition, its alias, and the names it uses."""

    head: str
    argument: str
    alias: str
    names: frozenset[str]


def _call(emitter: Emitter, start: int, end: int) -> _Call:
    tokens = emitter.tokens
    function = tokens.low(start)
    if function not in AGGREGATES or tokens.low(start + 1) != "(":
        raise Refused(f"PIVOT supports {', '.join(AGGREGATES)}", "0A000")
    close = tokens.match[start + 1]
    first = start + 3 if tokens.low(start + 2) in ("distinct", "all") else start + 2
    return _Call(
        f"{function}({'distinct ' if tokens.low(start + 2) == 'distinct' else ''}",
        "1" if tokens.low(first) == "*" else emitter.emit(first, close).strip(),
        _alias(tokens, close + 1, end),
        frozenset(name_value(token) for token in tokens.items[first:close] if token.kind in ("word", "quoted")),
    )


def _pivot(
    emitter: Emitter, source: str, columns: list[str], calls: tuple[int, int], by: str, listed: list[tuple[int, int]]
) -> str:
    tokens = emitter.tokens
    if by not in columns:
        raise Refused(f'column "{by}" does not exist', "42703")
    aggregates = [_call(emitter, *piece) for piece in emitter.split(*calls)]
    used = {by}.union(*(call.names for call in aggregates))
    kept = [identifier(name) for name in columns if name not in used]
    outputs = list(kept)
    for piece in listed:
        value_end, alias = _split_alias(tokens, *piece)
        name = alias or _default_name(tokens, piece[0], value_end)
        value = emitter.emit(piece[0], value_end).strip()
        test = f"{identifier(by)} " + ("is null" if value.lower() == "null" else f"= ({value})")
        for call in aggregates:
            label = identifier(f"{name}_{call.alias}" if call.alias else name)
            outputs.append(f"{call.head}case when {test} then {call.argument} end) as {label}")
    grouping = f" group by {', '.join(kept)}" if kept else ""
    return f"select {', '.join(outputs)} from {source}{grouping}"


def _unpivot(
    emitter: Emitter,
    source: str,
    columns: list[str],
    value: str,
    by: str,
    listed: list[tuple[int, int]],
    nulls: bool,
) -> str:
    tokens = emitter.tokens
    rows, used = [], set()
    for piece in listed:
        end, alias = _split_alias(tokens, *piece)
        column = name_value(tokens.items[piece[0]])
        if end - piece[0] != 1 or column not in columns:
            raise Refused(f'column "{tokens.text(piece[0], end)}" does not exist', "42703")
        used.add(column)
        rows.append(f"(cast({literal(alias or column)} as varchar), {identifier(column)})")
    outputs = [identifier(name) for name in columns if name not in used]
    outputs += [f"standin_turned.{identifier(by)}", f"standin_turned.{identifier(value)}"]
    turned = f"(values {', '.join(rows)}) as standin_turned ({identifier(by)}, {identifier(value)})"
    where = "" if nulls else f" where standin_turned.{identifier(value)} is not null"
    return f"select {', '.join(outputs)} from {source} cross join lateral {turned}{where}"


def _alias(tokens: Tokens, start: int, end: int) -> str:
    at = start + 1 if tokens.low(start) == "as" else start
    if at >= end:
        return ""
    return _name(tokens, at)


def _split_alias(tokens: Tokens, start: int, end: int) -> tuple[int, str]:
    """Where a value ends, and the alias after it."""
    if end - start > 2 and tokens.low(end - 2) == "as":
        return end - 2, _name(tokens, end - 1)
    last = tokens.items[end - 1]
    if end - start > 1 and (last.kind == "quoted" or (last.kind == "word" and tokens.items[end - 2].kind != "op")):
        return end - 1, _name(tokens, end - 1)
    return end, ""


def _name(tokens: Tokens, at: int) -> str:
    token = tokens.items[at]
    return string_value(token).lower() if token.kind == "string" else name_value(token)


def _default_name(tokens: Tokens, start: int, end: int) -> str:
    """A constant is its own name, in lower case as all names are; anything else has none."""
    token = tokens.items[start]
    if end - start == 1 and token.kind in ("string", "number", "word"):
        return string_value(token).lower() if token.kind == "string" else token.low
    return "?column?"
