"""The precision and scale that Redshift gives to a computed number, where Postgres knows only "numeric".

Postgres analyses the query (as a temporary view, never run) and keeps the result as a tree of nodes; Redshift's rules
are applied to that tree. An expression that has no rule here keeps the type that Postgres gives it.

Rules: https://docs.aws.amazon.com/redshift/latest/dg/r_numeric_computations201.html, r_SUM.html, r_AVG.html.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from biostar.standin.wire import Column, identifier

if TYPE_CHECKING:
    from biostar.standin.wire import Backend

T = TypeVar("T")

NUMERIC = 1700
MAX_PRECISION = 38
MAX_SCALE = 37
MIN_SCALE_AFTER_OVERFLOW = 4

Node = dict[str, Any]
_TOKEN = re.compile(r"[(){}]|(?:\\.|[^\s(){}\\])+", re.DOTALL)


@dataclass(frozen=True)
class Decimal:
    """A precision and a scale."""

    precision: int
    scale: int

    def capped(self) -> Decimal:
        """Within 38 digits: what is too much is taken from the scale, down to four digits."""
        if self.precision <= MAX_PRECISION:
            return Decimal(self.precision, min(self.scale, MAX_SCALE))
        excess = self.precision - MAX_PRECISION
        return Decimal(MAX_PRECISION, max(self.scale - excess, min(self.scale, MIN_SCALE_AFTER_OVERFLOW)))


INTEGERS = {21: Decimal(5, 0), 23: Decimal(10, 0), 20: Decimal(19, 0)}
"""What an integer counts as beside a decimal."""

_SUM, _AVG = {2114}, {2103}
_KEEPING = {2130, 2146, *range(3106, 3115)}
"""max, min, and the window functions that pick a row: lag, lead, first_value, last_value, nth_value."""

_ADD, _MULTIPLY, _DIVIDE, _MODULO = {1758, 1759}, {1760}, {1761}, {1762}
_FROM_INTEGER = {1782: 21, 1740: 23, 1781: 20}
_COERCION = 1703
_SAME_TYPE = {1396, 1705, 1707, 1708, 1709, 1710, 1771, 1915}
"""abs, round, trunc and the signs: the type of their argument."""


def parse_tree(source: str) -> Any:
    """A tree of nodes as Postgres prints it: nodes are dictionaries with their kind under `_`, lists are lists."""
    tokens = _TOKEN.findall(source)
    value, _ = _value(tokens, 0)
    return value


def _value(tokens: list[str], at: int) -> tuple[Any, int]:
    token = tokens[at]
    if token == "{":
        node: Node = {"_": tokens[at + 1]}
        at += 2
        while tokens[at] != "}":
            key = tokens[at][1:]
            at += 1
            values = []
            while tokens[at] != "}" and not (tokens[at][0] == ":" and len(tokens[at]) > 1):
                value, at = _value(tokens, at)
                values.append(value)
            node[key] = values[0] if len(values) == 1 else values
        return node, at + 1
    if token == "(":
        items = []
        at += 1
        while tokens[at] != ")":
            value, at = _value(tokens, at)
            items.append(value)
        return items, at + 1
    return token, at + 1


@dataclass
class Scope:
    """A query and the queries around it."""

    query: Node
    outer: Scope | None = None
    seen: set[tuple[int, int]] = field(default_factory=set)

    def up(self, levels: int) -> Scope | None:
        """The query so many levels outside."""
        scope: Scope | None = self
        while levels and scope is not None:
            scope, levels = scope.outer, levels - 1
        return scope


def output_types(tree: Any) -> list[Decimal | None]:
    """The decimal type of each output column of an analysed query; None where there is no rule."""
    query = tree[0] if isinstance(tree, list) else tree
    return _outputs(Scope(query))


def _outputs(scope: Scope) -> list[Decimal | None]:
    targets = [target for target in _nodes(scope.query.get("targetList")) if target.get("resjunk") != "true"]
    operation = scope.query.get("setOperations")
    if isinstance(operation, dict):
        return _set_operation(scope, operation, len(targets))
    return [_type(target["expr"], scope) for target in targets]


def _nodes(value: Any) -> list[Node]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _set_operation(scope: Scope, node: Node, count: int) -> list[Decimal | None]:
    if node["_"] == "RANGETBLREF":
        entry = _nodes(scope.query["rtable"])[int(node["rtindex"]) - 1]
        return _outputs(Scope(entry["subquery"], scope))
    sides = [_set_operation(scope, node[side], count) for side in ("larg", "rarg")]
    return [_common(pair) for pair in zip(*sides, strict=False)]


def _common(types: Sequence[Decimal | None]) -> Decimal | None:
    """The type of a value that may come from any of several."""
    known = [kind for kind in types if kind is not None]
    if not known or len(known) != len(types):
        return None
    scale = max(kind.scale for kind in known)
    return Decimal(max(kind.precision - kind.scale for kind in known) + scale, scale).capped()


def _of_typmod(typmod: int) -> Decimal | None:
    if typmod < 4:
        return None
    return Decimal((typmod - 4) >> 16 & 0xFFFF, (typmod - 4) & 0x7FF)


def _type(node: Any, scope: Scope) -> Decimal | None:
    if not isinstance(node, dict):
        return None
    rule = _RULES.get(node["_"])
    return rule(node, scope) if rule is not None else None


def _var(node: Node, scope: Scope) -> Decimal | None:
    if int(node["vartype"]) in INTEGERS:
        return INTEGERS[int(node["vartype"])]
    known = _of_typmod(int(node["vartypmod"]))
    if known is not None or int(node["vartype"]) != NUMERIC:
        return known
    owner = scope.up(int(node["varlevelsup"]))
    place = (int(node["varno"]), int(node["varattno"]))
    if owner is None or place[1] < 1 or place in owner.seen:
        return None
    owner.seen.add(place)  # a recursive query refers to itself
    try:
        entry = _nodes(owner.query["rtable"])[place[0] - 1]
        return _column_of(entry, place[1], owner)
    finally:
        owner.seen.discard(place)


def _column_of(entry: Node, attno: int, scope: Scope) -> Decimal | None:
    kind = entry["rtekind"]
    if kind == "1":
        return _pick(_outputs(Scope(entry["subquery"], scope)), attno)
    if kind == "2":
        return _type(_pick(_nodes(entry["joinaliasvars"]), attno), scope)
    if kind == "6":
        owner = scope.up(int(entry["ctelevelsup"]))
        for cte in _nodes(owner.query["cteList"]) if owner is not None else []:
            if cte["ctename"] == entry["ctename"]:
                return _pick(_outputs(Scope(cte["ctequery"], owner)), attno)
    if kind == "5":
        return _common([_type(row[attno - 1], scope) for row in entry["values_lists"]])
    return None


def _pick(items: Sequence[T], attno: int) -> T | None:
    return items[attno - 1] if attno <= len(items) else None


def _const(node: Node, scope: Scope) -> Decimal | None:
    kind = int(node["consttype"])
    if kind in INTEGERS:
        return INTEGERS[kind]
    known = _of_typmod(int(node["consttypmod"]))
    if known is not None or kind != NUMERIC or node["constisnull"] == "true":
        return known
    return _decimal_of_bytes(bytes(int(part) & 0xFF for part in node["constvalue"][2:-1]))


def _decimal_of_bytes(raw: bytes) -> Decimal | None:
    """Precision and scale of a stored numeric: after the length, a head with the weight and scale, then digits."""
    body = raw[4:]
    (head,) = struct.unpack_from("<H", body)
    if head & 0xC000 == 0x8000:
        scale, weight, digits = (head & 0x1F80) >> 7, head & 0x3F, body[2:]
        weight = weight - 64 if head & 0x40 else weight
    elif head & 0xC000 == 0xC000:
        return None  # NaN and infinity
    else:
        scale, digits = head & 0x3FFF, body[4:]
        (weight,) = struct.unpack_from("<h", body, 2)
    whole = 0
    if weight >= 0 and len(digits) >= 2:
        whole = weight * 4 + len(str(struct.unpack_from("<h", digits)[0]))
    return Decimal(max(whole + scale, 1), scale)


def _aggregate(node: Node, scope: Scope) -> Decimal | None:
    name = "aggfnoid" if "aggfnoid" in node else "winfnoid"
    function, arguments = int(node[name]), _nodes(node["args"])
    if not arguments:
        return _result_integer(node.get("aggtype", node.get("wintype")))
    argument = arguments[0]["expr"] if arguments[0]["_"] == "TARGETENTRY" else arguments[0]
    inner = _type(argument, scope)
    if function in _SUM | _AVG:
        return Decimal(MAX_PRECISION, inner.scale) if inner is not None else None
    if function in _KEEPING:
        return inner
    return _result_integer(node.get("aggtype", node.get("wintype")))


def _result_integer(kind: Any) -> Decimal | None:
    return INTEGERS.get(int(kind)) if kind is not None else None


def _operator(node: Node, scope: Scope) -> Decimal | None:
    if int(node["opresulttype"]) in INTEGERS:
        return INTEGERS[int(node["opresulttype"])]
    types = [_type(argument, scope) for argument in node["args"]]
    if any(kind is None for kind in types):
        return None
    number = int(node["opno"])
    if len(types) == 1:
        return types[0]
    a, b = types[0], types[1]
    assert a is not None
    assert b is not None
    if number in _ADD:
        scale = max(a.scale, b.scale)
        return Decimal(max(a.precision - a.scale, b.precision - b.scale) + scale + 1, scale).capped()
    if number in _MULTIPLY:
        return Decimal(a.precision + b.precision + 1, a.scale + b.scale).capped()
    if number in _DIVIDE:
        scale = max(4, a.scale + b.precision - b.scale + 1)
        return Decimal(a.precision - a.scale + b.scale + scale, scale).capped()
    if number in _MODULO:
        return _common(types)
    return None


def _function(node: Node, scope: Scope) -> Decimal | None:
    number, arguments = int(node["funcid"]), node["args"]
    if number in _FROM_INTEGER:
        return INTEGERS[_FROM_INTEGER[number]]
    if number == _COERCION:
        typmod = arguments[1]
        if isinstance(typmod, dict) and typmod["_"] == "CONST":
            raw = bytes(int(part) & 0xFF for part in typmod["constvalue"][2:-1])
            return _of_typmod(struct.unpack_from("<i", raw)[0])
    if number in _SAME_TYPE:
        return _type(arguments[0], scope)
    return INTEGERS.get(int(node["funcresulttype"]))


def _case(node: Node, scope: Scope) -> Decimal | None:
    results = [branch["result"] for branch in _nodes(node["args"])]
    if isinstance(node.get("defresult"), dict):
        results.append(node["defresult"])
    return _any_of(results, scope)


def _any_of(nodes: Sequence[Any], scope: Scope) -> Decimal | None:
    """The common type of alternatives; a bare NULL has none of its own."""
    valued = [node for node in nodes if not (node["_"] == "CONST" and node["constisnull"] == "true")]
    return _common([_type(node, scope) for node in valued])


def _sublink(node: Node, scope: Scope) -> Decimal | None:
    if node["subLinkType"] != "4":
        return None
    return _pick(_outputs(Scope(node["subselect"], scope)), 1)


_RULES = {
    "VAR": _var,
    "CONST": _const,
    "AGGREF": _aggregate,
    "WINDOWFUNC": _aggregate,
    "OPEXPR": _operator,
    "FUNCEXPR": _function,
    "CASEEXPR": _case,
    "CASE": _case,
    "COALESCEEXPR": lambda node, scope: _any_of(node["args"], scope),
    "COALESCE": lambda node, scope: _any_of(node["args"], scope),
    "MINMAXEXPR": lambda node, scope: _any_of(node["args"], scope),
    "MINMAX": lambda node, scope: _any_of(node["args"], scope),
    "NULLIFEXPR": lambda node, scope: _type(node["args"][0], scope),
    "RELABELTYPE": lambda node, scope: _type(node["arg"], scope),
    "SUBLINK": _sublink,
}


def typed_query(backend: Backend, query: str, columns: Sequence[Column]) -> str:
    """The query with Redshift's type on each output column that is a bare number to Postgres.

    Args:
        backend: a session in whose open batch the query has just been parsed without an error.
        query: the rewritten query, without parameters.
        columns: what it returns.
    """
    if not any(column.type_oid == NUMERIC and column.typmod < 0 for column in columns):
        return query
    names = [f"c{place}" for place in range(1, len(columns) + 1)]
    listed = ", ".join(names)
    backend.run(f"create temporary view standin_typed ({listed}) as {query}")
    tree = backend.run(
        "select ev_action::text from pg_rewrite where ev_class = 'pg_temp.standin_typed'::regclass"
    ).rows[0][0]
    backend.run("drop view pg_temp.standin_typed")
    types = output_types(parse_tree(tree or "()"))
    outputs = []
    for name, column, kind in zip(names, columns, types, strict=True):
        value = name
        if column.type_oid == NUMERIC and column.typmod < 0 and kind is not None:
            value = f"cast({name} as numeric({kind.precision}, {kind.scale}))"
        outputs.append(f"{value} as {identifier(column.name)}")
    return f"select {', '.join(outputs)} from ({query}) as standin_typed ({listed})"
