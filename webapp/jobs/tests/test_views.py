"""Submitting with an estimate, watching, stopping and going on."""

from __future__ import annotations

import pytest

from webapp.accounts.models import Visibility
from webapp.catalog.models import Contender
from webapp.jobs import leases
from webapp.jobs.models import Job, Run
from webapp.tests import factories


@pytest.fixture
def typed(client, bob, suite, entry, other_entry):
    """The form as it stands for bob, who is signed in, with one entry ticked."""
    client.force_login(bob)
    form = client.get("/jobs/new/").context["form"]
    values = {name: form[name].value() for name in form.fields if form[name].value() not in (None, "")}
    return values | {"suite": suite.pk, "entries": [entry.pk], "schemes": ["fp32"]}


def test_a_first_job_needs_no_more_than_entries(client, typed, team):
    answer = client.post("/jobs/new/", typed)

    job = Job.objects.get()
    assert answer.headers["Location"] == f"/jobs/{job.pk}/"
    assert (job.team, job.runs.count()) == (team, 2)
    assert job.title == "small@fp32 on basics"


def test_the_same_form_sent_twice_is_one_job(client, typed):
    first, second = client.post("/jobs/new/", typed), client.post("/jobs/new/", typed)

    assert first.headers["Location"] == second.headers["Location"]
    assert Job.objects.count() == 1


def test_the_form_changed_after_going_back_is_another_job(client, typed, other_entry):
    client.post("/jobs/new/", typed)

    client.post("/jobs/new/", typed | {"entries": [other_entry.pk]})

    assert Job.objects.count() == 2


def test_the_estimate_counts_runs_and_samples_and_writes_no_job(client, typed, entry, other_entry):
    answer = client.post(
        "/jobs/estimate/", typed | {"entries": [entry.pk, other_entry.pk], "schemes": ["fp32", "bf16"]}
    )

    page = answer.content.decode()
    assert "<strong>8</strong>" in page
    assert "32 to score" in page
    assert "none is running" in page
    assert not Job.objects.exists()
    assert not Contender.objects.exists(), "a contender is made with its first job, not by looking"


def test_the_estimate_knows_what_is_there_already(client, typed):
    client.post("/jobs/new/", typed)
    factories.worker()
    factories.finish([True] * 4)
    factories.finish([True] * 4)

    page = client.post("/jobs/estimate/", typed | {"title": "again"}).content.decode()

    assert "2 are there already" in " ".join(page.split())
    assert "0 to score" in page


def test_an_estimate_without_entries_says_what_is_missing(client, typed):
    answer = client.post("/jobs/estimate/", typed | {"entries": []})

    assert answer.status_code == 200
    assert "Choose at least one entry." in answer.content.decode()


def test_a_chat_endpoint_on_multiple_choice_is_refused_before_it_waits(client, typed, bob, team, settings):
    settings.ALLOWED_NETWORKS = ["127.0.0.0/8"]
    source = {
        "source": "endpoint",
        "location": "http://127.0.0.1:9/v1",
        "endpoint_model": "m",
        "endpoint_style": "chat",
    }
    client.post("/entries/new/", {"name": "chatty", "team": team.pk, "visibility": "team", **source})
    [version] = [
        v for v in client.get("/jobs/new/").context["form"].fields["entries"].queryset if v.entry.name == "chatty"
    ]

    answer = client.post("/jobs/new/", typed | {"entries": [version.pk]})

    assert answer.status_code == 422
    assert "it gives no log-likelihoods" in answer.content.decode()


def test_a_viewer_is_told_why_nothing_can_be_submitted(client, vera, suite, entry):
    vera.memberships.exclude(team__name="lab").delete()
    client.force_login(vera)

    assert "needs the role submitter or owner" in client.get("/jobs/new/").content.decode()


def test_the_job_page_says_why_its_runs_wait(client, bob, job):
    client.force_login(bob)

    page = client.get(f"/jobs/{job.pk}/").content.decode()

    assert "No worker is running." in page
    assert "0 of 16 samples" in page


def test_the_job_page_shows_progress_and_accuracy_so_far(client, bob, job):
    factories.worker()
    factories.score(factories.claim(), [True, True, False])
    client.force_login(bob)

    page = client.get(f"/jobs/{job.pk}/progress/").content.decode()

    assert "3 of 16 samples" in page
    assert "66.7" in page
    assert "so far" in page
    assert f'data-version="{Job.objects.get().changes}"' in page


def test_cancel_and_retry_are_safe_to_press_twice(client, bob, job):
    client.force_login(bob)

    for _ in range(2):
        assert client.post(f"/jobs/{job.pk}/cancel/").status_code == 302
    assert set(Run.objects.values_list("state", flat=True)) == {"cancelled"}
    assert "Retry what is not done" in client.get(f"/jobs/{job.pk}/").content.decode()

    for _ in range(2):
        client.post(f"/jobs/{job.pk}/retry/")
    assert set(Run.objects.values_list("state", flat=True)) == {"queued"}


def test_a_viewer_watches_but_stops_nothing(client, vera, job):
    client.force_login(vera)

    assert 'id="cancel"' not in client.get(f"/jobs/{job.pk}/").content.decode()
    assert client.post(f"/jobs/{job.pk}/cancel/").status_code == 403
    assert client.get(f"/jobs/{job.pk}/cancel/").status_code == 405


def test_a_stranger_finds_no_job(client, charlie, job):
    client.force_login(charlie)
    run = job.runs.first()

    for address in (f"/jobs/{job.pk}/", f"/jobs/{job.pk}/progress/", f"/runs/{run.pk}/", "/entries/lab/small/runs/"):
        assert client.get(address).status_code == 404
    assert client.post(f"/jobs/{job.pk}/cancel/").status_code == 404


def test_the_run_page_tells_a_failure_and_its_diary(client, bob, job):
    factories.worker()
    lease = factories.claim()
    leases.end(lease=lease, state="failed", reason="The device ran out of memory.")
    client.force_login(bob)

    page = client.get(f"/runs/{lease.run_id}/").content.decode()

    assert page.count("The device ran out of memory.") == 2
    assert "Running on worker-1, attempt 1 of 3." in page
    assert "every 3s" not in page


def test_the_run_page_gives_numbers_and_a_call_that_repeats_it(client, bob, job):
    factories.worker()
    run = factories.finish([True, False, True, True])
    client.force_login(bob)

    page = client.get(f"/runs/{run.pk}/").content.decode()

    assert "75.0 %" in page
    assert "95 % interval 30.1 to 95.4" in page
    assert "lm-eval 0.4.13" in page
    assert "lab/small:1" in page
    assert "&quot;repeat&quot;: 1" in page


def test_a_waiting_run_tells_its_place(client, bob, job):
    factories.worker()
    last = job.runs.order_by("-pk").first()
    client.force_login(bob)

    page = client.get(f"/runs/{last.pk}/").content.decode()

    assert "It is number 4 in the queue." in page
    assert "3 runs ahead in the queue; 1 worker at work." in page


def test_jobs_are_filtered_by_state(client, bob, job):
    client.force_login(bob)

    assert job.title in client.get("/jobs/?state=queued").content.decode()
    assert job.title not in client.get("/jobs/?state=done").content.decode()
    assert client.get("/jobs/?state=nonsense").status_code == 200


def test_a_public_job_and_its_runs_need_no_sign_in(client, alice, team, suite, entry):
    job = factories.job(alice, team, suite, [entry], visibility=Visibility.PUBLIC)

    assert client.get(f"/jobs/{job.pk}/").status_code == 200
    assert client.get(f"/runs/{job.runs.first().pk}/").status_code == 200


def test_an_estimate_refuses_what_submitting_would(client, typed):
    answer = client.post("/jobs/estimate/", typed | {"seed": -1})

    assert answer.status_code == 422
    assert "Seed" in answer.content.decode()
