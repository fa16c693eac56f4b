"""Data types: known to the manual, within its limits, and with a length where leaving it out changes the meaning."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot.tokenizer_core import Token, TokenType

from biostar.check import manual
from biostar.check.inspection import Inspection
from biostar.check.lexer import word_of

_ARGUMENTS_NEEDED = {"varchar", "char", "numeric"}


@dataclass(frozen=True)
class TypeName:
    """A type as it is written: its words, its arguments, and how many brackets follow."""

    name: str
    arguments: tuple[str, ...]
    array: bool
    end: int
    """The index of the first token after it."""

    @property
    def family(self) -> str:
        """What the gate reasons with; empty for an unknown type."""
        entry = manual.types().allowed.get(self.name)
        return str(entry["family"]) if entry else ""

    @property
    def canonical(self) -> str:
        """One spelling for each type, to compare a cast with a contract."""
        plain = {
            "int": "integer",
            "int4": "integer",
            "int8": "bigint",
            "int2": "smallint",
            "decimal": "numeric",
            "dec": "numeric",
            "bool": "boolean",
            "character varying": "varchar",
            "nvarchar": "varchar",
            "character": "char",
            "nchar": "char",
            "float": "double precision",
            "float8": "double precision",
            "float4": "real",
            "timestamp without time zone": "timestamp",
            "timestamp with time zone": "timestamptz",
            "time without time zone": "time",
            "time with time zone": "timetz",
        }.get(self.name, self.name)
        return f"{plain}({', '.join(self.arguments)})" if self.arguments else plain


def read_type(tokens: list[Token], at: int) -> TypeName | None:
    """The type that begins at a token, or nothing if none can begin there."""
    words: list[str] = []
    ends: list[int] = []
    index = at
    while index < len(tokens) and len(words) < 5:
        text = tokens[index].text
        if tokens[index].token_type == TokenType.IDENTIFIER and index == at:
            words, ends, index = [f'"{text.lower()}"'], [index + 1], index + 1
            break
        if not word_of(tokens[index]) and " " not in text:
            break
        for word in text.lower().split():
            words.append(word)
            ends.append(index + 1)
        index += 1
    if not words:
        return None
    known = manual.types()
    names = {*known.allowed, *known.refused, *known.undocumented}
    size = next((n for n in range(len(words), 0, -1) if " ".join(words[:n]) in names), 1)
    name, index = " ".join(words[:size]), ends[size - 1]
    arguments: tuple[str, ...] = ()
    if index < len(tokens) and tokens[index].token_type == TokenType.L_PAREN:
        closing = index
        while closing < len(tokens) and tokens[closing].token_type != TokenType.R_PAREN:
            closing += 1
        arguments = tuple(
            token.text.lower() for token in tokens[index + 1 : closing] if token.token_type != TokenType.COMMA
        )
        index = closing + 1
        tail = [token.text.lower() for token in tokens[index : index + 3]]
        if name in {"timestamp", "time"} and tail in (["with", "time", "zone"], ["without", "time", "zone"]):
            name, index = f"{name} {' '.join(tail)}", index + 3
    array = False
    while index + 1 < len(tokens) and tokens[index].token_type == TokenType.L_BRACKET:
        closing = index
        while closing < len(tokens) and tokens[closing].token_type != TokenType.R_BRACKET:
            closing += 1
        array, index = True, closing + 1
    return TypeName(name, arguments, array, index)


def types_in_query(tokens: list[Token]) -> list[tuple[int, TypeName, str]]:
    """The types of casts: the index of the first token, the type, and the function (`::`, cast, try_cast, convert)."""
    found: list[tuple[int, TypeName, str]] = []
    opened: list[str] = []
    for index, token in enumerate(tokens):
        kind = token.token_type
        start, how = 0, ""
        if kind == TokenType.L_PAREN:
            before = tokens[index - 1].text.lower() if index else ""
            opened.append(before)
            if before == "convert":
                start, how = index + 1, "convert"
        elif kind == TokenType.R_PAREN and opened:
            opened.pop()
        elif kind == TokenType.DCOLON:
            start, how = index + 1, "::"
        elif kind == TokenType.ALIAS and opened and opened[-1] in {"cast", "try_cast"}:
            start, how = index + 1, opened[-1]
        if how:
            name = read_type(tokens, start)
            if name is not None:
                found.append((start, name, how))
    return found


def check_type(inspection: Inspection, token: Token, name: TypeName, *, in_table: bool, catalog: bool = False) -> None:
    """Refuse a type that Redshift doesn't know, or that is longer than it allows.

    Args:
        token: where it stands.
        in_table: it is a column's type, where a missing length has a meaning of its own.
        catalog: the statement reads catalog tables only, where PostgreSQL's internal types are at home.
    """
    known = manual.types()
    if name.array and not (catalog and name.name in known.catalog_only):
        inspection.report("type-array", token, f"{name.name}[]")
        return
    if catalog and name.name in known.catalog_only:
        return
    entry = known.allowed.get(name.name)
    if entry is None:
        if name.name in known.undocumented:
            inspection.report("type-undocumented", token, name.name, instead=known.undocumented[name.name])
        elif name.name in known.refused:
            instead = known.refused[name.name]
            inspection.report("type-unsupported", token, name.name, instead=instead)
        else:
            inspection.report("type-unknown", token, name.name)
        return
    family = str(entry["family"])
    if len(name.arguments) > int(entry.get("arguments", 0)):
        inspection.report("type-unknown", token, f"{name.canonical} takes no such arguments", page=entry["page"])
        return
    _check_limits(inspection, token, name, family)
    if family == "text":
        inspection.report("type-text", token, name.name)
    elif family in _ARGUMENTS_NEEDED and not name.arguments and (in_table or inspection.options.portable):
        inspection.report("varchar-without-length", token, name.name)


def _check_limits(inspection: Inspection, token: Token, name: TypeName, family: str) -> None:
    limit = manual.types().limits.get(family)
    numbers = [int(argument) for argument in name.arguments if argument.isdigit()]
    if limit is None or not numbers:
        return
    beyond = numbers[0] > limit["maximum"] or numbers[0] < 1
    if family == "numeric" and len(numbers) > 1:
        beyond = beyond or numbers[1] > limit["scale"] or numbers[1] > numbers[0]
    if beyond:
        inspection.report("type-too-long", token, name.canonical, page=limit["page"])


def check_try_cast(inspection: Inspection, token: Token, source_family: str, target: TypeName) -> None:
    """Refuse a pair of types between which try_cast doesn't convert. An unknown source is taken for text."""
    pairs = manual.types().try_cast
    targets = pairs.get(source_family or "varchar")
    if target.family and targets is not None and target.family not in targets:
        source = source_family or "text"
        inspection.report("try-cast-pair", token, f"try_cast of {source} as {target.name}")
