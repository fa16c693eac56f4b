"""The records of an object that begin on given lines, read in one pass, a chunk at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Record:
    """A record as it lies in the object.

    Attributes:
        line: the line on which it begins, from 1.
        last_line: the line on which it ends.
        text: its bytes without the last line end, cut where they were said to be.
        size: how many bytes it has.
    """

    line: int
    last_line: int
    text: bytes
    size: int


def records_at(
    chunks: Iterable[bytes], begin: Mapping[int, bool], *, line_end: bytes = b"\n", longest: int
) -> Iterator[Record]:
    """The records that begin on the lines of `begin`, in order.

    Args:
        chunks: the uncompressed bytes.
        begin: for each line whether the record may go on over line ends within quotes. A record ends in any case where
            the next one that is asked for begins.
        line_end: how lines end, a line feed or a carriage return.
        longest: bytes of a record that are kept.
    """
    wanted = iter(sorted(begin))
    target = next(wanted, None)
    line = 1
    record: _Open | None = None
    for chunk in chunks:
        place = 0
        while place < len(chunk):
            if record is None:
                if target is None:
                    return
                if line + chunk.count(line_end, place) < target:
                    line += chunk.count(line_end, place)
                    break
                while line < target:
                    place = chunk.index(line_end, place) + 1
                    line += 1
                record = _Open(line, begin[line], longest)
                target = next(wanted, None)
                continue
            stop = chunk.find(line_end, place)
            record.add(chunk[place : len(chunk) if stop < 0 else stop])
            if stop < 0:
                break
            line += 1
            place = stop + 1
            if record.goes_on and line != target:
                record.add(line_end)
            else:
                yield record.closed(line - 1)
                record = None
    if record is not None:
        yield record.closed(line)


class _Open:
    def __init__(self, line: int, may_span: bool, longest: int) -> None:
        self._line = line
        self._quotes = _Quotes() if may_span else None
        self._longest = longest
        self._text = bytearray()
        self._size = 0

    def add(self, piece: bytes) -> None:
        self._text += piece[: max(self._longest - self._size, 0)]
        self._size += len(piece)
        if self._quotes is not None:
            self._quotes.read(piece)

    @property
    def goes_on(self) -> bool:
        return self._quotes is not None and self._quotes.inside

    def closed(self, last_line: int) -> Record:
        # Of a line end of two bytes the first one is still there.
        text = bytes(self._text)
        stripped = text.removesuffix(b"\r") if self._size == len(text) else text
        return Record(self._line, last_line, stripped, self._size - len(text) + len(stripped))


_COMMA, _QUOTE = b","[0], b'"'[0]


class _Quotes:
    """Whether the end of what was read lies within quotes: they open at the begin of a field only, as in RFC 4180."""

    def __init__(self) -> None:
        self._at_begin = True
        self._after_quote = False
        self.inside = False

    def read(self, piece: bytes) -> None:
        place = 0
        while place < len(piece):
            if self.inside:
                found = piece.find(b'"', place)
                if found < 0:
                    return
                self.inside, self._after_quote = False, True
                place = found + 1
            elif self._at_begin or self._after_quote:
                if piece[place] == _QUOTE:  # opens the field, or was doubled and is a character of it
                    self.inside = True
                    place += 1
                elif piece[place] == _COMMA:
                    self._at_begin = True
                    self._after_quote = False
                    place += 1
                    continue
                self._at_begin = self._after_quote = False
            else:
                found = piece.find(b",", place)
                if found < 0:
                    return
                self._at_begin = True
                place = found + 1
