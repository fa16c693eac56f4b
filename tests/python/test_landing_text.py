"""Compressed objects: read to the last byte whatever the pieces they come in, and found out where a byte is missing."""

from __future__ import annotations

import gzip
import io
import random
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from biostar.errors import ConfigurationError, ObjectError
from biostar.landing import text as texts
from biostar.landing.text import Text, expansion_limit
from conftest import Lab

NOISE = random.Random(5).randbytes(3000)
SKIPPABLE = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"12345"


def frame(content: bytes, *, checksum: bool, sized: bool, level: int = 3) -> bytes:
    return zstandard.ZstdCompressor(level=level, write_checksum=checksum, write_content_size=sized).compress(content)


FRAMES = st.lists(
    st.builds(
        lambda content, checksum, sized: (content, frame(content, checksum=checksum, sized=sized)),
        st.sampled_from([b"", b"a", b"1,2\n" * 500, NOISE, b"\0" * 300_000, NOISE * 100]),
        st.booleans(),
        st.booleans(),
    )
    | st.just((b"", SKIPPABLE)),
    min_size=1,
    max_size=4,
)


def read(content: bytes, size: int) -> bytes:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "_CHUNK", size)
        return b"".join(Text(io.BytesIO(content), "k"))


@settings(max_examples=80, deadline=None)
@given(frames=FRAMES, size=st.sampled_from([1, 3, 1000, 1 << 20]))
def test_frames_of_zstd(frames: list[tuple[bytes, bytes]], size: int) -> None:
    content = b"".join(compressed for _, compressed in frames)
    size = max(size, len(content) // 2000)
    assert read(content, size) == b"".join(plain for plain, _ in frames)


@pytest.mark.parametrize("checksum", [True, False])
def test_zstd_that_ends_too_early(checksum: bool) -> None:
    """At each byte but between two frames, where nobody can tell."""
    first, second = (frame(b"id\n" + NOISE[:200], checksum=checksum, sized=True) for _ in range(2))
    for end in range(4, len(first) + len(second)):
        if end != len(first):
            with pytest.raises(ObjectError, match="'k' is a truncated zstd file"):
                read((first + second)[:end], 64)


def test_damaged_zstd_and_gzip() -> None:
    plain = b"1,2\n" * 2000 + NOISE
    whole = frame(plain, checksum=True, sized=True)
    for place in range(5, len(whole), 40):  # byte 4 has a bit that means nothing
        with pytest.raises(ObjectError):
            read(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :], 1 << 20)
    for content in (whole + b"id,note\n", gzip.compress(b"1,2\n" * 99) + b"id,note\n"):
        with pytest.raises(ObjectError, match="is a damaged"):
            read(content, 1 << 20)


def test_a_window_of_gigabytes_is_refused() -> None:
    """The header alone would have a reader keep two gigabytes."""
    header = b"\x28\xb5\x2f\xfd" + bytes([0b00000100, 21 << 3])
    with pytest.raises(ObjectError, match="is a damaged zstd file"):
        read(header + b"\x01\x00\x00" + b"\0" * 4, 1 << 20)


def test_the_limit_of_expansion() -> None:
    assert expansion_limit({}) == 500
    assert expansion_limit({"BIOSTAR_MAX_EXPANSION": "9"}) == 9
    for wrong in ("0", "-1", "many", "1.5", "²"):
        with pytest.raises(ConfigurationError, match="BIOSTAR_MAX_EXPANSION"):
            expansion_limit({"BIOSTAR_MAX_EXPANSION": wrong})


def test_the_engine_reads_the_frames_that_we_read(lab: Lab) -> None:
    """What was counted must be what is loaded: frames one after the other, empty ones, and some to be skipped."""
    supplies = b"DATE,PATIENT,ENCOUNTER,CODE,DESCRIPTION,QUANTITY\n"
    row = b"2020-01-01,p,e,1,d,1\n"
    parts = [
        SKIPPABLE,
        frame(supplies + row, checksum=True, sized=False),
        frame(b"", checksum=False, sized=True),
        SKIPPABLE,
        frame(row * 9000, checksum=False, sized=True, level=19),
    ]
    lab.put("supplies", b"".join(parts), name="a.csv.zst")
    lab.put("supplies", gzip.compress(supplies) + gzip.compress(b"") + gzip.compress(row * 9), name="b.csv.gz")
    outcome = lab.load()
    assert (outcome.code, outcome.document["rows_loaded"]) == (0, 9010), outcome.document


def test_a_folder_of_the_temporary_files_is_left_empty(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    lab.put("supplies", frame(b"DATE\n", checksum=True, sized=True)[:-2], name="a.csv.zst")
    assert lab.load().code == 4
    assert list(tmp_path.glob("biostar-load-*")) == []
