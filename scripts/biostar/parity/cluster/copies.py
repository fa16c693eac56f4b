"""The files by which COPY is asked: name, what it settles, content, options, and the error code that must appear.

A code of None means that the file must load; what it loaded as is shown.
"""

from __future__ import annotations

COPIES: tuple[tuple[str, str, bytes, str, str | None], ...] = (
    (
        "nulls",
        "an unquoted \\N is null, a quoted empty text is empty, an unquoted one too (null in a number)",
        b'1,\\N,2024-02-08 00:00:00\n2,"",\n,x,2024-02-08\n',
        "csv",
        None,
    ),
    ("null-as", "NULL AS '\\N' says the same as the default", b"1,\\N,\\N\n2,a,\n", "csv null as '\\N'", None),
    (
        "quotes",
        "a doubled quote is one quote, a line break may stand in quotes",
        b'1,"a""b",\n2,"a\nb",\n',
        "csv",
        None,
    ),
    ("too-long", "a text of more bytes than its column: 1204", "1,ééé,\n".encode(), "csv", "1204"),
    ("bad-digit", "letters in a number: 1207", b"x,a,\n", "csv", "1207"),
    ("overflow", "a number that no integer holds: 1222", b"3000000000,a,\n", "csv", "1222"),
    ("extra-column", "a field too many: 1202", b"1,a,,more\n", "csv", "1202"),
    ("missing-column", "a field too few is an error", b"1,a\n", "csv", "12"),
    ("bad-time", "an impossible time: 1206", b"1,a,2024-02-30 00:00:00\n", "csv", "1206"),
    ("bad-utf8", "bytes that are not UTF-8: 1220", b"1,\xff\xfe,\n", "csv", "1220"),
    ("open-quote", "a quote that is never closed is an error", b'1,"abc,\n', "csv", "12"),
)
