"""The uncompressed bytes of an object: compression told by its first bytes, checked to its last, and bounded.

A text that is a thousand times as long as its file is no delivery but a mistake or an attack; reading it to the end
costs hours of a core, and loading it the disk. So beyond a gibibyte the text may be `BIOSTAR_MAX_EXPANSION` times as
long as the bytes read so far, and no longer. What is decompressed at once is bounded too, whatever the file says.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO

import zstandard

from biostar.contracts import Compression
from biostar.environment import whole_number
from biostar.errors import ObjectError

DEFAULT_EXPANSION = 500
"""Times; delivered CSV and JSON compress to a fifth or a tenth, the same row over and over to a two-hundredth."""

ALWAYS_ALLOWED = 1 << 30
"""Bytes of text that any object may have."""

LARGEST_WINDOW = 1 << 27
"""Bytes that a zstd file may ask its reader to keep; more than `zstd --ultra -22` asks for."""

_CHUNK = 1 << 20
_PIECE = 1 << 16
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE = tuple(bytes([low]) + b"\x2a\x4d\x18" for low in range(0x50, 0x60))


def expansion_limit(environment: Mapping[str, str] = os.environ) -> int:
    """How many times its compressed size a text beyond a gibibyte may have.

    Raises:
        ConfigurationError: BIOSTAR_MAX_EXPANSION is no whole number from 1.
    """
    return whole_number(environment, "BIOSTAR_MAX_EXPANSION", DEFAULT_EXPANSION)


def refuse_expansion(key: str, taken: int, given: int, limit: int) -> None:
    """Refuse an object of which `taken` bytes make `given` bytes of text, if that is without measure.

    Raises:
        ObjectError: it is.
    """
    if given > ALWAYS_ALLOWED and given > limit * taken:
        raise ObjectError(
            f"'{key}' expands to more than {ALWAYS_ALLOWED >> 30} GiB and {limit:,} times its size",
            key,
            undone="nothing of it is loaded",
            next_step="deliver it in parts, or raise BIOSTAR_MAX_EXPANSION if it is to be trusted",
        )


class Text:
    """An object's uncompressed bytes in chunks; `see` is shown the bytes as they lie."""

    def __init__(self, stream: BinaryIO, key: str, see: Callable[[bytes], None] = lambda _: None) -> None:
        self._stream = stream
        self._key = key
        self._see = see
        self._limit = expansion_limit()
        self._taken = 0
        self._given = 0
        self.compression: Compression = "none"

    def __iter__(self) -> Iterator[bytes]:
        """The chunks.

        Raises:
            ObjectError: it is damaged, cut off, or expands beyond the limit.
        """
        first = self._read()
        while len(first) < len(_ZSTD) and (more := self._read()):
            first += more
        if first.startswith(_GZIP):
            self.compression = "gzip"
            yield from self._bounded(self._gunzip(first))
        elif first.startswith((_ZSTD, *_ZSTD_SKIPPABLE)):
            self.compression = "zstd"
            yield from self._bounded(self._unzstd(first))
        else:
            while first:
                yield first
                first = self._read()

    def _read(self) -> bytes:
        chunk = self._stream.read(_CHUNK)
        self._taken += len(chunk)
        self._see(chunk)
        return chunk

    def _bounded(self, texts: Iterator[bytes]) -> Iterator[bytes]:
        for text in texts:
            self._given += len(text)
            refuse_expansion(self._key, self._taken, self._given, self._limit)
            yield text

    def _gunzip(self, chunk: bytes) -> Iterator[bytes]:
        member = zlib.decompressobj(wbits=31)
        try:
            while chunk:
                # Small pieces, so that what expands a thousandfold stays within 64 MiB.
                for place in range(0, len(chunk), _PIECE):
                    piece = chunk[place : place + _PIECE]
                    while piece:
                        if member.eof:
                            # Members may follow one another, as `cat a.gz b.gz` makes them.
                            member = zlib.decompressobj(wbits=31)
                        if text := member.decompress(piece):
                            yield text
                        piece = member.unused_data
                chunk = self._read()
        except zlib.error:
            raise self._damaged("gzip") from None
        if not member.eof:
            raise self._cut_off("gzip")

    def _unzstd(self, chunk: bytes) -> Iterator[bytes]:
        # Block by block: a block is 128 KiB of text at most, while a small piece of a hostile file may be gigabytes.
        reader = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW)
        frame = None
        blocks = _ZstdBlocks()
        texts: list[bytes] = []
        held = 0
        try:
            while chunk:
                for piece in blocks.of(chunk):
                    if frame is None:
                        frame = reader.decompressobj()
                    text = frame.decompress(piece)
                    texts.append(text)
                    held += len(text)
                    if held >= _CHUNK:
                        yield b"".join(texts)
                        texts, held = [], 0
                    if frame.eof:
                        frame = None
                chunk = self._read()
        except (zstandard.ZstdError, ValueError):
            raise self._damaged("zstd") from None
        if frame is not None or not blocks.between_frames:
            raise self._cut_off("zstd")
        if held:
            yield b"".join(texts)

    def _damaged(self, kind: str) -> ObjectError:
        return ObjectError(
            f"'{self._key}' is a damaged {kind} file",
            self._key,
            undone="nothing of it is loaded",
            next_step="deliver the object again",
        )

    def _cut_off(self, kind: str) -> ObjectError:
        return ObjectError(
            f"'{self._key}' is a truncated {kind} file; its end is missing",
            self._key,
            undone="nothing of it is loaded",
            next_step="deliver the object again",
        )


class _ZstdBlocks:
    """Cuts a zstd file where its headers, blocks and checksums end; skippable frames are left out.

    The library tells neither that a file ends within a frame nor how much a piece will expand to, but the format does:
    RFC 8878, 3.1.1 (frames: header, blocks, optional checksum) and 3.1.2 (skippable frames).
    """

    def __init__(self) -> None:
        self._rest = b""
        self._next = "frame"
        self._checksum = False
        self._skip = 0

    @property
    def between_frames(self) -> bool:
        """Whether the file may end here."""
        return self._next == "frame" and not self._rest and not self._skip

    def of(self, chunk: bytes) -> Iterator[bytes]:
        """The whole pieces that are there now.

        Raises:
            ValueError: what follows a frame is no frame.
        """
        data = self._rest + chunk
        place = min(self._skip, len(data))
        self._skip -= place
        while place < len(data) and not self._skip:
            size = self._size(data, place)
            if size is None or (self._next != "skip" and place + size > len(data)):
                break
            if self._next == "skip":
                self._next = "frame"
                end = min(place + size, len(data))
                self._skip = place + size - end
                place = end
                continue
            piece = data[place : place + size]
            place += size
            if self._next == "frame":
                self._checksum = bool(piece[4] & 4)
                self._next = "block"
            elif self._next == "block":
                if piece[0] & 1:
                    self._next = "checksum" if self._checksum else "frame"
            else:
                self._next = "frame"
            yield piece
        self._rest = data[place:]

    def _size(self, data: bytes, place: int) -> int | None:
        """Bytes of what begins at `place`; None where too little of it is there to tell."""
        if self._next == "checksum":
            return 4
        if self._next == "block":
            if place + 3 > len(data):
                return None
            header = int.from_bytes(data[place : place + 3], "little")
            return 3 + (1 if header >> 1 & 3 == 1 else header >> 3)
        if place + 8 > len(data):
            return self._short(data[place:])
        if data[place + 1 : place + 4] == b"\x2a\x4d\x18" and data[place] & 0xF0 == 0x50:
            self._next = "skip"
            return 8 + int.from_bytes(data[place + 4 : place + 8], "little")
        return self._header(data[place:])

    def _short(self, data: bytes) -> int | None:
        # A frame header has 6 bytes at least; a skippable one has 8.
        return self._header(data) if len(data) >= 5 and data.startswith(_ZSTD) else None

    @staticmethod
    def _header(data: bytes) -> int:
        if not data.startswith(_ZSTD):
            raise ValueError("no frame")
        description = data[4]
        single = description >> 5 & 1
        of_size = (single, 2, 4, 8)[description >> 6]
        return 5 + (1 - single) + (0, 1, 2, 4)[description & 3] + of_size
