"""The rules for expressions and queries: each replaces one construct that Postgres lacks or reads otherwise."""

from __future__ import annotations

import re
from collections.abc import Callable

from biostar.standin.errors import Refused
from biostar.standin.rewrite.names import LEADER_FUNCTIONS, REFUSED_FUNCTIONS
from biostar.standin.rewrite.tokens import Tokens, name_value, shorten, string_value, tokenize
from biostar.standin.rewrite.typenames import read_type

_DATEPARTS = {
    "millennium": ("millennium", "millennia", "mil", "mils"),
    "century": ("century", "centuries", "c", "cent", "cents"),
    "decade": ("decade", "decades", "dec", "decs"),
    "epoch": ("epoch",),
    "year": ("year", "years", "y", "yr", "yrs"),
    "quarter": ("quarter", "quarters", "qtr", "qtrs"),
    "month": ("month", "months", "mon", "mons"),
    "week": ("week", "weeks", "w"),
    "dow": ("dayofweek", "dow", "dw", "weekday"),
    "doy": ("dayofyear", "doy", "dy", "yearday"),
    "day": ("day", "days", "d"),
    "hour": ("hour", "hours", "h", "hr", "hrs"),
    "minute": ("minute", "minutes", "m", "min", "mins"),
    "second": ("second", "seconds", "s", "sec", "secs"),
    "millisecond": ("millisecond", "milliseconds", "ms", "msec", "msecs", "msecond", "mseconds", "millisec"),
    "microsecond": ("microsecond", "microseconds", "us", "usec", "usecs", "usecond", "useconds", "microsec"),
    "timezone": ("timezone",),
    "timezone_hour": ("timezone_hour",),
    "timezone_minute": ("timezone_minute",),
}
_PART = {name: part for part, names in _DATEPARTS.items() for name in names}
_PART |= {"millisecs": "millisecond", "millisecon": "millisecond", "microsecs": "microsecond"}
_ADDABLE = frozenset(
    [
        "millennium",
        "century",
        "decade",
        "year",
        "quarter",
        "month",
        "week",
        "day",
        "hour",
        "minute",
        "second",
        "millisecond",
        "microsecond",
        "dow",
        "doy",
    ]
)

SAFE_LENGTH = 15
"""Characters that are surely at most 63 bytes; longer words are looked at."""

_LONG_NAME = re.compile(r"'[\w$]{64,127}'")
"""A literal in a catalog query that can only be the name of something."""

_SET_OPERATORS = ("union", "intersect", "except", "minus")
_CLAUSE_ENDS = ("order", "limit", "offset", *_SET_OPERATORS)


class Emitter:
    """Writes a range of tokens again, with the rules applied.

    Args:
        tokens: the statement.
        catalog: it reads the catalog on the leader node: Postgres's own names and types are left alone.
        substitutions: by place, a text to write instead, and the place after it.
    """

    def __init__(
        self,
        tokens: Tokens,
        *,
        catalog: bool = False,
        substitutions: dict[int, tuple[str, int]] | None = None,
    ) -> None:
        self.tokens = tokens
        self.catalog = catalog
        self.substitutions = substitutions or {}

    def all(self) -> str:
        """The whole statement."""
        return self.emit(0, len(self.tokens.items))

    def emit(self, start: int, end: int) -> str:
        """The tokens from `start` to `end` (excluded)."""
        qualify = self._top_level(start, end, "qualify")
        if qualify is not None and self._top_level(start, qualify, "from") is not None:
            return self._qualify(start, qualify, end)
        pieces: list[str] = []
        limit = ""
        at = start
        items = self.tokens.items
        written = items[start].at if start < end else 0
        while at < end:
            token = items[at]
            pieces.append(self.tokens.source[written : token.at])
            if token.kind == "word" and token.low == "select":
                text, after, top = self._select(at, end)
                limit = top or limit
            else:
                text, after = self._one(at, end)
            pieces.append(text)
            last = items[after - 1]
            written = last.at + len(last.text)
            at = after
        return "".join(pieces) + (f" limit {limit}" if limit else "")

    # single tokens --------------------------------------------------------------------------------------------

    def _one(self, at: int, end: int) -> tuple[str, int]:
        token, tokens = self.tokens.items[at], self.tokens
        if at in self.substitutions:
            return self.substitutions[at]
        if token.kind == "word":
            return self._word(at, end)
        if token.kind == "quoted":
            return '"' + name_value(token).replace('"', '""') + '"', at + 1
        if self.catalog and token.kind == "string" and _LONG_NAME.fullmatch(token.text):
            return "'" + shorten(token.text[1:-1].lower()) + "'", at + 1
        if token.text == "::":
            name, after = read_type(tokens, at + 1, catalog=self.catalog)
            return "::" + name, after
        if token.text == "(":
            close = tokens.match[at]
            return "(" + self.emit(at + 1, close) + ")", close + 1
        if token.text == "[":
            close = tokens.match[at]
            return "[" + self.emit(at + 1, close) + "]", close + 1
        return token.text, at + 1

    def _word(self, at: int, end: int) -> tuple[str, int]:
        tokens = self.tokens
        word, following = tokens.low(at), tokens.low(at + 1)
        qualified = tokens.low(at - 1) == "." and tokens.low(at - 2) != "pg_catalog"
        if following == "(" and at + 1 < end and not qualified:
            rule = FUNCTIONS.get(word)
            if rule is not None:
                return rule(self, at)
            if word in REFUSED_FUNCTIONS and not self.catalog and tokens.low(at - 1) not in ("into", "table", "as"):
                raise Refused(
                    f"function {word}() does not exist",
                    "42883",
                    hint="the manual lists it as unsupported, leader-node only, or does not know it",
                )
            if word in LEADER_FUNCTIONS and not self.catalog and self._reads_tables():
                raise Refused(
                    f'Specified types or functions (one per INFO message) not supported on Redshift tables: "{word}"',
                    "0A000",
                    hint="it runs on the leader node only",
                )
        rule_of_word = _WORDS.get(word)
        if rule_of_word is not None and not qualified and tokens.low(at - 1) != "as":
            done = rule_of_word(self, at)
            if done is not None:
                return done
        text = tokens.items[at].text
        return (text if len(text) <= SAFE_LENGTH else name_value(tokens.items[at])), at + 1

    def _reads_tables(self) -> bool:
        """Whether the statement has a FROM: then it runs on the compute nodes."""
        return any(token.low == "from" for token in self.tokens.items)

    def _select(self, at: int, end: int) -> tuple[str, int, str]:
        """`select [distinct|all] top n`: the number moves to the end as LIMIT."""
        tokens = self.tokens
        place = at + 1
        if tokens.low(place) in ("distinct", "all"):
            place += 1
        if tokens.low(place) == "top" and tokens.items[place + 1].kind in ("number", "param"):
            for word in _SET_OPERATORS:
                if self._top_level(place, end, word) is not None:
                    raise Refused("TOP in a set operation is not known to the stand-in", "0A000", hint="use LIMIT")
            number, after = tokens.items[place + 1].text, place + 2
            kept = tokens.low(after) if tokens.low(after) in ("distinct", "all") else ""
            if kept:
                after += 1
            words = " ".join(filter(None, ("select", tokens.low(at + 1) if place > at + 1 else "", kept)))
            return words, after, number
        if tokens.words(at + 1, "distinct", "on") and not self.catalog:
            raise Refused("SELECT DISTINCT ON is not supported", "0A000", hint="use row_number() and a filter")
        return tokens.items[at].text, at + 1, ""

    def _top_level(self, start: int, end: int, word: str) -> int | None:
        """The first place of a word between two tokens, outside of brackets within them."""
        at = start
        while at < end:
            token = self.tokens.items[at]
            if token.kind == "word" and token.low == word:
                return at
            at = self.tokens.match[at] + 1 if token.text in ("(", "[") else at + 1
        return None

    # queries --------------------------------------------------------------------------------------------------

    def _qualify(self, start: int, at: int, end: int) -> str:
        """`select … from … qualify c` as a filter around the query; window functions of `c` become a column."""
        select = self._top_level(start, at, "select")
        source = self._top_level(start, at, "from")
        ends = [place for word in _CLAUSE_ENDS if (place := self._top_level(at, end, word)) is not None]
        stop = min(ends, default=end)
        if select is None or source is None or (ends and self.tokens.low(stop) in _SET_OPERATORS):
            raise Refused("QUALIFY in a set operation is not known to the stand-in", "0A000", hint="use a subquery")
        first = select + 2 if self.tokens.low(select + 1) in ("distinct", "all") else select + 1
        names = [self._output_name(*piece) for piece in self.split(first, source)]
        outer = ", ".join('"' + name + '"' for name in names)
        before, body = self.emit(start, select), self.emit(select, source)
        rest, condition, tail = self.emit(source, at), self.emit(at + 1, stop), self.emit(stop, end)
        if any(token.low == "over" for token in self.tokens.items[at:stop]):
            inner = f"{body}, ({condition}) as standin_qualify {rest}"
            return f"{before} select {outer} from ({inner}) as standin_q where standin_qualify {tail}"
        return f"{before} select {outer} from ({body} {rest}) as standin_q where {condition} {tail}"

    def _output_name(self, start: int, end: int) -> str:
        last = self.tokens.items[end - 1]
        if last.text == "*":
            raise Refused("QUALIFY with * is not known to the stand-in", "0A000", hint="name the columns")
        if last.kind in ("word", "quoted") and (end - start == 1 or self.tokens.low(end - 2) in ("as", ".", ")")):
            return name_value(last)
        raise Refused("QUALIFY needs a name for each column in the stand-in", "0A000", hint="write `as name`")

    # arguments ------------------------------------------------------------------------------------------------

    def split(self, start: int, end: int, separator: str = ",") -> list[tuple[int, int]]:
        """The ranges between separators outside of brackets."""
        ranges: list[tuple[int, int]] = []
        begin = at = start
        while at < end:
            text = self.tokens.items[at].text
            if text == separator:
                ranges.append((begin, at))
                begin = at + 1
            at = self.tokens.match[at] + 1 if text in ("(", "[") else at + 1
        if begin < end:
            ranges.append((begin, end))
        return ranges

    def arguments(self, at: int) -> tuple[list[tuple[int, int]], int]:
        """The argument ranges of the call whose name is at `at`, and the place after its bracket."""
        close = self.tokens.match[at + 1]
        return self.split(at + 2, close), close + 1

    def written(self, at: int, count: tuple[int, int]) -> tuple[list[str], int]:
        """The arguments of a call as text; their number must lie within `count`."""
        ranges, after = self.arguments(at)
        if not count[0] <= len(ranges) <= count[1]:
            name = self.tokens.low(at)
            raise Refused(f"function {name}() with {len(ranges)} arguments does not exist", "42883")
        return [self.emit(*piece).strip() for piece in ranges], after

    def datepart(self, start: int, end: int) -> str:
        """The canonical name of a date part, written as a word, an identifier or a literal."""
        token = self.tokens.items[start]
        if end - start == 1:
            name = string_value(token).strip().lower() if token.kind == "string" else name_value(token)
            if name in _PART:
                return _PART[name]
        raise Refused(f'Invalid datepart "{self.tokens.text(start, end)}"', "22023")


Rule = Callable[[Emitter, int], "tuple[str, int]"]
WordRule = Callable[[Emitter, int], "tuple[str, int] | None"]


def _timestamp_of(text: str, emitter: Emitter, piece: tuple[int, int]) -> str:
    """An argument that is a bare literal is a timestamp to Redshift; Postgres would prefer one with a time zone."""
    if piece[1] - piece[0] == 1 and emitter.tokens.items[piece[0]].kind == "string":
        return f"cast({text} as timestamp)"
    return text


def _dateadd(emitter: Emitter, at: int) -> tuple[str, int]:
    texts, after = emitter.written(at, (3, 3))
    ranges, _ = emitter.arguments(at)
    part = emitter.datepart(*ranges[0])
    if part not in _ADDABLE:
        raise Refused(f'Invalid datepart "{part}" for dateadd', "22023")
    return f"pg_catalog.dateadd('{part}', ({texts[1]})::bigint, {_timestamp_of(texts[2], emitter, ranges[2])})", after


def _datediff(emitter: Emitter, at: int) -> tuple[str, int]:
    texts, after = emitter.written(at, (3, 3))
    ranges, _ = emitter.arguments(at)
    values = [_timestamp_of(text, emitter, piece) for text, piece in zip(texts[1:], ranges[1:], strict=True)]
    return f"pg_catalog.datediff('{emitter.datepart(*ranges[0])}', {values[0]}, {values[1]})", after


def _date_part(emitter: Emitter, at: int) -> tuple[str, int]:
    texts, after = emitter.written(at, (2, 2))
    ranges, _ = emitter.arguments(at)
    value = _timestamp_of(texts[1], emitter, ranges[1])
    return f"pg_catalog.{emitter.tokens.low(at)}('{emitter.datepart(*ranges[0])}', {value})", after


def _extract(emitter: Emitter, at: int) -> tuple[str, int]:
    close = emitter.tokens.match[at + 1]
    if emitter.tokens.low(at + 3) != "from":
        raise Refused('syntax error at or near "extract"', "42601")
    part = emitter.datepart(at + 2, at + 3)
    inner = emitter.emit(at + 4, close)
    value = _timestamp_of(inner.strip(), emitter, (at + 4, close))
    if part == "epoch" or part in ("second", "millisecond", "microsecond"):
        return f"pg_catalog.standin_extract('{part}', {value})", close + 1
    return f"cast(pg_catalog.date_part('{part}', {value}) as integer)", close + 1


def _cast(emitter: Emitter, at: int) -> tuple[str, int]:
    tokens, close = emitter.tokens, emitter.tokens.match[at + 1]
    middle = emitter._top_level(at + 2, close, "as")
    if middle is None:
        raise Refused('syntax error at or near ")"', "42601")
    name, after = read_type(tokens, middle + 1, catalog=emitter.catalog)
    if after != close:
        raise Refused(f'syntax error at or near "{tokens.items[after].text}"', "42601")
    value = emitter.emit(at + 2, middle).strip()
    if tokens.low(at) == "cast":
        return f"cast({value} as {name})", close + 1
    return f"case when {_castable(value, name)} then cast(({value})::text as {name}) end", close + 1


def _castable(value: str, name: str) -> str:
    """Whether text can be cast, as TRY_CAST asks."""
    kind = name.partition("(")[0]
    guards = {"smallint": "integer", "integer": "integer", "bigint": "integer", "numeric": "numeric"}
    guards |= {"real": "numeric", "double precision": "numeric", "date": "date", "timestamp": "date"}
    guards |= {"timestamptz": "date", "boolean": "boolean"}
    if kind not in guards:
        return f"({value}) is not null"
    return f"standin.can_be_{guards[kind]}(({value})::text, '{name}')"


def _convert(emitter: Emitter, at: int) -> tuple[str, int]:
    close = emitter.tokens.match[at + 1]
    name, comma = read_type(emitter.tokens, at + 2, catalog=emitter.catalog)
    if emitter.tokens.low(comma) != ",":
        raise Refused('syntax error at or near "convert"', "42601")
    return f"cast({emitter.emit(comma + 1, close).strip()} as {name})", close + 1


def _nvl2(emitter: Emitter, at: int) -> tuple[str, int]:
    (value, some, none), after = emitter.written(at, (3, 3))
    return f"(case when ({value}) is not null then {some} else {none} end)", after


def _decode(emitter: Emitter, at: int) -> tuple[str, int]:
    texts, after = emitter.written(at, (3, 3000))
    value, rest = texts[0], texts[1:]
    default = f" else {rest[-1]}" if len(rest) % 2 else ""
    pairs = zip(rest[0::2], rest[1::2], strict=False)
    branches = " ".join(f"when ({value}) is not distinct from ({key}) then {result}" for key, result in pairs)
    return f"(case {branches}{default} end)", after


def _listagg(emitter: Emitter, at: int) -> tuple[str, int]:
    tokens = emitter.tokens
    ranges, after = emitter.arguments(at)
    first, last = ranges[0]
    distinct = tokens.low(first) == "distinct"
    value = f"({emitter.emit(first + 1 if distinct else first, last).strip()})::text"
    separator = emitter.emit(*ranges[1]).strip() if len(ranges) > 1 else "''"
    order = ""
    if tokens.words(after, "within", "group"):
        close = tokens.match[after + 2]
        order = emitter.emit(after + 3, close).strip()
        after = close + 1
        if distinct:
            plain = tokens.text(first + 1, last).lower()
            by = order.lower().removeprefix("order by").strip()
            if by.removesuffix(" desc").removesuffix(" asc").strip() != plain.strip():
                raise Refused(
                    "LISTAGG(DISTINCT x) ordered by something else than x is not known to the stand-in", "0A000"
                )
            order = f"order by {value}" + (" desc" if by.endswith(" desc") else "")
    if tokens.low(after) == "over":
        raise Refused("LISTAGG as a window function is not known to the stand-in", "0A000")
    head = "distinct " if distinct else ""
    return f"cast(pg_catalog.string_agg({head}{value}, {separator} {order}) as varchar(65535))", after


def _ratio_to_report(emitter: Emitter, at: int) -> tuple[str, int]:
    (value,), after = emitter.written(at, (1, 1))
    tokens = emitter.tokens
    if tokens.low(after) != "over":
        raise Refused("RATIO_TO_REPORT needs an OVER clause", "42601")
    close = tokens.match[after + 1]
    window = emitter.emit(after + 2, close)
    share = f"cast({value} as double precision)"
    return f"({share} / nullif(sum({share}) over ({window}), 0))", close + 1


def _percentile(emitter: Emitter, at: int) -> tuple[str, int]:
    tokens = emitter.tokens
    texts, after = emitter.written(at, (1, 1))
    if tokens.words(after, "within", "group"):
        close = tokens.match[after + 2]
        inner = emitter.emit(after + 3, close)
        after = close + 1
        if tokens.low(after) == "over":
            raise Refused(f"{tokens.low(at).upper()} as a window function is not known to the stand-in", "0A000")
        return f"{tokens.low(at)}({texts[0]}) within group ({inner})", after
    return f"{tokens.low(at)}({texts[0]})", after


def _edge_value(emitter: Emitter, at: int) -> tuple[str, int]:
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


def _neighbour(emitter: Emitter, at: int) -> tuple[str, int]:
    texts, after = emitter.written(at, (1, 3))
    if emitter.tokens.words(after, "ignore", "nulls"):
        raise Refused(f"{emitter.tokens.low(at).upper()} with IGNORE NULLS is not known to the stand-in", "0A000")
    if emitter.tokens.words(after, "respect", "nulls"):
        after += 2
    return f"{emitter.tokens.low(at)}({', '.join(texts)})", after


def _renamed(name: str) -> Rule:
    def rule(emitter: Emitter, at: int) -> tuple[str, int]:
        close = emitter.tokens.match[at + 1]
        return f"{name}({emitter.emit(at + 2, close)})", close + 1

    return rule


FUNCTIONS: dict[str, Rule] = {
    "dateadd": _dateadd,
    "date_add": _dateadd,
    "datediff": _datediff,
    "date_diff": _datediff,
    "date_part": _date_part,
    "date_trunc": _date_part,
    "extract": _extract,
    "cast": _cast,
    "try_cast": _cast,
    "convert": _convert,
    "nvl": _renamed("coalesce"),
    "nvl2": _nvl2,
    "decode": _decode,
    "listagg": _listagg,
    "ratio_to_report": _ratio_to_report,
    "percentile_cont": _percentile,
    "percentile_disc": _percentile,
    "first_value": _edge_value,
    "last_value": _edge_value,
    "lag": _neighbour,
    "lead": _neighbour,
    "pg_last_copy_id": _renamed("pg_catalog.pg_last_copy_id"),
    "array": _renamed("pg_catalog.super_array"),
    "len": _renamed("length"),
}


def _approximate(emitter: Emitter, at: int) -> tuple[str, int] | None:
    if emitter.tokens.low(at + 1) in ("count", "percentile_disc") and emitter.tokens.low(at + 2) == "(":
        return "", at + 1
    return None


def _sysdate(emitter: Emitter, at: int) -> tuple[str, int] | None:
    if emitter.tokens.low(at + 1) in ("(", "."):
        return None
    return "pg_catalog.sysdate()", at + 1


def _minus(emitter: Emitter, at: int) -> tuple[str, int] | None:
    return ("except", at + 1) if emitter.tokens.low(at + 1) in ("select", "(") and at else None


def _refuse_if(test: Callable[[Emitter, int], bool], message: str, hint: str) -> WordRule:
    def rule(emitter: Emitter, at: int) -> tuple[str, int] | None:
        if not emitter.catalog and test(emitter, at):
            raise Refused(message, "0A000", hint=hint)
        return None

    return rule


def _dml(emitter: Emitter) -> bool:
    return emitter.tokens.low(0) in ("insert", "update", "delete", "merge", "with")


_WORDS: dict[str, WordRule] = {
    "approximate": _approximate,
    "sysdate": _sysdate,
    "minus": _minus,
    "filter": _refuse_if(
        lambda e, at: e.tokens.low(at - 1) == ")" and e.tokens.words(at + 1, "(", "where"),
        "FILTER in an aggregate is not supported",
        "use sum(case when … end)",
    ),
    "lateral": _refuse_if(
        lambda e, at: e.tokens.low(at - 1) in ("join", ",") and e.tokens.low(at + 1) == "(",
        "LATERAL is not supported",
        "use a join",
    ),
    "returning": _refuse_if(
        lambda e, at: _dml(e) and e.tokens.low(at + 1) not in (",", "", ")", "=", "from", "."),
        "RETURNING is not supported",
        "select the rows afterwards",
    ),
    "conflict": _refuse_if(
        lambda e, at: e.tokens.low(at - 1) == "on" and e.tokens.low(at + 1) in ("do", "("),
        "ON CONFLICT is not supported",
        "use MERGE, or delete and insert",
    ),
    "distinct": _refuse_if(
        lambda e, at: e.tokens.low(at - 1) in ("is", "not") and e.tokens.low(at + 1) == "from",
        "IS DISTINCT FROM is not supported",
        "compare, and test both sides for null",
    ),
    "pivot": _refuse_if(
        lambda e, at: e.tokens.low(at + 1) == "(" and e.tokens.low(at - 1) not in ("as", ",", "select"),
        "PIVOT is not known to the stand-in",
        "aggregate with case",
    ),
    "unpivot": _refuse_if(
        lambda e, at: e.tokens.low(at + 1) in ("(", "include", "exclude"),
        "UNPIVOT is not known to the stand-in",
        "use union all",
    ),
}


def rewrite_query(sql: str, *, catalog: bool = False) -> str:
    """A query with the rules applied."""
    return Emitter(tokenize(sql), catalog=catalog).all()
