"""COPY and UNLOAD on the stand-in, through the real driver and S3's own protocol."""

from __future__ import annotations

import gzip
import io
import itertools
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import boto3
import duckdb
import pytest
import redshift_connector
import zstandard

from biostar.standin import StandIn
from biostar.standin.loading.values import BadValue, clean_text
from conftest import S3_KEYS

ROLE = "iam_role 'arn:aws:iam::123456789012:role/loader'"
_numbers = itertools.count()


class Lake:
    """A schema of its own, a prefix of its own, and a session."""

    def __init__(self, standin: StandIn) -> None:
        self.name = f"copy_{next(_numbers)}"
        self.s3: Any = boto3.client("s3", endpoint_url=standin.settings.s3_endpoint, **S3_KEYS)
        self.session = redshift_connector.connect(**standin.connection)
        self.session.autocommit = True
        self.run(f"create schema {self.name}")
        self.run(f"set search_path to {self.name}")

    @property
    def url(self) -> str:
        return f"s3://lake/{self.name}/"

    def put(self, key: str, content: bytes | str) -> None:
        body = content.encode() if isinstance(content, str) else content
        self.s3.put_object(Bucket="lake", Key=f"{self.name}/{key}", Body=body)

    def get(self, key: str) -> bytes:
        return bytes(self.s3.get_object(Bucket="lake", Key=f"{self.name}/{key}")["Body"].read())

    def keys(self, prefix: str = "") -> list[str]:
        found = self.s3.list_objects_v2(Bucket="lake", Prefix=f"{self.name}/{prefix}").get("Contents", [])
        return [item["Key"].removeprefix(f"{self.name}/") for item in found]

    def run(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        cursor = self.session.cursor()
        cursor.execute(sql, values or None)
        return [tuple(row) for row in cursor.fetchall()] if cursor.description else []

    def copy(self, table: str, options: str, key: str = "") -> int:
        self.run(f"copy {table} from '{self.url}{key}' {ROLE} {options}")
        return int(self.run("select pg_last_copy_count()")[0][0])

    def errors(self) -> list[tuple[Any, ...]]:
        return self.run(
            "select line_number, trim(column_name), error_code, trim(error_message) from sys_load_error_detail"
            " where query_id = (select max(query_id) from sys_load_history where table_name like %s) order by 1",
            "t%",
        )


@pytest.fixture
def lake(standin: StandIn) -> Iterator[Lake]:
    made = Lake(standin)
    yield made
    made.session.close()


def refusal(lake: Lake, sql: str) -> str:
    with pytest.raises(redshift_connector.Error) as said:
        lake.run(sql)
    return str(said.value.args[0]["M"])


# what comes in ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packing", ["", "gzip", "zstd"])
def test_csv_plain_and_compressed(lake: Lake, packing: str) -> None:
    lake.run("create table t (id integer, name varchar(10), amount numeric(8, 2), born date, at timestamp, ok boolean)")
    text = 'id,name,amount,born,at,ok\n1,"a, ""b""",1.239,2024-02-29,2024-02-08 06:00:00.5,true\n2,é,,,,\n'
    pack = {"": lambda raw: raw, "gzip": gzip.compress, "zstd": zstandard.compress}[packing]
    lake.put("a.csv", pack(text.encode()))
    assert lake.copy("t", f"csv ignoreheader 1 {packing}") == 2
    first, second = lake.run("select id, name, amount, born::varchar(10), at::varchar(30), ok from t order by id")
    # a digit too many is cut, as COPY does, not rounded
    assert first == (1, 'a, "b"', Decimal("1.23"), "2024-02-29", "2024-02-08 06:00:00.5", True)
    assert second == (2, "é", None, None, None, None)


def test_a_column_list_leaves_the_others_to_their_defaults(lake: Lake) -> None:
    lake.run("create table t (id integer, n bigint identity(1, 1), source varchar(5) default 'x', name varchar(5))")
    lake.put("a.csv", "b,7\nc,8\n")
    lake.copy("t (name, id)", "csv")
    assert lake.run("select id, n, source, name from t order by id") == [(7, 1, "x", "b"), (8, 2, "x", "c")]


def test_delimited_text_with_escape_and_null(lake: Lake) -> None:
    lake.run("create table t (a varchar(9), b varchar(9))")
    lake.put("a.txt", "x\\|y|NULL\n\\N|z\n")
    lake.copy("t", "escape null as 'NULL'")
    assert sorted(lake.run("select coalesce(a, '-'), coalesce(b, '-') from t")) == [("\\N", "z"), ("x|y", "-")]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", ["", "  ", "v"]),
        ("emptyasnull", ["  ", "v"]),
        ("blanksasnull", ["", "v"]),
        ("null as 'v'", ["", "  "]),
    ],
)
def test_what_counts_as_null(lake: Lake, options: str, expected: list[str]) -> None:
    lake.run("create table t (n integer, a varchar(5))")
    lake.put("a.csv", "1,\n2,  \n3,v\n")
    lake.copy("t", f"csv {options}")
    assert [row[0] for row in lake.run("select a from t where a is not null order by n")] == expected


def test_the_null_string_is_taken_as_it_is_written(lake: Lake) -> None:
    lake.run("create table t (n integer, a varchar(5))")
    lake.put("a.csv", "1,\\N\n2,N\n")
    lake.copy("t", "csv null as '\\N'")
    assert lake.run("select n, a from t order by n") == [(1, None), (2, "N")]


def test_json_by_name_by_path_and_as_a_whole(lake: Lake) -> None:
    lake.put(
        "in/a.json.gz",
        gzip.compress(
            b'{"id": 1, "v": {"x": [10, 2.50]}, "name": "\xc3\xa9"}\n\n{"id":2,"other":true}{"id":3,\n"name":"z"}\n'
        ),
    )
    lake.run("create table t (id integer, name varchar(9))")
    lake.copy("t", "json 'auto' gzip", "in/")
    assert lake.run("select id, name from t order by id") == [(1, "é"), (2, None), (3, "z")]

    lake.put("paths.json", json.dumps({"jsonpaths": ["$.id", "$['v'].x[1]"]}))
    lake.run("create table t2 (id integer, second varchar(9))")
    lake.copy("t2", f"json '{lake.url}paths.json' gzip", "in/")
    assert lake.run("select id, second from t2 order by id") == [(1, "2.50"), (2, None), (3, None)]

    lake.run("create table t3 (whole super)")
    lake.copy("t3", "json 'noshred' gzip", "in/")
    assert lake.run("select count(*), max(json_typeof(whole)) from t3") == [(3, "object")]


def test_parquet_matches_columns_by_position(lake: Lake, tmp_path: Any) -> None:
    file = tmp_path / "a.parquet"
    duckdb.execute(
        "copy (select 1::integer as x, 'é' as y, 1.50::decimal(6, 2) as z, date '2024-02-08' as d, null::bigint as n)"
        f" to '{file}' (format parquet)"
    )
    lake.put("a.parquet", file.read_bytes())
    lake.run("create table t (id integer, name varchar(9), amount numeric(8, 2), day date, n bigint)")
    assert lake.copy("t", "format as parquet") == 1
    assert lake.run("select id, name, amount, day::varchar(10), n from t") == [
        (1, "é", Decimal("1.50"), "2024-02-08", None)
    ]

    lake.run("create table t2 (id varchar(9), name varchar(9), amount numeric(8, 2), day date, n bigint)")
    assert refusal(lake, f"copy t2 from '{lake.url}' {ROLE} parquet") == "Spectrum Scan Error"
    lake.run("create table t3 (id integer)")
    assert refusal(lake, f"copy t3 from '{lake.url}' {ROLE} parquet") == "Spectrum Scan Error"
    for option in ("maxerror 9", "region 'eu-west-1'", "compupdate off", "gzip", "null as ''"):
        word = option.split()[0].upper()
        said = refusal(lake, f"copy t from '{lake.url}' {ROLE} format as parquet {option}")
        assert said == f"{word} argument is not supported for PARQUET based COPY"
    said = refusal(lake, f"copy t from '{lake.url}' {ROLE} format as json 'auto' null as ''")
    assert said == "NULL argument is not supported for JSON based COPY"
    content = file.read_bytes()
    lake.put("a.parquet", content[:4] + b"\xff" * 64 + content[68:])
    assert refusal(lake, f"copy t from '{lake.url}' {ROLE} parquet") == "Spectrum Scan Error"


def test_a_manifest_names_the_objects(lake: Lake) -> None:
    lake.run("create table t (a varchar(9))")
    lake.put("one.csv", "1\n")
    lake.put("two.csv", "2\n")
    entries = [{"url": f"{lake.url}one.csv", "mandatory": True}, {"url": f"{lake.url}none.csv", "mandatory": False}]
    lake.put("m1", json.dumps({"entries": entries}))
    assert lake.copy("t", "csv manifest", "m1") == 1
    lake.put("m2", json.dumps({"entries": [*entries, {"url": f"{lake.url}gone.csv", "mandatory": True}]}))
    assert "gone.csv" in refusal(lake, f"copy t from '{lake.url}m2' {ROLE} csv manifest")
    lake.put("m3", json.dumps({"entries": [{"url": f"{lake.url}one.csv", "meta": {"content_length": 9}}]}))
    assert "content_length" in refusal(lake, f"copy t from '{lake.url}m3' {ROLE} csv manifest")
    assert lake.run("select a from t") == [("1",)]


def test_dates_and_times_in_other_formats(lake: Lake) -> None:
    lake.run("create table t (d date, at timestamp)")
    lake.put("a.csv", "08.02.2024,1707372000\n")
    lake.copy("t", "csv dateformat 'DD.MM.YYYY' timeformat 'epochsecs'")
    lake.put("a.csv", "02/08/2024,2024-02-08T06:00:00Z\n")
    lake.copy("t", "csv dateformat 'auto' timeformat 'auto'")
    assert lake.run("select distinct d::varchar(10), at::varchar(19) from t") == [("2024-02-08", "2024-02-08 06:00:00")]


def test_a_hundred_thousand_rows_go_the_quick_way_and_arrive_whole(lake: Lake) -> None:
    lake.run("create table t (id varchar(12), name varchar(30), n integer)")
    raw = io.StringIO()
    for n in range(100_000):
        raw.write(f"{n},name {n},{n % 7}\n")
    lake.put("a.csv.gz", gzip.compress(raw.getvalue().encode(), 1))
    assert lake.copy("t", "csv gzip") == 100_000
    assert lake.run("select count(*), count(distinct id), sum(n) from t") == [(100_000, 100_000, 299_995)]


# what is wrong ------------------------------------------------------------------------------------------------------


def test_each_kind_of_bad_value_has_its_line_column_and_code(lake: Lake) -> None:
    lake.run(
        "create table t (i integer, n numeric(4, 1), d date, at timestamp, b boolean, v varchar(3), c integer not null)"
    )
    good = "1,1.5,2024-02-08,2024-02-08 06:00:00,t,abc,1"
    bad = [
        good.replace("1,1.5", "1x,1.5"),
        good.replace("1,1.5", "3000000000,1.5"),
        good.replace("1.5", "12345.6"),
        good.replace("2024-02-08,", "2024,"),
        good.replace("2024-02-08 06:00:00", "soon"),
        good.replace(",t,", ",maybe,"),
        good.replace("abc", "ééé"),
        good.removesuffix(",1") + ",",
        good + ",9",
        good.removesuffix(",abc,1"),
    ]
    lake.put("a.csv", "\n".join(["header", good, *bad, good]) + "\n")
    assert lake.copy("t", "csv ignoreheader 1 maxerror 100") == 2
    assert lake.errors() == [
        (3, "i", 1207, "Invalid digit, Value 'x', Pos 1, Type: Integer"),
        (4, "i", 1222, "Overflow (Integer valid range -2147483648 to 2147483647)"),
        (5, "n", 1204, "Overflow for NUMERIC(4,1)"),
        (6, "d", 1205, "Invalid Date Format - length must be 10 or more"),
        (7, "at", 1206, "Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]"),
        (8, "b", 1210, "Unknown boolean format"),
        (9, "v", 1204, "Char length exceeds DDL length"),
        (10, "c", 1213, "Missing data for not-null field"),
        (11, "c", 1202, "Extra column(s) found"),
        (12, "b", 1214, "Delimiter not found"),
    ]


def test_a_failed_load_loads_nothing_and_its_errors_survive_the_rollback(lake: Lake) -> None:
    lake.run("create table t (a integer)")
    lake.put("a.csv", "1\nx\n3\n")
    lake.run("begin")
    lake.run("insert into t values (9)")
    message = refusal(lake, f"copy t from '{lake.url}' {ROLE} csv")
    assert message == "Load into table 't' failed.  Check 'sys_load_error_detail' system table for details."
    assert "aborted" in refusal(lake, "select 1")
    lake.run("rollback")
    assert lake.run("select count(*) from t") == [(0,)]
    assert lake.errors() == [(2, "a", 1207, "Invalid digit, Value 'x', Pos 0, Type: Integer")]
    filename, reason = lake.run(
        "select trim(filename), trim(err_reason) from stl_load_errors order by query desc limit 1"
    )[0]
    assert filename == f"{lake.url}a.csv"
    assert reason.startswith("Invalid digit")


def test_a_failed_load_outside_of_a_transaction_leaves_the_session_usable(lake: Lake) -> None:
    lake.run("create table t (a integer)")
    lake.put("a.csv", "x\n")
    refusal(lake, f"copy t from '{lake.url}' {ROLE} csv")
    assert lake.run("select count(*) from t") == [(0,)]


def test_invalid_text_is_refused_or_replaced_or_cut(lake: Lake) -> None:
    lake.run("create table t (n integer, v varchar(4))")
    lake.put("a.csv", b"1,a\xff\n2,\xc3\xa9\xc3\xa9\xc3\xa9\n")
    assert lake.copy("t", "csv maxerror 9") == 0
    words = "String contains invalid or unsupported UTF8 codepoints. Bad UTF8 hex sequence: ff (error 3)"
    assert [row[:1] + row[2:] for row in lake.errors()] == [
        (1, 1220, words),
        (2, 1204, "Char length exceeds DDL length"),
    ]
    assert lake.copy("t", "csv acceptinvchars as '^' truncatecolumns") == 2
    assert lake.run("select n, v from t order by n") == [(1, "a^"), (2, "éé")]


@pytest.mark.parametrize(
    ("raw", "number"),
    [(b"\xa4", 3), (b"\xfe", 3), (b"\xf8", 1), (b"\xc3", 2), (b"\xe2\x82x", 4), (b"\xed\xa0\x80", 5)],
)
def test_what_is_wrong_with_bytes_is_said_by_number(raw: bytes, number: int) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/multi-byte-character-load-errors.html."""
    with pytest.raises(BadValue, match=rf"Bad UTF8 hex sequence: {raw[:1].hex()} \(error {number}\)"):
        clean_text(raw.decode("utf-8", "surrogateescape"), "")


@pytest.mark.parametrize("option", ["", "acceptinvchars"])
def test_char_takes_no_multibyte_characters_and_super_takes_json(lake: Lake, option: str) -> None:
    lake.run("create table t (n integer, c char(9), s super)")
    lake.put("a.csv", '1,x,"{""a"": 1}"\n2,\u00e9,1\n3,y,nope\n4,z,"""text"""\n')
    assert lake.copy("t", f"csv maxerror 9 {option}") == 2
    hint = "Multibyte character not supported for CHAR (Hint: Try using VARCHAR). Invalid char: c3 a9"
    assert lake.errors() == [(2, "c", 1220, hint), (3, "s", 1224, "Invalid JSON format")]
    assert lake.run("select n, json_serialize(s) from t order by n") == [(1, '{"a":1}'), (4, '"text"')]


def test_a_line_that_would_end_postgres_own_copy_is_data(lake: Lake) -> None:
    lake.run("create table t (a varchar(9))")
    lake.put("a.csv", "x\n\\.\ny\n")
    assert lake.copy("t", "csv") == 3


def test_white_space_around_quotes_is_ignored(lake: Lake) -> None:
    """r_COPY, CSV: "When a field is enclosed in quotation marks, white space between the delimiters and the quotation
    mark characters is ignored." White space that is part of a field stays."""
    lake.run("create table t (a varchar(20), b varchar(20))")
    lake.put("a.csv", '"x" , "y"\n \t"a, ""b"" " ,c \n" d\n , e" ,"f"\n g,"h"\n')
    assert lake.copy("t", "csv") == 4
    expected = [('a, "b" ', "c "), (" d\n , e", "f"), (" g", "h"), ("x", "y")]
    assert lake.run("select a, b from t order by b") == expected


def test_blank_lines(lake: Lake) -> None:
    lake.run("create table t (a varchar(9), b varchar(9))")
    lake.run("create table one (a varchar(9))")
    lake.put("a.csv", "a,b\n\n1,2\n\n\n3,4\n")
    assert lake.copy("t", "csv ignoreheader 1 ignoreblanklines", "a.csv") == 2
    lake.put("b.csv", "a\n\n1\n")
    assert lake.copy("one", "csv ignoreheader 1 ignoreblanklines", "b.csv") == 1
    assert lake.copy("one", "csv ignoreheader 1 null as ''", "b.csv") == 2


def test_quotes_that_do_not_close_and_json_that_is_none(lake: Lake) -> None:
    lake.run("create table t (id integer, name varchar(9))")
    lake.put("a.csv", '1,"a"b\n2,c\n')
    assert lake.copy("t", "csv maxerror 9") == 1
    assert lake.errors() == [(1, None, 1216, "Invalid quote formatting for CSV")]
    lake.put("j/a.json", '{"id": 1}\n{"id": nope}\n{"id": 3}\n')
    assert lake.copy("t", "json 'auto' maxerror 9", "j/") == 2
    assert lake.errors() == [(2, None, 1216, "Invalid JSON format")]


def test_history_has_the_rows_of_each_file(lake: Lake) -> None:
    lake.run("create table t (a varchar(9))")
    lake.put("a.csv", "1\n2\n")
    lake.put("b.csv", "3\n")
    lake.copy("t", "csv compupdate off statupdate on")
    ((query, other),) = lake.run(
        "select query_id, pg_last_copy_id() from sys_load_history where trim(table_name) = 't' order by 1 desc limit 1"
    )
    assert query != other  # two families of views, two numbers
    assert lake.run("select count(*) from stl_load_commits where query = %s", other) == [(2,)]
    assert lake.run(
        "select status, loaded_rows, source_file_count, source_file_bytes, error_count from sys_load_history"
        " where query_id = %s",
        query,
    ) == [("completed", 3, 2, 6, 0)]
    assert lake.run(
        "select trim(file_name), lines_scanned from sys_load_detail where query_id = %s order by 1", query
    ) == [
        (f"{lake.url}a.csv", 2),
        (f"{lake.url}b.csv", 1),
    ]


@pytest.mark.parametrize(
    ("tail", "words"),
    [
        ("csv", "Must specify credentials"),
        ("access_key_id 'a' secret_access_key 'b' csv", "access keys in a statement are refused"),
        ("credentials 'aws_access_key_id=a;aws_secret_access_key=b' csv", "access keys in a statement are refused"),
        ("iam_role 'me' csv", "Invalid IAM role"),
        (f"{ROLE} orc", "ORC is not known to the stand-in"),
        (f"{ROLE} csv maxerror 100001", "greater than 100000"),
    ],
)
def test_what_a_copy_must_not_say(lake: Lake, tail: str, words: str) -> None:
    lake.run("create table t (a varchar(9))")
    assert words in refusal(lake, f"copy t from '{lake.url}a' {tail}")


def test_an_empty_prefix_and_a_broken_archive(lake: Lake) -> None:
    lake.run("create table t (a varchar(9))")
    assert "does not exist" in refusal(lake, f"copy t from '{lake.url}nothing' {ROLE} csv")
    lake.put("a.csv.gz", gzip.compress(b"1\n" * 1000)[:-12])
    assert "gzip decompression" in refusal(lake, f"copy t from '{lake.url}' {ROLE} csv gzip")
    assert lake.run("select count(*) from t") == [(0,)]


# what goes out ------------------------------------------------------------------------------------------------------


def unload(lake: Lake, query: str, options: str, key: str = "out/") -> None:
    escaped = query.replace("'", "''")
    lake.run(f"unload ('{escaped}') to '{lake.url}{key}' {ROLE} {options}")


def test_parquet_in_partitions_with_a_verbose_manifest_comes_back_equal(lake: Lake) -> None:
    lake.run("create table t (id integer, kind varchar(9), amount numeric(8, 2), at timestamp)")
    lake.run(
        "insert into t values (1, 'a', 1.5, '2024-02-08'), (2, 'b', null, null), (3, 'a', -2, '2024-02-08 06:00:01')"
    )
    unload(
        lake, "select * from t where kind <> 'x' order by id", "parquet partition by (kind) include manifest verbose"
    )
    files = [key for key in lake.keys("out/") if key.endswith(".parquet")]
    assert [key.split("/")[1] for key in files] == ["kind=a", "kind=b"]
    manifest = json.loads(lake.get("out/manifest"))
    assert manifest["meta"]["record_count"] == 3
    assert sum(entry["meta"]["record_count"] for entry in manifest["entries"]) == 3
    assert [element["type"] for element in manifest["schema"]["elements"]][2] == {
        "base": "numeric",
        "precision": 8,
        "scale": 2,
    }
    lake.run("create table back (like t)")
    lake.run(f"copy back from '{lake.url}out/manifest' {ROLE} parquet manifest")
    assert lake.run("select count(*) from (select * from t except select * from back) as x") == [(0,)]
    assert lake.run("select count(*) from back") == [(3,)]


def test_text_and_csv_with_header_quotes_and_compression(lake: Lake) -> None:
    unload(lake, "select 'a|b' as x, 'c' as y union all select null, 'd' order by 2", "header escape", "text/")
    assert lake.get("text/0000_part_00").decode() == "x|y\na\\|b|c\n|d\n"
    unload(lake, "select 1 as n, 'a,b' as t", "csv header gzip", "csv/")
    assert gzip.decompress(lake.get("csv/0000_part_00.gz")).decode() == 'n,t\n1,"a,b"\n'


def test_a_target_that_is_not_empty_is_kept_unless_told_otherwise(lake: Lake) -> None:
    unload(lake, "select 1 as a", "csv")
    with pytest.raises(redshift_connector.Error, match="is not empty"):
        unload(lake, "select 2 as a", "csv")
    assert lake.get("out/0000_part_00") == b"1\n"
    unload(lake, "select 2 as a", "csv allowoverwrite")
    assert lake.get("out/0000_part_00") == b"2\n"
    lake.put("out/old", "x")
    unload(lake, "select 3 as a", "csv cleanpath")
    assert lake.keys("out/") == ["out/0000_part_00"]
    with pytest.raises(redshift_connector.Error, match="can't be specified together"):
        unload(lake, "select 3 as a", "csv cleanpath allowoverwrite")


def test_files_stay_below_the_size_that_is_asked_for(lake: Lake) -> None:
    lake.run("create table t (a varchar(1000))")
    lake.run(
        "insert into t select repeat(md5(a.id), 31)"
        " from (select attnum::varchar(9) as id from pg_attribute limit 120) as a"
        " cross join (select attnum as m from pg_attribute limit 120) as b"
    )
    unload(lake, "select * from t", "csv maxfilesize 5 mb")
    sizes = [item["Size"] for item in lake.s3.list_objects_v2(Bucket="lake", Prefix=f"{lake.name}/out/")["Contents"]]
    assert len(sizes) == 3
    assert max(sizes) <= 5 * 1024 * 1024


def test_the_query_of_an_unload_is_checked_like_any_other(lake: Lake) -> None:
    with pytest.raises(redshift_connector.Error, match="UNLOAD takes a SELECT"):
        unload(lake, "delete from t", "csv")
    with pytest.raises(redshift_connector.Error, match="DISTINCT ON"):
        unload(lake, "select distinct on (1) 1 as a", "csv")


# Columns of the system views, as the manual's pages of 2025 list them; text stands for varchar without a length.
SYSTEM_VIEWS = {
    "sys_load_history": "user_id integer, query_id bigint, transaction_id bigint, session_id integer,"
    " database_name text, status text, table_name text, start_time timestamp, end_time timestamp, duration bigint,"
    " data_source text, file_format text, loaded_rows bigint, loaded_bytes bigint, source_file_count integer,"
    " source_file_bytes bigint, file_count_scanned integer, file_bytes_scanned bigint, error_count bigint,"
    " copy_job_id bigint",
    "sys_load_detail": "user_id integer, query_id integer, file_name char(256), bytes_scanned integer,"
    " lines_scanned integer, record_time timestamp, splits_scanned integer, start_time timestamp, end_time timestamp,"
    " file_etag char(256), file_last_modified timestamp",
    "sys_load_error_detail": "user_id integer, query_id bigint, transaction_id bigint, session_id integer,"
    " database_name char(64), table_id integer, start_time timestamp, file_name char(256), line_number bigint,"
    " column_name char(127), column_type char(10), column_length char(10), position integer, error_code integer,"
    " error_message char(512)",
    "r_STL_LOAD_ERRORS": "userid integer, slice integer, tbl integer, starttime timestamp, session integer,"
    " query integer, filename char(256), line_number bigint, colname char(127), type char(10), col_length char(10),"
    " position integer, raw_line char(1024), raw_field_value char(1024), err_code integer, err_reason char(100),"
    " is_partial integer, start_offset bigint, copy_job_id bigint",
    "r_STL_LOAD_COMMITS": "userid integer, query integer, slice integer, name char(256), filename char(256),"
    " byte_offset integer, lines_scanned integer, errors integer, curtime timestamp, status integer,"
    " file_format char(16), is_partial integer, start_offset bigint, copy_job_id bigint",
    "sys_unload_history": "user_id integer, query_id bigint, transaction_id bigint, session_id integer,"
    " database_name text, status text, start_time timestamp, end_time timestamp, duration bigint, file_format text,"
    " compression_type text, unloaded_location text, unloaded_rows bigint, unloaded_files_count bigint,"
    " unloaded_files_size bigint, error_message text",
    "sys_unload_detail": "user_id integer, query_id integer, session_id integer, transaction_id bigint,"
    " file_name char(1280), start_time timestamp, end_time timestamp, line_count bigint, transfer_size bigint,"
    " file_format char(10)",
    "r_SVV_TABLE_INFO": "database text, schema text, table_id oid, table text, encoded text, diststyle text,"
    " sortkey1 text, max_varchar integer, sortkey1_enc char(32), sortkey_num integer, size bigint,"
    " pct_used numeric(10,4), empty bigint, unsorted numeric(5,2), stats_off numeric(5,2), tbl_rows numeric(38,0),"
    " skew_sortkey1 numeric(19,2), skew_rows numeric(19,2), estimated_visible_rows numeric(38,0), risk_event text,"
    " vacuum_sort_benefit numeric(12,2), create_time timestamp",
    "r_SVV_REDSHIFT_COLUMNS": "database_name varchar(128), schema_name varchar(128), table_name varchar(128),"
    " column_name varchar(128), ordinal_position integer, data_type varchar(32), column_default varchar(4000),"
    " is_nullable varchar(3), encoding varchar(128), distkey boolean, sortkey integer, column_acl varchar(128),"
    " remarks varchar(256)",
    "r_PG_TABLE_DEF": "schemaname name, tablename name, column name, type text, encoding char(32), distkey boolean,"
    " sortkey integer, notnull boolean",
}
WRITTEN = {
    "character varying(65535)": "text",
    "timestamp without time zone": "timestamp",
    "character varying": "varchar",
    "character": "char",
}


@pytest.mark.parametrize("page", SYSTEM_VIEWS)
def test_columns_of_a_system_view(lake: Lake, page: str) -> None:
    """Each page stands under https://docs.aws.amazon.com/redshift/latest/dg/."""
    view = page.removeprefix("r_").lower()
    found = lake.run(
        "select attname, format_type(atttypid, atttypmod) from pg_attribute"
        f" where attrelid = 'pg_catalog.{view}'::regclass and attnum > 0 order by attnum"
    )
    columns = []
    for name, kind in found:
        for theirs, ours in WRITTEN.items():
            kind = kind.replace(theirs, ours)
        columns.append(f"{name} {kind}")
    assert ", ".join(columns) == SYSTEM_VIEWS[page]
