"""The rules for expressions and queries: each replaces one construct that Postgres lacks or reads otherwise."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextvars import ContextVar
from functools import cached_property

from biostar.standin.errors import Refused
from biostar.standin.rewrite import aggregates
from biostar.standin.rewrite.names import LEADER_FUNCTIONS, NOT_HERE, NOT_HERE_PREFIXES, REFUSED_FUNCTIONS
from biostar.standin.rewrite.parameters import POSTGRES_PARAMETERS, REDSHIFT_PARAMETERS
from biostar.standin.rewrite.rotation import Rotation, find_rotations, rotate
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


class ColumnsNeeded(Exception):
    """The columns of a relation must be known to rewrite the statement."""


COLUMNS: ContextVar[Callable[[str], list[str]] | None] = ContextVar("COLUMNS", default=None)
"""How to ask for the names of a query's columns, while a session plans a statement that needs them."""


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

    @cached_property
    def _rotations(self) -> dict[int, Rotation]:
        return find_rotations(self.tokens)

    def emit(self, start: int, end: int) -> str:
        """The tokens from `start` to `end` (excluded)."""
        qualify = self.top_level(start, end, "qualify")
        if qualify is not None and self.top_level(start, qualify, "from") is not None:
            return self._qualify(start, qualify, end)
        pieces: list[str] = []
        limit = ""
        at = start
        items = self.tokens.items
        written = items[start].at if start < end else 0
        while at < end:
            token = items[at]
            pieces.append(self.tokens.source[written : token.at])
            rotation = self._rotations.get(at)
            if rotation is not None and rotation.at < end:
                text, after = rotate(self, rotation)
            elif token.kind == "word" and token.low == "select":
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
            if word in NOT_HERE or word.startswith(NOT_HERE_PREFIXES):
                raise Refused(f"Redshift has the function {word}(); the stand-in does not know it", "0A000")
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
                if self.top_level(place, end, word) is not None:
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

    def top_level(self, start: int, end: int, word: str) -> int | None:
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
        select = self.top_level(start, at, "select")
        source = self.top_level(start, at, "from")
        ends = [place for word in _CLAUSE_ENDS if (place := self.top_level(at, end, word)) is not None]
        stop = min(ends, default=end)
        if select is None or source is None or (ends and self.tokens.low(stop) in _SET_OPERATORS):
            raise Refused("QUALIFY in a set operation is not known to the stand-in", "0A000", hint="use a subquery")
        first = select + 2 if self.tokens.low(select + 1) in ("distinct", "all") else select + 1
        before, body = self.emit(start, select), self.emit(select, source)
        rest, condition, tail = self.emit(source, at), self.emit(at + 1, stop), self.emit(stop, end)
        names = [self._output_name(*piece) for piece in self.split(first, source)]
        if None in names:
            names = [*self.columns(f"{body} {rest}", select)]
        outer = ", ".join('"' + (name or "").replace('"', '""') + '"' for name in names)
        if any(token.low == "over" for token in self.tokens.items[at:stop]):
            inner = f"{body}, ({condition}) as standin_qualify {rest}"
            return f"{before} select {outer} from ({inner}) as standin_q where standin_qualify {tail}"
        return f"{before} select {outer} from ({body} {rest}) as standin_q where {condition} {tail}"

    def _output_name(self, start: int, end: int) -> str | None:
        """The name of an output column as far as the text tells it."""
        last = self.tokens.items[end - 1]
        if last.kind in ("word", "quoted") and (end - start == 1 or self.tokens.low(end - 2) in ("as", ".")):
            return name_value(last)
        return None

    def columns(self, query: str, at: int) -> list[str]:
        """The names of the columns of a query that stands at a token, with the WITH clauses that it can see."""
        ask = COLUMNS.get()
        if ask is None:
            raise ColumnsNeeded
        return ask(self._visible(at) + query)

    def _visible(self, at: int) -> str:
        tokens = self.tokens
        opened = [place + 1 for place, close in tokens.match.items() if place < at < close]
        known: dict[str, str] = {}
        recursive = ""
        for start in [0, *sorted(opened)]:
            place = self.top_level(start, at, "with")
            if place is None:
                continue
            if tokens.low(place + 1) == "recursive":
                place, recursive = place + 1, "recursive "
            while True:
                name = place + 1
                body = tokens.match[name + 1] + 2 if tokens.low(name + 1) == "(" else name + 2
                if tokens.low(body - 1) != "as" or tokens.low(body) != "(" or tokens.match[body] >= at:
                    break
                place = tokens.match[body] + 1
                known[name_value(tokens.items[name])] = self.emit(name, place)
                if tokens.low(place) != ",":
                    break
        return f"with {recursive}{', '.join(known.values())} " if known else ""

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
    middle = emitter.top_level(at + 2, close, "as")
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


def _setting(emitter: Emitter, at: int) -> tuple[str, int]:
    """`current_setting` and `set_config`: Redshift's own parameters are kept under a name of the stand-in's."""
    texts, after = emitter.written(at, (1, 3))
    token = emitter.tokens.items[at + 2]
    name = string_value(token).lower() if token.kind == "string" else ""
    function = emitter.tokens.low(at)
    if emitter.catalog or name in POSTGRES_PARAMETERS:
        return f"pg_catalog.{function}({', '.join(texts)})", after
    if name not in REDSHIFT_PARAMETERS:
        raise Refused(f'unrecognized configuration parameter "{name}"', "42704")
    if function == "set_config":
        return f"pg_catalog.set_config('standin.{name}', {', '.join(texts[1:])})", after
    return f"coalesce(pg_catalog.current_setting('standin.{name}', true), '')", after


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
    "listagg": aggregates.listagg,
    "ratio_to_report": aggregates.ratio_to_report,
    "percentile_cont": aggregates.percentile,
    "percentile_disc": aggregates.percentile,
    "first_value": aggregates.edge_value,
    "last_value": aggregates.edge_value,
    "lag": aggregates.neighbour,
    "lead": aggregates.neighbour,
    "hll": aggregates.hll,
    "grouping_id": _renamed("grouping"),
    "bpcharcmp": _renamed("standin.compare_bytes"),
    "bttext_pattern_cmp": _renamed("standin.compare_bytes"),
    "current_setting": _setting,
    "set_config": _setting,
    "object": _renamed("pg_catalog.super_object"),
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
    "unpivot": _refuse_if(
        lambda e, at: (
            e.tokens.low(at - 1) in ("from", ",", "join")
            and any(token.kind in ("word", "quoted") for token in e.tokens.items[at + 1 : at + 2])
            and e.tokens.low(at + 1) not in ("as", "from")
        ),
        "UNPIVOT of an object is not known to the stand-in",
        "take its attributes by name",
    ),
}


def rewrite_query(sql: str, *, catalog: bool = False) -> str:
    """A query with the rules applied."""
    return Emitter(tokenize(sql), catalog=catalog).all()
