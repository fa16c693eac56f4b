"""Aggregates and window functions that Postgres spells otherwise, or has not as windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from biostar.standin.errors import Refused

if TYPE_CHECKING:
    from biostar.standin.rewrite.expressions import Emitter

WHOLE_PARTITION = "rows between unbounded preceding and unbounded following"


def listagg(emitter: Emitter, at: int) -> tuple[str, int]:
    """`listagg([distinct] x [, separator]) [within group (order by …)] [over (partition by …)]`."""
    tokens = emitter.tokens
    ranges, after = emitter.arguments(at)
    if not 1 <= len(ranges) <= 2:
        raise Refused(f"function listagg() with {len(ranges)} arguments does not exist", "42883")
    first, last = ranges[0]
    distinct = tokens.low(first) == "distinct"
    value = f"standin.listed(({emitter.emit(first + 1 if distinct else first, last).strip()})::text)"
    separator = emitter.emit(*ranges[1]).strip() if len(ranges) > 1 else "''"
    order, after = _within_group(emitter, after)
    name = "standin.list_distinct" if distinct else "pg_catalog.string_agg"
    if tokens.low(after) != "over":
        return f"standin.list_limit({name}({value}, {separator} {order}))", after
    window, after = _partition(emitter, at, after)
    frame = f"{window} {order} {WHOLE_PARTITION}" if order else window
    return f"standin.list_limit({name}({value}, {separator}) over ({frame}))", after


def percentile(emitter: Emitter, at: int) -> tuple[str, int]:
    """`percentile_cont(share) within group (order by x) [over (partition by …)]`, and `percentile_disc`."""
    tokens = emitter.tokens
    (share,), after = emitter.written(at, (1, 1))
    if not tokens.words(after, "within", "group"):
        raise Refused(f"{tokens.low(at).upper()} needs WITHIN GROUP (ORDER BY …)", "42601")
    start, end = after + 5, tokens.match[after + 2]
    down = tokens.low(end - 1) == "desc"
    value = emitter.emit(start, end - 1 if tokens.low(end - 1) in ("asc", "desc") else end).strip()
    after, window = end + 1, ""
    if tokens.low(after) == "over":
        inside, after = _partition(emitter, at, after)
        window = f" over ({inside})"
    picked = f"standin.ordered({value}){window}"
    return f"standin.{tokens.low(at)}({picked}, ({share})::numeric, {str(down).lower()})", after


def ratio_to_report(emitter: Emitter, at: int) -> tuple[str, int]:
    """`ratio_to_report(x) over (…)`."""
    (value,), after = emitter.written(at, (1, 1))
    tokens = emitter.tokens
    if tokens.low(after) != "over":
        raise Refused("RATIO_TO_REPORT needs an OVER clause", "42601")
    close = tokens.match[after + 1]
    window = emitter.emit(after + 2, close)
    share = f"cast({value} as double precision)"
    return f"({share} / nullif(sum({share}) over ({window}), 0))", close + 1


def edge_value(emitter: Emitter, at: int) -> tuple[str, int]:
    """`first_value(x ignore nulls)` and `last_value(…) ignore nulls`."""
    tokens, close = emitter.tokens, emitter.tokens.match[at + 1]
    inside = tokens.words(close - 2, "ignore", "nulls") or tokens.words(close - 2, "respect", "nulls")
    outside = tokens.words(close + 1, "ignore", "nulls") or tokens.words(close + 1, "respect", "nulls")
    ignoring = tokens.low(close - 2 if inside else close + 1) == "ignore"
    value = emitter.emit(at + 2, close - 2 if inside else close).strip()
    after = close + 3 if outside else close + 1
    name = tokens.low(at)
    if ignoring:
        name = "standin.first_known" if name == "first_value" else "standin.last_known"
    return f"{name}({value})", after


def neighbour(emitter: Emitter, at: int) -> tuple[str, int]:
    """`lag` and `lead`; without the nulls, the nearest row only."""
    texts, after = emitter.written(at, (1, 3))
    tokens, name = emitter.tokens, emitter.tokens.low(at)
    if tokens.words(after, "respect", "nulls"):
        after += 2
    if not tokens.words(after, "ignore", "nulls"):
        return f"{name}({', '.join(texts)})", after
    if texts[1:] not in ([], ["1"]) or tokens.low(after + 2) != "over":
        raise Refused(f"{name.upper()} with IGNORE NULLS and an offset is not known to the stand-in", "0A000")
    close = tokens.match[after + 3]
    window = emitter.emit(after + 4, close)
    known, rows = ("first_known", "1 following and unbounded following")
    if name == "lag":
        known, rows = ("last_known", "unbounded preceding and 1 preceding")
    return f"standin.{known}({texts[0]}) over ({window} rows between {rows})", close + 1


def hll(emitter: Emitter, at: int) -> tuple[str, int]:
    """`hll(x)`: the number that HyperLogLog estimates, exactly."""
    (value,), after = emitter.written(at, (1, 1))
    return f"count(distinct {value})", after


def _within_group(emitter: Emitter, at: int) -> tuple[str, int]:
    if not emitter.tokens.words(at, "within", "group"):
        return "", at
    close = emitter.tokens.match[at + 2]
    return emitter.emit(at + 3, close).strip(), close + 1


def _partition(emitter: Emitter, at: int, over: int) -> tuple[str, int]:
    """What stands in OVER ( … ), where it may only be a PARTITION BY."""
    close = emitter.tokens.match[over + 1]
    if emitter.top_level(over + 2, close, "order") is not None:
        raise Refused(f"{emitter.tokens.low(at).upper()} takes no ORDER BY in its OVER clause", "42601")
    return emitter.emit(over + 2, close).strip(), close + 1
