"""What the script prints: the statements beforehand, or the answers as Markdown for an issue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from biostar.parity.cluster.checks import MANUAL, Check
from biostar.parity.cluster.macros import EDGE_TABLES, EdgeTable, rendered
from biostar.parity.cluster.run import SETUP, TEARDOWN, Place, Verdict, filled, macro_check, macro_statements

_LONGEST = 4_000


def dry_run(checks: Sequence[Check], place: Place, tables: Sequence[EdgeTable] = EDGE_TABLES) -> Iterator[str]:
    """Every statement that a run would send, and what each check settles."""
    place = {**place, "s3": place["s3"] or "s3://BUCKET/PREFIX", "role": place["role"] or "ROLE-ARN"}
    yield "-- Nothing was sent. What --run would send, in this order; everything it makes lies in a schema of its own."
    yield from (f"{filled(statement, place)};" for statement in SETUP)
    group = ""
    for check in checks:
        if check.group != group:
            group = check.group
            yield f"\n-- ==== {group} ===="
        yield f"\n-- {check.name}: {check.settles}"
        yield f"--   {MANUAL}{check.page}"
        yield from (f"--   object {place['s3']}/{name}: {content!r}" for name, content in check.files)
        for step in check.steps:
            session = "" if step.session == 1 else "  -- in a second session"
            yield f"{filled(step.sql, place)};{session}"
            if step.judged:
                yield f"--   expected: {_expectation(step.answer, step.holds, step.lacks, step.fails)}"
    selects = rendered("redshift") if tables else {}
    if tables:
        yield "\n-- ==== portable macros ===="
    for table in tables:
        yield f"\n-- {macro_check(table.name).name}: {macro_check(table.name).settles}"
        yield from (f"{statement};" for statement in macro_statements(table.name, selects, place["schema"]))
    yield f"\n{filled(TEARDOWN, place)};"


def _expectation(answer: str | None, holds: str | None, lacks: str | None, fails: str | None) -> str:
    if fails is not None:
        return f"refused ({fails})" if fails else "refused"
    if answer is not None:
        return repr(answer)
    return " and ".join([f"has {holds!r}"] * (holds is not None) + [f"does not have {lacks!r}"] * (lacks is not None))


def as_markdown(target: str, version: str, verdicts: Sequence[Verdict]) -> Iterator[str]:
    """The report of a run."""
    yield "## What a cluster answered"
    yield ""
    if target == "redshift":
        yield f"Server: `{version}`"
    else:
        yield (
            "**This ran on the stand-in, a local test rig. It says whether the script works, and nothing about Amazon"
            f" Redshift.** Server: `{version}`"
        )
    yield ""
    counts = Counter(verdict.word for verdict in verdicts)
    yield ", ".join(f"{count} {word}" for word, count in counts.most_common())
    yield ""
    yield "| check | settles | verdict |"
    yield "|---|---|---|"
    for verdict in verdicts:
        why = f" ({verdict.why})" if verdict.why else ""
        name = f"[{verdict.check.name}]({MANUAL}{verdict.check.page})"
        yield f"| {name} | {verdict.check.settles} | {verdict.word}{why} |"
    for verdict in verdicts:
        if verdict.word not in ("different", "shown") and not any(step.shown for step, _ in verdict.answers):
            continue
        if not verdict.answers:
            continue
        yield ""
        yield f"### {verdict.check.name}: {verdict.word}"
        for step, answer in verdict.answers:
            yield ""
            yield f"```sql\n{_cut(step.sql)};\n```"
            yield f"```\n{_cut(answer) or '(nothing)'}\n```"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}\n… ({len(text):,} characters)"
