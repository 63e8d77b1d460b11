"""A release as people meet it: page, downloads, badge, frame."""

from __future__ import annotations

import csv
import html
import io
import xml.etree.ElementTree as ET

import pytest
from django.utils import timezone

from webapp.releases import services, snapshots
from webapp.releases.models import Release
from webapp.security import EMBEDDED
from webapp.tests import factories


def parsed(drawn):
    return ET.fromstring(drawn)  # noqa: S314 - our own drawing


def test_a_submitter_freezes_a_board_on_its_page(client, bob, filled):
    client.force_login(bob)

    answer = client.post("/boards/lab/main/releases/", {"name": "2026-q4", "visibility": "team"}, follow=True)

    made = Release.objects.get()
    assert answer.redirect_chain == [(f"/releases/{made.pk}/", 302)]
    page = answer.content.decode()
    assert "is frozen" in page
    assert made.sha256 in page
    assert page.index("small@fp32") < page.index("large@fp32")


def test_a_taken_name_is_refused_on_its_field(client, bob, filled):
    factories.release(bob, filled, "2026-q4")
    client.force_login(bob)

    answer = client.post("/boards/lab/main/releases/", {"name": "2026-q4", "visibility": "team"})

    assert answer.status_code == 422
    assert "The board has a release of this name." in answer.content.decode()


def test_the_page_tells_what_changed_since_the_release_before(client, vera, bob, filled):
    factories.release(bob, filled, "one")
    later = factories.release(bob, filled, "two")
    client.force_login(vera)

    page = client.get(f"/releases/{later.pk}/").content.decode()

    assert "since one" in page
    assert "no contender moved by more than the intervals of ranks leave open" in page


def test_a_day_without_results_says_so_and_a_wrong_day_too(client, vera, filled):
    client.force_login(vera)

    assert "Nothing had arrived by then" in client.get("/boards/lab/main/as-of/?on=2001-01-01").content.decode()
    assert client.get("/boards/lab/main/as-of/?on=yesterday").status_code == 422
    assert client.get("/boards/lab/main/as-of/?on=2999-01-01").status_code == 422
    assert "large@fp32" in client.get("/boards/lab/main/as-of/").content.decode()


def test_downloads_hold_the_frozen_numbers(client, vera, bob, filled):
    made = factories.release(bob, filled)
    client.force_login(vera)

    told = client.get(f"/releases/{made.pk}/release.json").json()
    rows = list(csv.DictReader(io.StringIO(client.get(f"/releases/{made.pk}/standings.csv").content.decode())))

    assert told["frozen"] == made.frozen
    assert snapshots.sha256(told["frozen"]) == told["sha256"] == made.sha256
    assert [(row["contender"], float(row["sums"])) for row in rows] == [("small@fp32", 1.0), ("large@fp32", 0.75)]


def test_badges_are_drawings_with_words_for_everybody(client, alice, filled):
    made = factories.release(alice, filled, visibility="public")

    board = client.get(f"/releases/{made.pk}/badge.svg")
    contender = client.get(f"/releases/{made.pk}/badge.svg?contender=small@fp32")

    assert board.headers["Content-Type"] == "image/svg+xml"
    assert "public" in board.headers["Cache-Control"]
    assert parsed(board.content).attrib["aria-label"].endswith("first · 2 ranked")
    row = made.frozen["standings"][0]
    place = str(row["rank_low"]) if row["rank_low"] == row["rank_high"] else f"{row['rank_low']}–{row['rank_high']}"
    assert parsed(contender.content).attrib["aria-label"].endswith(f"rank {place} of 2")
    assert client.get(f"/releases/{made.pk}/badge.svg?contender=nobody").status_code == 404
    services.withdraw(actor=alice, release=made, reason="Wrong.")
    assert "withdrawn" in client.get(f"/releases/{made.pk}/badge.svg").content.decode()


def test_a_title_cannot_break_out_of_a_badge(client, alice, filled):
    type(filled).objects.update(title='</text><script>alert(1)</script>"&')
    filled.refresh_from_db()
    made = factories.release(alice, filled, visibility="public")

    drawn = client.get(f"/releases/{made.pk}/badge.svg").content

    assert b"<script" not in drawn
    assert parsed(drawn).tag.endswith("svg")


def test_the_table_can_be_framed_anywhere_and_shows_only_public_releases(client, alice, filled):
    hidden = factories.release(alice, filled, "team-only")
    made = factories.release(alice, filled, "open", visibility="public")
    client.force_login(alice)

    frame = client.get(f"/releases/{made.pk}/embed/?top=1")

    assert client.get(f"/releases/{hidden.pk}/embed/").status_code == 404
    assert "X-Frame-Options" not in frame.headers
    assert "frame-ancestors" not in frame.headers["Content-Security-Policy"]  # a star would leave out local files
    assert frame.headers["Cache-Control"] == "public, max-age=300"
    assert "script" not in frame.headers["Content-Security-Policy"]
    page = frame.content.decode()
    assert "small@fp32" in page
    assert "large@fp32" not in page
    assert "alice" not in page


def test_members_open_the_run_behind_a_frozen_number_and_strangers_only_read_it(client, alice, vera, filled):
    made = factories.release(alice, filled, visibility="public")
    run = next(cell["run"] for cell in made.frozen["standings"][0]["cells"] if cell["state"] == "done")
    link = f'href="/runs/{run}/"'

    assert link not in client.get(f"/releases/{made.pk}/").content.decode()
    assert link not in client.get(f"/releases/{made.pk}/embed/").content.decode()
    client.force_login(vera)
    assert link in client.get(f"/releases/{made.pk}/").content.decode()


def test_an_owner_is_told_who_sees_it_now_and_a_wrong_word_is_refused(client, alice, filled):
    made = factories.release(alice, filled)
    client.force_login(alice)

    shown = client.post(f"/releases/{made.pk}/visibility/", {"visibility": "public"}, follow=True).content.decode()
    wrong = client.post(f"/releases/{made.pk}/visibility/", {"visibility": "all"}, follow=True).content.decode()

    made.refresh_from_db()
    assert "Who sees it now: Public" in shown
    assert "all is not a visibility." in wrong
    assert made.visibility == "public"


def test_what_others_paste_is_there_to_copy(client, alice, filled):
    made = factories.release(alice, filled, title='Say "hello"', visibility="public")

    page = client.get(f"/releases/{made.pk}/").content.decode()

    shown = html.unescape(page)
    assert f'<iframe src="http://testserver/releases/{made.pk}/embed/?top=10" title="Say &quot;hello&quot;"' in shown
    assert f"](http://testserver/releases/{made.pk}/badge.svg)](http://testserver/releases/{made.pk}/)" in shown


@pytest.mark.parametrize("address", ["", "release.json", "standings.csv", "badge.svg"])
def test_other_pages_are_not_framed(client, alice, filled, address):
    made = factories.release(alice, filled, visibility="public")

    answer = client.get(f"/releases/{made.pk}/{address}")

    assert answer.headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


def test_the_api_freezes_reads_and_withdraws(client, alice, bob, filled):
    client.force_login(bob)
    sent = {"leaderboard": "lab/main", "name": "2026-q4", "note": "For the paper."}

    made = client.post("/api/v1/releases/", sent, content_type="application/json")
    read = client.get(made.headers["Location"]).json()
    listed = client.get("/api/v1/releases/?leaderboard=lab/main").json()["results"]
    today = client.get(f"/api/v1/leaderboards/lab/main/as-of/?on={timezone.now().date()}").json()

    assert made.status_code == 201
    assert read["url"] == listed[0]["url"] == made.headers["Location"]
    assert read["note"] == "For the paper."
    assert snapshots.sha256(read["frozen"]) == read["sha256"]
    assert [one["name"] for one in listed] == ["2026-q4"]
    assert [row["contender"] for row in today["frozen"]["standings"]] == ["small@fp32", "large@fp32"]
    assert client.get("/api/v1/releases/?leaderboard=lab/none").status_code == 400
    client.force_login(alice)
    withdrawn = client.post(
        f"/api/v1/releases/{read['id']}/withdraw/", {"reason": "Wrong."}, content_type="application/json"
    )
    assert withdrawn.json()["withdrawn_by"] == "alice"


def test_a_frame_of_what_is_private_again_says_so_calmly(client, alice, filled):
    made = factories.release(alice, filled, visibility="public")
    shown = client.get(f"/releases/{made.pk}/embed/")
    services.show_to(actor=alice, release=made, visibility="team")
    client.force_login(alice)

    hidden, never = client.get(f"/releases/{made.pk}/embed/"), client.get("/releases/999999/embed/")

    assert (shown.status_code, hidden.status_code) == (200, 404)
    assert "This table is not public, or no longer there." in hidden.content.decode()
    assert made.title not in hidden.content.decode()
    assert hidden.content == never.content, "whoever looks cannot tell the two apart"
    for answer in (shown, hidden):
        assert answer.headers["Content-Security-Policy"] == EMBEDDED
        assert "X-Frame-Options" not in answer.headers
    assert "no-store" in hidden.headers["Cache-Control"], "public again, it is shown again at once"
