"""Changed, deleted and re-sent objects: what stands afterwards is what the landing holds, and only when told to."""

from __future__ import annotations

from pathlib import Path

from conftest import DAY, Lab

HEADER = "START,STOP,PATIENT,ENCOUNTER,CODE,DESCRIPTION\n"


def row(patient: str, text: str = "d") -> str:
    return f"2020-01-01,,{patient},e,1,{text}\n"


def key(name: str, day: str = DAY) -> str:
    return f"ehr/conditions/ingest_date={day}/{name}"


def patients(lab: Lab) -> list[tuple[object, ...]]:
    return lab.query("select patient, description, _load_id from raw_ehr.conditions order by all")


def test_a_changed_object_waits_for_the_word(lab: Lab) -> None:
    path = lab.put("conditions", HEADER + row("a") + row("b"))
    lab.load()
    path.write_text(HEADER + row("a", "better"))
    refused = lab.load()
    assert refused.code == 4
    assert refused.document["failures"][0]["next"].endswith(f"biostar load --reload {key('part.csv')}")
    assert len(patients(lab)) == 2
    done = lab.load("--reload", key("part.csv"))
    assert (done.code, done.document["rows_removed"], done.document["rows_loaded"]) == (0, 2, 1)
    assert patients(lab) == [("a", "better", 2)]
    assert "biostar build --full-refresh" in done.words
    assert lab.load().document["objects_skipped"] == 1


def test_one_changed_and_one_deleted_object_of_a_load(lab: Lab) -> None:
    for name in "abc":
        lab.put("conditions", HEADER + row(name), name=f"{name}.csv")
    lab.put("conditions", HEADER + row("other day"), day="2024-03-01")
    lab.load()
    (lab.landing / key("a.csv")).unlink()
    (lab.landing / key("b.csv")).write_text(HEADER + row("b", "better"))
    unnamed = lab.load("--reload", key("b.csv"))
    assert unnamed.code == 4
    assert key("a.csv") in unnamed.document["failures"][0]["message"]
    assert len(patients(lab)) == 4
    named = lab.load("--reload", f"{key('a.csv')},{key('b.csv')}")
    assert (named.code, named.document["objects_erased"], named.document["rows_removed"]) == (0, 1, 3)
    assert patients(lab) == [("b", "better", 3), ("c", "d", 3), ("other day", "d", 2)]
    assert lab.query("select object_key from raw_meta.load_ledger where superseded_by_load_id is null order by 1") == [
        (key("b.csv"),),
        (key("c.csv"),),
        (key("part.csv", "2024-03-01"),),
    ]


def test_a_deleted_object_keeps_its_rows_until_it_is_named(lab: Lab) -> None:
    path = lab.put("conditions", HEADER + row("a"))
    lab.put("conditions", HEADER + row("b"), day="2024-03-01")
    lab.load()
    path.unlink()
    plain = lab.load()
    assert (plain.code, plain.document["objects_vanished"], plain.document["vanished"]) == (0, 1, [key("part.csv")])
    assert key("part.csv") in plain.words
    assert len(patients(lab)) == 2
    erased = lab.load("--reload", key("part.csv"))
    assert (erased.code, erased.document["rows_removed"], erased.document["objects_erased"]) == (0, 1, 1)
    assert patients(lab) == [("b", "d", 2)]
    again = lab.load("--reload", key("part.csv"))
    assert again.code == 2
    assert lab.load().document["objects_vanished"] == 0


def test_a_reload_that_is_refused_leaves_everything_as_it_was(lab: Lab) -> None:
    path = lab.put("conditions", HEADER + row("a") + "few\n")
    lab.load()
    before = (patients(lab), lab.rejects(), lab.query("select * from raw_restricted.load_reject_lines"))
    path.write_text(HEADER + row("a") + "few\n" * 9)
    refused = lab.load("--reload", key("part.csv"), "--max-errors", "3")
    assert refused.code == 4
    assert "9 bad records of 10" in refused.document["failures"][0]["message"]
    path.write_bytes(b"PK\x03\x04")
    assert lab.load("--reload", key("part.csv")).code == 4
    assert (patients(lab), lab.rejects(), lab.query("select * from raw_restricted.load_reject_lines")) == before
    assert lab.query("select count(*) from raw_meta.load_ledger where superseded_by_load_id is null") == [(1,)]


def test_a_day_sent_again_is_loaded_and_said_to_be_a_copy(lab: Lab) -> None:
    lab.put("conditions", HEADER + row("a"))
    lab.put("conditions", HEADER + row("a"), day="2024-03-01")
    outcome = lab.load()
    assert outcome.code == 0
    assert any("has the same content as" in warning for warning in outcome.document["warnings"])
    assert len(patients(lab)) == 2


def test_only_what_was_loaded_can_be_reloaded(lab: Lab) -> None:
    lab.put("conditions", HEADER + row("a"))
    assert lab.load("--reload", key("part.csv")).code == 2
    lab.load()
    near = lab.load("--reload", key("parts.csv"))
    assert (near.code, "the nearest is" in near.document["message"]) == (2, True)
    assert lab.load("--reload", key("part.csv"), "--tables", "conditions").code == 2
    dry = lab.load("--reload", key("part.csv"), "--dry-run")
    assert (dry.code, dry.document["batches"][0]["kind"]) == (0, "reload")


def test_a_log_has_a_line_for_each_event_and_no_value(lab: Lab, tmp_path: Path) -> None:
    import json

    lab.put("conditions", HEADER + row("Zzyzx", "Zzyzx") + "Zzyzx\n")
    lab.put("conditions", b"", name="bad.csv")
    log = tmp_path / "load.jsonl"
    assert lab.load("--log", str(log)).code == 4
    text = log.read_text()
    assert "Zzyzx" not in text
    events = [json.loads(line) for line in text.splitlines()]
    assert [event["event"] for event in events if event["event"] != "warning"] == [
        "run started",
        "batch started",
        "object refused",
        "batch finished",
        "run finished",
    ]
    assert len({event["run"] for event in events}) == 1
    finished = next(event for event in events if event["event"] == "batch finished")
    assert (finished["load_id"], finished["rows_loaded"], finished["rows_rejected"]) == (1, 1, 1)
    assert all(event["time"].endswith("Z") for event in events)
