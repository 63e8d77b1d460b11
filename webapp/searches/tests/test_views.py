"""The pages of searches: asking with an estimate, the live fragment and its words, stopping, going on."""

from __future__ import annotations

import pytest
from django.urls import reverse

from webapp.catalog.models import Contender
from webapp.searches import advancing, selectors
from webapp.searches.models import Search
from webapp.tests import factories


@pytest.fixture
def member(client, alice):
    client.force_login(alice)
    return client


@pytest.fixture
def form(team, suite_of, contenders):
    usual = {"goal": "best", "suite": suite_of.pk, "entries": [one.version_id for one in contenders]}
    more = {"schemes": ["fp32"], "budget": "40 %", "stop_error": "0", "batch": 16, "seed": 5, "exploration": 1}
    return {**usual, **more, "floor": 0.2, "batch_size": 8, "team": team.pk, "visibility": "team", "key": "k"}


@pytest.fixture
def suite_of(alice, team, versions):
    return factories.suite(alice, team, "whole", versions)


def test_the_form_makes_a_search_once(member, form):
    first = member.post(reverse("searches:submit_search"), form)
    again = member.post(reverse("searches:submit_search"), form)

    search = Search.objects.get()
    assert first.url == again.url == reverse("searches:search", args=[search.pk])
    assert (search.budget, search.size, search.batch, search.title) == (180, 150, 16, "Best of 3 contenders on whole")
    assert search.job.estimate["samples"] == 180


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"budget": "2"}, "budget", "2 samples are too few: there are 450, and at least 3 are needed."),
        ({"budget": "much"}, "budget", "Write a number of samples, or a share such as 15 %."),
        ({"goal": "estimate", "method": "random"}, "entries", "An estimate is of one contender."),
        ({"schemes": []}, "schemes", "Choose at least one scheme."),
    ],
)
def test_a_refusal_lands_on_its_field(member, form, change, field, said):
    response = member.post(reverse("searches:submit_search"), {**form, **change})

    assert response.status_code == 422
    assert said in " ".join(response.context["form"].errors[field])
    assert not Search.objects.exists()


def test_methods_that_lean_on_others_need_complete_ones(member, form, contenders):
    one = {**form, "goal": "estimate", "method": "lure", "entries": [contenders[0].version_id], "budget": "30"}
    response = member.post(reverse("searches:submit_search"), one)
    assert "none has complete results here" in response.content.decode()


def test_the_estimate_says_what_a_search_may_take(member, form, alice, contenders, answer, drive, ask):
    for one in contenders:
        factories.price(alice, one.version)
    drive(ask(budget=60))
    page = member.post(reverse("searches:estimate_search"), form).content.decode()

    assert "<strong>180</strong> of 450 at most" in page
    assert "at most 15" in page
    assert "about" in page
    assert "$" in page


def test_an_estimate_writes_nothing(member, form):
    before = Contender.objects.count()
    page = member.post(reverse("searches:estimate_search"), {**form, "schemes": ["fp32", "bf16"]}).content.decode()
    assert "of 900 at most" in page
    assert Contender.objects.count() == before


def test_an_untouched_form_is_no_error(member):
    response = member.post(reverse("searches:estimate_search"), {"goal": "best"})
    assert response.status_code == 200


def test_the_page_before_during_and_after(member, ask, answer, drive):
    search = ask(budget=64)
    address = reverse("searches:search", args=[search.pk])
    assert "What to ask first is decided." in member.get(address).content.decode()

    advancing.advance(job_id=search.job_id)
    page = member.get(address).content.decode()
    assert "3 contenders are asked 48 more samples." in page
    assert "No worker is running" in page
    assert "Stop now" in page

    drive(search)
    page = member.get(address).content.decode()
    assert "The budget of 64 samples is spent." in page
    assert "birch@fp32 leads with" in page
    assert "Run the leader in full" in page
    assert "64 of 64 samples of the budget" in page
    assert "Stop now" not in page
    assert page.count('<svg class="bar"') == 3
    assert f"again={search.pk}" in page


def test_the_job_of_a_search_leads_to_it_and_other_jobs_lead_nowhere(member, ask, alice, contenders, suite_of, team):
    search = ask()
    link = f'href="{reverse("searches:search", args=[search.pk])}"'
    other = factories.job(alice, team, suite_of, [contenders[0].version])

    assert link in member.get(reverse("jobs:job", args=[search.job_id])).content.decode()
    assert "The search" not in member.get(reverse("jobs:job", args=[other.pk])).content.decode()


def test_an_entry_counts_its_partial_runs_and_does_not_list_them(member, ask):
    search = ask()
    advancing.advance(job_id=search.job_id)
    run = search.job.runs.select_related("contender__version__entry__team").order_by("pk").first()
    entry = run.contender.version.entry

    page = member.get(reverse("jobs:entry_runs", args=[entry.team.name, entry.name])).content.decode()

    assert f"/runs/{run.pk}/" not in page
    assert "as searches make them" in page
    assert "Never run" not in page


def test_an_estimates_page_shows_its_course(member, ask, drive, contenders):
    search = drive(ask(goal="estimate", method="random", contenders=contenders[:1], budget=60, batch=20))
    page = member.get(reverse("searches:search", args=[search.pk])).content.decode()

    assert page.count('<svg class="bar"') == 3
    assert "60 of 150" in page
    assert "ash@fp32 scores about" in page


def test_a_stopped_search_says_that_it_is_not_the_whole_answer(member, ask, answer):
    search = ask()
    advancing.advance(job_id=search.job_id)
    answer()
    member.post(reverse("searches:stop_search", args=[search.pk]), {"runs": "cancel"})
    advancing.advance(job_id=search.job_id)

    page = member.get(reverse("searches:search", args=[search.pk])).content.decode()
    assert "Cancelled by alice. What was found until then is kept." in page
    assert "not the answer to the whole budget" in page


def test_a_search_can_be_asked_again(member, ask, contenders):
    search = ask(batch=48, seed=9, exploration=0.5)
    page = member.get(reverse("searches:submit_search"), {"again": search.pk})
    initial = page.context["form"].initial

    assert (initial["batch"], initial["seed"], initial["exploration"], initial["budget"]) == (48, 9, 0.5, "200")
    assert initial["entries"] == sorted(one.version_id for one in contenders)


def test_the_fragment_shows_the_time_left_and_the_cost(ask, drive, answer, alice, contenders):
    for one in contenders:
        factories.price(alice, one.version)
    search = ask()
    advancing.advance(job_id=search.job_id)
    while answer():
        pass
    context = selectors.progress_context(search.pk)
    assert context["progress"].done == 48
    assert context["progress"].seconds_left > 0
    assert context["cost"] == pytest.approx(48 * 0.01 * 36 / 3600)


def test_the_list_shows_searches(member, ask):
    search = ask()
    page = member.get(reverse("searches:searches")).content.decode()
    assert search.title in page
    assert "Queued" in page
