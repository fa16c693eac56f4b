"""Writing files: what a CSV writer would never write, gzip that is the same every time, and what lies where."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

from biostar.sample.defects import BAD_BYTE, EXTRA_COMMA, LOST_COMMA

_BROKEN = (
    ((LOST_COMMA + ",").encode(), b""),
    (EXTRA_COMMA.encode(), b","),
    (BAD_BYTE.encode(), b"\xff\xfe"),
)
_CHUNK = 1 << 22


def break_rows(path: Path) -> None:
    """Turn the marks of structural defects into the bytes they stand for: a comma more or less, bad UTF-8."""
    broken = path.with_name(path.name + ".broken")
    with path.open("rb") as whole, broken.open("wb") as out:
        while lines := whole.readlines(_CHUNK):
            text = b"".join(lines)
            for mark, meant in _BROKEN:
                text = text.replace(mark, meant)
            out.write(text)
    broken.replace(path)


def compress(path: Path) -> None:
    """Gzip a file in place, without name and time in it, so that the same rows give the same bytes."""
    target = path.with_name(path.name + ".gz")
    with (
        path.open("rb") as plain,
        target.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=4, mtime=0) as packed,
    ):
        shutil.copyfileobj(plain, packed, _CHUNK)
    path.unlink()
