"""The sample browser."""

from __future__ import annotations

import pytest

from webapp.tests import factories


@pytest.fixture
def run(client, bob, job):
    """small@fp32 on sums: right, wrong, right, right; bob is signed in."""
    factories.worker()
    client.force_login(bob)
    return factories.finish([True, False, True, True])


def test_samples_are_counted_and_filtered(client, run):
    page = client.get(f"/runs/{run.pk}/samples/?outcome=wrong")

    assert page.context["counts"] == {"all": 4, "right": 3, "wrong": 1}
    assert [row.score.index for row in page.context["rows"]] == [1]


def test_samples_are_searched_by_prompt(client, run):
    page = client.get(f"/runs/{run.pk}/samples/?q=2%2B2")

    assert [row.score.index for row in page.context["rows"]] == [2]
    assert "No sample fits" in client.get(f"/runs/{run.pk}/samples/?q=zebra").content.decode()


def test_pages_follow_by_key(client, run, monkeypatch):
    monkeypatch.setattr("webapp.results.selectors.sample_page.__kwdefaults__", {
        "outcome": "all", "search": "", "after": -1, "size": 2,
    })  # fmt: skip

    first = client.get(f"/runs/{run.pk}/samples/")
    second = client.get(f"/runs/{run.pk}/samples/?{first.context['following']}")

    assert [row.score.index for row in first.context["rows"]] == [0, 1]
    assert [row.score.index for row in second.context["rows"]] == [2, 3]
    assert second.context["following"] == ""


def test_the_fragment_alone_goes_to_a_page_that_asks(client, run):
    alone = client.get(f"/runs/{run.pk}/samples/", headers={"HX-Request": "true"}).content.decode()

    assert "<html" not in alone
    assert 'hx-push-url="true"' in alone


def test_a_sample_shows_everything_side_by_side(client, run):
    factories.finish([True] * 4)
    other = factories.finish([False] * 4)

    page = client.get(f"/runs/{run.pk}/samples/1/").content.decode()

    assert "Q: 1+1\nA:" in page
    assert "-0.500" in page
    assert "-3.000" in page
    assert "✓ target" in page
    assert other.contender.name in page
    assert f"/runs/{other.pk}/samples/1/" in page
    assert f'rel="prev" href="/runs/{run.pk}/samples/0/"' in page
    assert f'rel="next" href="/runs/{run.pk}/samples/2/"' in page


def test_a_written_answer_has_no_choices(client, run):
    written = factories.finish([True, False, True, True])

    page = client.get(f"/runs/{written.pk}/samples/1/").content.decode()

    assert "Choices" not in page
    assert "Raw output" in page


def test_the_ends_have_one_neighbour(client, run):
    assert 'rel="prev"' not in client.get(f"/runs/{run.pk}/samples/0/").content.decode()
    assert 'rel="next"' not in client.get(f"/runs/{run.pk}/samples/3/").content.decode()


def test_what_is_not_scored_is_not_found(client, run):
    assert client.get(f"/runs/{run.pk}/samples/99/").status_code == 404


def test_a_stranger_reads_no_sample(client, run, charlie):
    client.force_login(charlie)

    for address in (f"/runs/{run.pk}/samples/", f"/runs/{run.pk}/samples/1/"):
        assert client.get(address).status_code == 404


@pytest.mark.parametrize("query", ["after=x", "after=-5", "after=99999999999999999999", "outcome=odd"])
def test_a_strange_address_does_no_harm(client, run, query):
    assert client.get(f"/runs/{run.pk}/samples/?{query}").status_code == 200


def test_a_nul_in_an_address_is_refused(client, run):
    assert client.get(f"/runs/{run.pk}/samples/?q=%00").status_code == 400
