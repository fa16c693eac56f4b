"""One pass over the bytes of an object, held against plain Python on small objects of every shape."""

from __future__ import annotations

import gzip
import io
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biostar.contracts import Column, RawTable
from biostar.errors import DataError
from biostar.landing import inspect_object, list_landing, rewrite_object
from biostar.landing import text as texts
from biostar.landing.header import parse_header
from biostar.landing.inspect import blank_lines, lines_at
from biostar.landing.listing import Found

# Pieces that matter to a reader of CSV, in any order.
TEXT = st.lists(st.sampled_from([b"a", b",", b'"', b"\n", b"\r\n", b"\n\n", b'""', b"caf\xc3\xa9"]), max_size=40).map(
    b"".join
)


@settings(max_examples=100, deadline=None)
@given(text=TEXT, zipped=st.booleans(), size=st.sampled_from([1, 2, 7, 1 << 20]))
def test_lines_are_counted_as_an_editor_does(text: bytes, zipped: bool, size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "_CHUNK", size)
        whole = b"h,i\n" + text
        lines = whole.split(b"\n")
        expected = len(lines) - (lines[-1] == b"")
        content = gzip.compress(whole) if zipped else whole
        found = inspect_object(io.BytesIO(content), "k")
        assert (found.lines, found.text_bytes, found.compression) == (
            expected,
            len(whole),
            "gzip" if zipped else "none",
        )
        assert found.header.names == ("h", "i")
        # a blank line is one with nothing on it but its end
        ended = lines[:-1]
        blank = tuple(number for number, line in enumerate(ended, start=1) if line in (b"", b"\r"))
        assert blank_lines(io.BytesIO(content), "k") == blank
        offsets = sorted({0, len(whole) // 2, len(whole) - 1})
        assert lines_at(io.BytesIO(content), "k", offsets) == [1 + whole.count(b"\n", 0, offset) for offset in offsets]


@settings(max_examples=100, deadline=None)
@given(text=TEXT, drop=st.booleans(), size=st.sampled_from([1, 2, 7, 1 << 20]))
def test_a_rewriting_keeps_the_number_of_every_line(text: bytes, drop: bool, size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "_CHUNK", size)
        target = io.BytesIO()
        outcome = rewrite_object(io.BytesIO(text), target, "k", drop_open_quotes=drop)
        lines = [line.removesuffix(b"\r") for line in text.split(b"\n")]
        odd = [number for number, line in enumerate(lines, start=1) if drop and line.count(b'"') % 2]
        expected = [b"" if number in odd else line for number, line in enumerate(lines, start=1)]
        assert outcome.open_quotes == tuple(odd)
        ended = text.endswith(b"\n") or not text
        assert target.getvalue().split(b"\n") == (expected if ended else [*expected, b""])


@pytest.mark.parametrize("seed", range(20))
def test_a_gzip_file_with_any_damage_is_refused(seed: int) -> None:
    """Any cut, and any flipped bit behind the file's own header, is noticed by the end of the pass."""
    random_ = random.Random(seed)
    whole = gzip.compress(b"h,i\n" + random_.randbytes(5000).hex().encode())
    with pytest.raises(DataError, match=r"truncated|damaged|not a CSV|is empty"):
        inspect_object(io.BytesIO(whole[: random_.randrange(3, len(whole))]), "k")
    place = random_.randrange(10, len(whole))
    flipped = whole[:place] + bytes([whole[place] ^ (1 << random_.randrange(8))]) + whole[place + 1 :]
    with pytest.raises(DataError):
        inspect_object(io.BytesIO(flipped), "k")


def test_a_gzip_file_that_expands_a_thousandfold_stays_small() -> None:
    content = gzip.compress(b"h,i\n" + bytes(50 << 20))
    found = inspect_object(io.BytesIO(content), "k")
    assert found.text_bytes == 4 + (50 << 20)


def test_a_stream_that_gives_what_it_likes() -> None:
    """A socket returns fewer bytes than asked for."""

    class Dribble(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(3)

    whole = b"h,i\n" + b"1,2\n" * 100
    assert inspect_object(Dribble(whole), "k").lines == 101  # type: ignore[arg-type]
    assert inspect_object(Dribble(gzip.compress(whole)), "k").lines == 101


@pytest.mark.parametrize(
    ("text", "names", "lines", "line_end"),
    [
        (b"a,b\n1,2\n", ("a", "b"), 1, "\n"),
        (b"\xef\xbb\xbf a , b \r\n1,2\r\n", ("a", "b"), 1, "\r\n"),
        (b'"a\nb","c,d"\n1,2\n', ("a\nb", "c,d"), 2, "\n"),
        (b'"a ""b""",c\r1,2\r', ('a "b"', "c"), 1, "\r"),
        (b"a,b", ("a", "b"), 1, "\n"),
        (b"a,b,\n", ("a", "b", ""), 1, "\n"),
    ],
)
def test_the_header(text: bytes, names: tuple[str, ...], lines: int, line_end: str) -> None:
    header = parse_header(text, "k", whole=True)
    assert header is not None
    assert (header.names, header.lines, header.line_end) == (names, lines, line_end)


def test_the_fingerprint_knows_order_and_not_case() -> None:
    prints = [parse_header(text, "k", whole=True).fingerprint for text in (b"a,b\n", b"A,B\n", b"b,a\n", b"ab\n")]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3


def test_where_objects_lie() -> None:
    class Fixed:
        def find(self, folder: str):
            assert folder == "ehr"
            for key in (
                "ehr/a/ingest_date=2024-01-02/x.csv",
                "ehr/a/ingest_date=2024-01-01/deep/er/x.CSV.GZ",
                "ehr/a/ingest_date=2024-01-01/x.csv",
                "ehr/a/x.csv",
                "ehr/x.csv",
                "ehr/b/ingest_date=2024-01-01/x.csv",
                "ehr/a/ingest_date=2024-01-01/_temporary/x.csv",
                "ehr/a/ingest_date=2024-01-01/x.parquet",
            ):
                yield Found(key, 1, "s")

    table = RawTable("raw_ehr", "raw_ehr", "a", "ehr", (Column("id", "varchar(9)"),), ("id",))
    listing = list_landing(Fixed(), "ehr", {"a": table})  # type: ignore[arg-type]
    assert [landed.key for landed in listing.objects] == [
        "ehr/a/ingest_date=2024-01-01/deep/er/x.CSV.GZ",
        "ehr/a/ingest_date=2024-01-01/x.csv",
        "ehr/a/ingest_date=2024-01-02/x.csv",
    ]
    assert [problem.where for problem in listing.problems] == ["ehr/x.csv", "ehr/a/x.csv"]
    assert listing.unknown_tables == {"b": 1}
    assert listing.ignored == [
        "ehr/a/ingest_date=2024-01-01/_temporary/x.csv",
        "ehr/a/ingest_date=2024-01-01/x.parquet",
    ]
