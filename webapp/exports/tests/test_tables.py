"""Boards and the audit log as files."""

from __future__ import annotations

import csv
import io
import json

import pyarrow.parquet as pq

from webapp.accounts.models import AuditEvent
from webapp.accounts.selectors import audit_events
from webapp.exports import tables
from webapp.leaderboards.models import Standing


def fetch(client, address):
    answer = client.get(f"/api/v1/{address}")
    assert answer.status_code == 200, answer.content
    return b"".join(answer.streaming_content)


def test_a_board_comes_out_as_its_view_shows_it(reader, filled):
    text = fetch(reader, "leaderboards/lab/main/standings.csv?sort=-name&cols=sums").decode()
    rows = list(csv.DictReader(io.StringIO(text)))

    assert [row["contender"] for row in rows] == ["small@fp32", "large@fp32"]
    assert [float(row["sums_mean"]) for row in rows] == [1.0, 0.75]
    assert "written_mean" not in rows[0]
    stored = Standing.objects.get(contender__name="large@fp32")
    assert float(rows[1]["value"]) == stored.value
    assert int(rows[1]["sums_run"]) == stored.cells[0][1]


def test_three_kinds_of_file_hold_the_same_board(reader, filled):
    lines = [json.loads(line) for line in fetch(reader, "leaderboards/lab/main/standings.jsonl").splitlines()]
    table = pq.read_table(io.BytesIO(fetch(reader, "leaderboards/lab/main/standings.parquet"))).to_pylist()
    rows = list(csv.DictReader(io.StringIO(fetch(reader, "leaderboards/lab/main/standings.csv").decode())))

    assert [{name: value for name, value in row.items() if value is not None} for row in table] == lines
    assert [float(row["value"]) for row in rows] == [row["value"] for row in table]


def test_what_is_missing_is_empty_and_not_ranked(reader, job, board):
    from webapp.tests import factories

    factories.worker()
    factories.finish([True] * 4)
    factories.refresh(board)

    rows = list(csv.DictReader(io.StringIO(fetch(reader, "leaderboards/lab/main/standings.csv").decode())))

    assert {row["rank_low"] for row in rows} == {""}
    assert sorted(row["written_mean"] for row in rows) == ["", ""]


def test_the_audit_log_comes_out_whole_and_harmless(reader, team, alice, charlie, client):
    AuditEvent.objects.create(
        team=team, actor=alice, actor_name="alice", verb="x", target="=HYPERLINK(1)", after={"a": 1}
    )

    rows = list(csv.DictReader(io.StringIO(fetch(reader, "teams/lab/audit-events.csv").decode())))
    lines = [json.loads(line) for line in fetch(reader, "teams/lab/audit-events.jsonl").splitlines()]

    assert len(rows) == len(lines) == AuditEvent.objects.filter(team=team).count()
    assert rows[0]["target"] == "'=HYPERLINK(1)", "a spreadsheet must not run it"
    assert lines[0]["target"] == "=HYPERLINK(1)"
    assert json.loads(rows[0]["after"]) == {"a": 1}
    client.force_login(charlie)
    assert client.get("/api/v1/teams/lab/audit-events.csv").status_code == 404


def test_a_long_audit_log_is_asked_for_page_by_page(team, alice, monkeypatch):
    """Nothing is held at the database while a slow reader takes what it has got."""
    monkeypatch.setattr(tables, "PAGE", 2)
    written = {"team": team, "actor": alice, "actor_name": "alice", "target": ""}
    AuditEvent.objects.bulk_create(AuditEvent(verb=f"x{n}", **written) for n in range(5))
    known = list(audit_events(team).values_list("id", flat=True))

    _, pages = tables.audit(audit_events(team))
    first = next(pages)
    AuditEvent.objects.create(verb="later", **written)
    found = [first, *pages]

    assert [event["id"] for page in found for event in page] == known
    assert {len(page) for page in found[:-1]} == {2}
