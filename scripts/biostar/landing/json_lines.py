"""Newline-delimited JSON: its lines in blocks, and the keys that the records of an object have.

Records of one object need not have the same keys. All of them are gathered in the one pass over its bytes, since the
policy for unknown columns must know them, and a column is added before the rows go in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from biostar.errors import ObjectError
from biostar.landing.engine import engine

LONGEST_LINE = 4 * 1024 * 1024
"""Bytes; Redshift's COPY takes no longer input row, so a longer one is a reject on every target."""

MOST_KEYS = 1600
"""Redshift's limit of columns in a table; data that stands in keys has no end of them."""

BLOCK = 1 << 22
_SLICE = 1 << 20
_BOM = b"\xef\xbb\xbf"
_KEYS = """
    select distinct try(json_keys(line)) as keys
    from (select unnest(string_split($1, chr(10))) as line)
"""
_TEXTS = """
    select bool_and(regexp_full_match(line, $2))
    from (select unnest(string_split($1, chr(10))) as line)
"""
_TEXT = r'"(?:[^"\\\x00-\x1f\x7f]|\\[nt\\])*"'
_PAIR = rf"[ \t]*{_TEXT}[ \t]*:[ \t]*{_TEXT}[ \t]*"
_OBJECT_OF_TEXTS = rf"[ \t]*\{{{_PAIR}(?:,{_PAIR})*\}}[ \t]*"
_COPY_NULL = r'"\\N"'


@dataclass(frozen=True)
class Block:
    """Some whole lines of a text.

    Attributes:
        first: number of the first of them, from 1.
        lines: how many.
        text: the lines without the last line end; a line that is not to be read is blank in it.
        too_long: numbers of the lines with more than LONGEST_LINE bytes.
        not_text: numbers of the lines that are not UTF-8.
    """

    first: int
    lines: int
    text: str
    too_long: tuple[int, ...]
    not_text: tuple[int, ...]


def blocks_of(chunks: Iterable[bytes], size: int = BLOCK) -> Iterator[Block]:
    """The lines of a text in blocks of some `size` bytes.

    A byte order mark before the first line is left out. A line of any length costs no more memory than the longest.
    """
    whole: list[bytes] = []
    part: list[bytes] = []
    held = part_bytes = 0
    first = line = 1
    too_long: list[int] = []
    for slice_ in _sliced(chunks):
        start, last = slice_.find(b"\n"), slice_.rfind(b"\n")
        part_bytes += len(slice_) if start < 0 else start
        if part_bytes <= LONGEST_LINE:
            part.append(slice_ if start < 0 else slice_[:start])
        else:
            part.clear()
        if start < 0:
            continue
        if part_bytes > LONGEST_LINE:
            too_long.append(line)
        rest = slice_[start : last + 1]
        whole += (*part, rest)
        held += sum(map(len, part)) + len(rest)
        line += rest.count(b"\n")
        part, part_bytes = [slice_[last + 1 :]], len(slice_) - last - 1
        if held >= size:
            yield _block(whole, first, line - first, too_long)
            whole, too_long, held, first = [], [], 0, line
    if part_bytes > LONGEST_LINE:
        too_long.append(line)
        part = []
    if part_bytes:
        line += 1
        whole += (*part, b"\n")
    if line > first:
        yield _block(whole, first, line - first, too_long)


def _sliced(chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        if len(chunk) <= _SLICE:
            yield chunk
        else:
            for place in range(0, len(chunk), _SLICE):
                yield chunk[place : place + _SLICE]


def _block(parts: list[bytes], first: int, lines: int, too_long: list[int]) -> Block:
    raw = b"".join(parts)[:-1]
    if first == 1:
        raw = raw.removeprefix(_BOM)
    not_text: list[int] = []
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        good = []
        for number, line in enumerate(raw.split(b"\n"), start=first):
            try:
                good.append(line.decode())
            except UnicodeDecodeError:
                good.append("")
                not_text.append(number)
        text = "\n".join(good)
    return Block(first, lines, text, tuple(too_long), tuple(not_text))


class KeysSeen:
    r"""The keys of the records in the blocks that it was shown.

    Attributes:
        has_repeated: whether one of them has a key twice.
        only_texts: whether every line is an object whose values are texts with no escape but `\n`, `\t` and `\\`, and
            none of them is `\N`: what any reader of JSON takes for the same.
    """

    def __init__(self, key: str) -> None:
        self._key = key
        self._keys: set[str] = set()
        self.has_repeated = False
        self.only_texts = True

    def add(self, block: Block) -> None:
        """The next block.

        Raises:
            ObjectError: there are more keys than a table may have columns.
        """
        if self.only_texts:
            found = engine().execute(_TEXTS, [block.text, _OBJECT_OF_TEXTS]).fetchone()
            self.only_texts = found == (True,) and _COPY_NULL not in block.text
        if not block.text.strip():
            return
        rows = engine().execute(_KEYS, [block.text]).fetchall()
        for (keys,) in rows:
            if keys:
                of_record = set(keys)
                self._keys |= of_record
                self.has_repeated = self.has_repeated or len(of_record) < len(keys)
        if len(self._keys) > MOST_KEYS:
            raise ObjectError(
                f"'{self._key}' has more than {MOST_KEYS:,} different keys; are there values among them?",
                self._key,
                undone="nothing of it is loaded",
                next_step="deliver it with the same keys in each record",
            )

    @property
    def names(self) -> tuple[str, ...]:
        """All keys, sorted."""
        return tuple(sorted(self._keys))
