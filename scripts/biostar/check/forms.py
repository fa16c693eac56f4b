"""The manual's syntax notation, matched against the tokens of a statement.

`manual/statements.yml` holds the forms. A form is a small grammar; matching it backtracks, so that an optional part or
an expression of unknown length finds its end. What a form captures (names, types, expressions, queries) is checked by
the other modules: a statement passes here only if every one of its tokens has a place in a form.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlglot.tokenizer_core import TokenType

from biostar.check import manual
from biostar.check.lexer import Lexeme, is_string, lexemes
from biostar.check.model import page_url

_GRAMMAR = re.compile(r"<[a-z0-9_]+>|,\.\.\.|\.\.\.|[\[\]{}|]|[(),=.:]|[A-Z_0-9]+")
_OPENERS = {"(": ")", "[": "]"}

_QUERY_STARTS = {"SELECT", "WITH", "("}


@dataclass(frozen=True)
class Capture:
    """What a form found: its kind and its tokens, from `start` up to, not including, `end`."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True)
class _Node:
    kind: str
    text: str = ""
    parts: tuple[_Node, ...] = ()
    separator: str = ""


@dataclass(frozen=True)
class Form:
    """One statement form of the manual."""

    page: str
    transaction: str
    begins: bool
    ends: bool
    root: _Node
    first: frozenset[str]
    rule: str = ""


Captures = tuple[Capture, ...]


@lru_cache(maxsize=1)
def allowed_forms() -> tuple[Form, ...]:
    """Every form of the manual's commands."""
    document = manual.statement_forms()
    fragments = document["fragments"]
    forms: list[Form] = []
    for entry in document["statements"]:
        for text in entry["forms"]:
            root = _parse(text, fragments)
            forms.append(
                Form(
                    page=page_url(entry["page"]),
                    transaction=entry.get("transaction", ""),
                    begins=entry.get("begins_transaction", False),
                    ends=entry.get("ends_transaction", False),
                    root=root,
                    first=_first_words(root),
                )
            )
    return tuple(forms)


@lru_cache(maxsize=1)
def refused_forms() -> tuple[Form, ...]:
    """The statements of other engines that have a rule of their own."""
    document = manual.statement_forms()
    forms: list[Form] = []
    for entry in document["refused"]:
        root = _parse(entry["form"], document["fragments"])
        forms.append(Form("", "", False, False, root, _first_words(root), entry["rule"]))
    return tuple(forms)


def query_pages() -> dict[str, str]:
    """The first words of queries and row changes, upper case, and their pages."""
    document = manual.statement_forms()
    return {word.upper(): page_url(page) for word, page in document["queries"].items()}


class Matcher:
    """Matches forms against one statement."""

    def __init__(self, tokens: list[Any]) -> None:
        self.tokens = tokens
        self.lexemes: list[Lexeme] = lexemes(tokens)
        self.furthest = 0

    def match(self, form: Form) -> Captures | None:
        """What the form captures if the whole statement has it, else nothing."""
        for end, captures in self._node(form.root, 0):
            if end == len(self.lexemes):
                return captures
        return None

    def furthest_token(self) -> Any:
        """The token that no form could place."""
        index = min(self.furthest, len(self.lexemes) - 1)
        return self.tokens[self.lexemes[index].token]

    # Each of these yields the places up to which a part matches, with what it captured, best guess first.

    def _node(self, node: _Node, at: int) -> Iterator[tuple[int, Captures]]:
        self.furthest = max(self.furthest, at)
        if node.kind == "word":
            if at < len(self.lexemes) and self.lexemes[at].word == node.text:
                yield at + 1, ()
        elif node.kind == "sign":
            if at < len(self.lexemes) and self.lexemes[at].sign == node.text:
                yield at + 1, ()
        elif node.kind == "sequence":
            yield from self._sequence(node.parts, at)
        elif node.kind == "choice":
            for part in node.parts:
                yield from self._node(part, at)
        elif node.kind == "option":
            yield from self._node(node.parts[0], at)
            yield at, ()
        elif node.kind == "list":
            yield from self._list(node.parts[0], node.separator, at)
        else:
            yield from self._terminal(node.text, at)

    def _sequence(self, parts: tuple[_Node, ...], at: int) -> Iterator[tuple[int, Captures]]:
        if not parts:
            yield at, ()
            return
        for middle, captured in self._node(parts[0], at):
            for end, rest in self._sequence(parts[1:], middle):
                yield end, captured + rest

    def _list(self, item: _Node, separator: str, at: int) -> Iterator[tuple[int, Captures]]:
        """Items in a row, not by recursion: a table may have 1,600 columns."""
        captured: Captures = ()
        ends: list[tuple[int, Captures]] = []
        while True:
            candidates = list(self._node(item, at))
            if not candidates:
                break
            if separator:
                going_on = [
                    (end, found)
                    for end, found in candidates
                    if end < len(self.lexemes) and self.lexemes[end].sign == separator
                ]
                ends = [(end, captured + found) for end, found in candidates]
                if not going_on:
                    break
                end, found = going_on[0]
                at, captured = end + 1, captured + found
            else:
                end, found = candidates[0]
                if end == at:
                    break
                ends += [(other, captured + more) for other, more in candidates]
                at, captured = end, captured + found
        yield from ends if separator else reversed(ends)

    def _terminal(self, name: str, at: int) -> Iterator[tuple[int, Captures]]:
        lexeme = self.lexemes[at] if at < len(self.lexemes) else None
        if name == "rest":
            yield len(self.lexemes), ()
        elif lexeme is None:
            return
        elif name in {"id", "column", "alias"}:
            if self._is_name(lexeme):
                yield at + 1, (self._capture(name, at, at + 1),)
        elif name in {"name", "name4"}:
            yield from self._dotted(at, 4 if name == "name4" else 3)
        elif name in {"string", "body", "unloaded"}:
            if is_string(self.tokens[lexeme.token]):
                yield at + 1, (self._capture(name, at, at + 1),)
        elif name == "number":
            end = at + 1 if lexeme.sign in {"-", "+", "."} else at
            if end < len(self.lexemes) and self.lexemes[end].kind == TokenType.NUMBER:
                yield end + 1, ()
        elif name == "value":
            yield from self._terminal("number", at)
            if is_string(self.tokens[lexeme.token]) or self._is_name(lexeme):
                yield at + 1, ()
        elif name == "parens":
            closing = self._closing(at)
            if lexeme.sign == "(" and closing is not None:
                yield closing, ()
        elif name == "type":
            yield from self._type(at)
        elif name == "nested":
            yield from self._nested_type(at)
        elif name == "expr":
            for end in self._expression_ends(at):
                yield end, (self._capture("expr", at, end),)
        elif name == "query":
            yield from self._query(at)
        elif name == "statement":
            yield len(self.lexemes), (self._capture("statement", at, len(self.lexemes)),)

    def _capture(self, kind: str, start: int, end: int) -> Capture:
        return Capture(kind, self.lexemes[start].token, self.lexemes[end - 1].token + 1)

    @staticmethod
    def _is_name(lexeme: Lexeme) -> bool:
        return bool(lexeme.word) or lexeme.kind == TokenType.IDENTIFIER

    def _dotted(self, at: int, parts: int) -> Iterator[tuple[int, Captures]]:
        if not self._is_name(self.lexemes[at]):
            return
        end = at + 1
        captures = [self._capture("id", at, end)]
        while (
            len(captures) < parts
            and end + 1 < len(self.lexemes)
            and self.lexemes[end].sign == "."
            and self._is_name(self.lexemes[end + 1])
        ):
            captures.append(self._capture("id", end + 1, end + 2))
            end += 2
        yield end, (*captures, self._capture("name", at, end))

    def _type(self, at: int) -> Iterator[tuple[int, Captures]]:
        words: list[str] = []
        while at + len(words) < len(self.lexemes) and len(words) < 4 and self.lexemes[at + len(words)].word:
            words.append(self.lexemes[at + len(words)].word.lower())
        known = {*manual.types().allowed, *manual.types().refused}
        size = next((n for n in range(len(words), 0, -1) if " ".join(words[:n]) in known), 1)
        if not words and self.lexemes[at].kind != TokenType.IDENTIFIER:
            return
        end = at + size
        if end < len(self.lexemes) and self.lexemes[end].sign == "(":
            closing = self._closing(end)
            if closing is not None:
                end = closing
                # timestamp (6) with time zone
                tail = [lexeme.word for lexeme in self.lexemes[end : end + 3]]
                if tail in (["WITH", "TIME", "ZONE"], ["WITHOUT", "TIME", "ZONE"]):
                    end += 3
        while end + 1 < len(self.lexemes) and self.lexemes[end].sign == "[":
            closing = self._closing(end)
            if closing is None:
                break
            end = closing
        yield end, (self._capture("type", at, end),)

    def _nested_type(self, at: int) -> Iterator[tuple[int, Captures]]:
        """struct<…>, array<…> and map<…> of external tables; any other type as elsewhere."""
        following = self.lexemes[at + 1].sign if at + 1 < len(self.lexemes) else ""
        if self.lexemes[at].word not in {"STRUCT", "ARRAY", "MAP"} or following != "<":
            yield from self._type(at)
            return
        depth = 0
        for index in range(at + 1, len(self.lexemes)):
            sign = self.lexemes[index].sign
            depth += sign.count("<") - sign.count(">")
            if depth <= 0:
                yield index + 1, ()
                return

    def _closing(self, at: int) -> int | None:
        depth = 0
        for index in range(at, len(self.lexemes)):
            sign = self.lexemes[index].sign
            if sign in _OPENERS:
                depth += 1
            elif sign in _OPENERS.values():
                depth -= 1
                if depth == 0:
                    return index + 1
        return None

    def _expression_ends(self, at: int) -> Iterator[int]:
        """Every place where an expression may end, shortest first: balanced, and not past a comma or a bracket."""
        index = at
        while index < len(self.lexemes):
            sign = self.lexemes[index].sign
            if sign in _OPENERS:
                closing = self._closing(index)
                if closing is None:
                    return
                index = closing
            elif sign in {")", "]", ","}:
                return
            else:
                index += 1
            yield index

    def _query(self, at: int) -> Iterator[tuple[int, Captures]]:
        first = self.lexemes[at]
        if not (first.word in _QUERY_STARTS or first.sign == "("):
            return
        ends = list(self._expression_ends_of_query(at))
        binding = len(self.lexemes) - 4
        if binding > at and [lexeme.word for lexeme in self.lexemes[binding:]] == ["WITH", "NO", "SCHEMA", "BINDING"]:
            yield binding, (self._capture("query", at, binding),)
            return
        if ends:
            yield ends[-1], (self._capture("query", at, ends[-1]),)

    def _expression_ends_of_query(self, at: int) -> Iterator[int]:
        index = at
        while index < len(self.lexemes):
            sign = self.lexemes[index].sign
            if sign in _OPENERS:
                closing = self._closing(index)
                if closing is None:
                    return
                index = closing
            elif sign in {")", "]"}:
                return
            else:
                index += 1
            yield index


# ---------------------------------------------------------------------------- reading the notation


def _parse(text: str, fragments: dict[str, str]) -> _Node:
    words = _GRAMMAR.findall(text)
    node, end = _choice(words, 0, fragments)
    if end != len(words):
        raise ValueError(f"the form {text!r} goes wrong at {words[end]!r}")
    return node


def _choice(words: list[str], at: int, fragments: dict[str, str]) -> tuple[_Node, int]:
    branches: list[_Node] = []
    parts: list[_Node] = []
    while at < len(words) and words[at] not in {"]", "}"}:
        word = words[at]
        if word == "|":
            branches.append(_Node("sequence", parts=tuple(parts)))
            parts = []
            at += 1
        elif word in {"[", "{"}:
            inner, at = _choice(words, at + 1, fragments)
            at += 1
            parts.append(_Node("option", parts=(inner,)) if word == "[" else inner)
        elif word == "...":
            repeated = parts.pop()
            if repeated.kind == "option":
                parts.append(_Node("option", parts=(_Node("list", parts=repeated.parts),)))
            else:
                parts.append(_Node("list", parts=(repeated,)))
            at += 1
        elif word == ",...":
            repeated = parts.pop()
            if repeated.kind == "option":
                inner_list = _Node("list", parts=repeated.parts, separator=",")
                parts.append(_Node("option", parts=(inner_list,)))
            else:
                parts.append(_Node("list", parts=(repeated,), separator=","))
            at += 1
        elif word.startswith("<"):
            name = word[1:-1]
            parts.append(_parse(fragments[name], fragments) if name in fragments else _Node("terminal", name))
            at += 1
        else:
            parts.append(_Node("word" if word[0].isalnum() or word[0] == "_" else "sign", word))
            at += 1
    branches.append(_Node("sequence", parts=tuple(parts)))
    return (branches[0] if len(branches) == 1 else _Node("choice", parts=tuple(branches))), at


def _first_words(node: _Node) -> frozenset[str]:
    if node.kind == "word":
        return frozenset({node.text})
    if node.kind == "choice":
        return frozenset().union(*(_first_words(part) for part in node.parts))
    if node.kind in {"list"}:
        return _first_words(node.parts[0])
    if node.kind == "sequence" and node.parts:
        return _first_words(node.parts[0])
    return frozenset()
