"""Five steps: they tick themselves, stay away when they are put away, and go when they are done."""

from __future__ import annotations

import re

import pytest

from webapp.pages.models import FirstSteps
from webapp.tests import factories

STEP = re.compile(r'hx-post="(/first-steps/[a-z]+/)"')


def steps(client):
    return [step.done for step in client.get("/").context["walk"].steps]


def opened(client, address):
    """As a browser does it: the page's own hidden form is sent when the page has loaded."""
    page = client.get(address)
    assert page.status_code == 200
    for path in STEP.findall(page.content.decode()):
        assert client.post(path).status_code == 204


def test_steps_are_ticked_by_what_there_is(client, alice, entry):
    client.force_login(alice)

    assert steps(client) == [True, False, False, False, False]
    assert client.get("/").context["walk"].steps[0].url == "/entries/new/"


def test_a_step_of_looking_is_ticked_when_its_page_is_opened(client, alice, job, board):
    factories.worker()
    run = factories.finish([True] * 4)
    client.force_login(alice)
    assert steps(client) == [True, True, True, True, False]

    opened(client, f"/runs/{run.pk}/samples/1/")

    assert steps(client) == [], "all are done, so none is shown"
    assert "Five steps" not in client.get("/").content.decode()


def test_the_demo_leads_through_what_is_there(client, alice, job, board, settings, suite):
    settings.DEMO = True
    factories.worker()
    run = factories.finish([True] * 4)
    factories.finish([True] * 4)
    factories.finish([True, False] * 2)
    factories.finish([True, False] * 2)
    factories.refresh(board)
    client.force_login(alice)
    assert steps(client) == [False] * 5
    urls = [step.url for step in client.get("/").context["walk"].steps]
    assert all(client.get(url).status_code == 200 for url in urls)

    opened(client, "/boards/lab/main/")
    opened(client, f"/runs/{run.pk}/samples/1/")
    opened(client, "/compare/")
    assert steps(client) == [True, True, False, False, False], "choosing is not comparing yet"
    opened(client, f"/compare/?suite={suite.pk}&contenders={run.contender_id},{run.contender_id + 1}")
    opened(client, "/boards/lab/main/tournament/")

    assert steps(client) == [True, True, True, False, True]


def test_a_page_asks_once_in_a_session(client, alice, board):
    client.force_login(alice)
    assert STEP.search(client.get("/boards/lab/main/").content.decode())

    opened(client, "/boards/lab/main/")

    assert not STEP.search(client.get("/boards/lab/main/").content.decode())
    assert FirstSteps.objects.get(user=alice).seen == ["board"]


def test_what_is_put_away_stays_away_for_this_person(client, alice, bob):
    client.force_login(alice)
    assert "Hide these steps" in client.get("/").content.decode()

    assert client.post("/first-steps/").url == "/"
    page = client.get("/").content.decode()
    assert "Hide these steps" not in page
    assert "Show the five first steps" in page
    client.force_login(bob)
    assert "Hide these steps" in client.get("/").content.decode()

    client.force_login(alice)
    client.post("/first-steps/", {"show": "1"})
    assert "Hide these steps" in client.get("/").content.decode()


def test_nobody_is_asked_without_a_sign_in(client, alice, team, suite):
    factories.public_board(alice, team, "open", suite)

    assert not STEP.search(client.get("/boards/lab/open/").content.decode())
    assert client.post("/first-steps/board/").status_code == 302


@pytest.mark.parametrize("step", ["nothing", "submit"])
def test_a_step_that_is_not_there_is_not_noted(client, alice, step):
    client.force_login(alice)

    assert client.post(f"/first-steps/{step}/").status_code == 404
    assert not FirstSteps.objects.exists()
