"""The keys that the records of a newline-delimited JSON object have; which of its lines are no record is found later.

Records of one object need not have the same keys. All of them are gathered in the one pass over its bytes, since the
policy for unknown columns must know them, and a column is added before the rows go in.
"""

from __future__ import annotations

from biostar.errors import ObjectError
from biostar.landing.engine import engine

LONGEST_LINE = 4 * 1024 * 1024
"""Bytes; Redshift's COPY takes no longer input row, so a longer one is a reject on every target."""

MOST_KEYS = 1600
"""Redshift's limit of columns in a table; data that stands in keys has no end of them."""

_AT_ONCE = 1 << 20
_KEYS = """
    select distinct unnest(try(json_keys(line)))
    from (select unnest(string_split($1, chr(10))) as line)
    where ltrim(line, chr(32) || chr(9) || chr(13)) like '{%'
"""


class KeysSeen:
    """Takes the text of an object chunk by chunk and knows the keys of all its records."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._lines: list[bytes] = []
        self._held = 0
        self._open_line = bytearray()
        self._is_too_long = False
        self._keys: set[str] = set()

    def add(self, chunk: bytes) -> None:
        """The next chunk.

        Raises:
            ObjectError: there are more keys than a table may have columns.
        """
        whole, line_end, rest = chunk.rpartition(b"\n")
        if line_end:
            if self._is_too_long:
                # Here ends the line of which more than 4 MiB were read, and which is a reject for that.
                whole = whole.partition(b"\n")[2]
            self._lines.append(bytes(self._open_line) + whole)
            self._held += len(self._lines[-1])
            self._open_line.clear()
            self._is_too_long = False
            if self._held >= _AT_ONCE:
                self._look()
        if not self._is_too_long:
            self._open_line += rest
        if len(self._open_line) > LONGEST_LINE:
            self._open_line.clear()
            self._is_too_long = True

    def names(self) -> tuple[str, ...]:
        """All keys, sorted, once the last chunk was given."""
        self._lines.append(bytes(self._open_line))
        self._look()
        return tuple(sorted(self._keys))

    def _look(self) -> None:
        text = b"\n".join(self._lines).decode(errors="replace")
        self._lines = []
        self._held = 0
        if not text.strip():
            return
        rows = engine().execute(_KEYS, [text]).fetchall()
        self._keys.update(str(name) for (name,) in rows if name is not None)
        if len(self._keys) > MOST_KEYS:
            raise ObjectError(
                f"'{self._key}' has more than {MOST_KEYS:,} different keys; are there values among them?",
                self._key,
                undone="nothing of it is loaded",
                next_step="deliver it with the same keys in each record",
            )
