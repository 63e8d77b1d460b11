"""Entries, benchmarks and suites, as people register and read them."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from webapp.accounts.models import Visibility
from webapp.catalog.models import Benchmark, EntryVersion, ModelEntry, Suite
from webapp.tests import factories


def register(client, team, folder, **more):
    typed = {"name": "tiny", "source": "directory", "location": folder, "team": team.pk, "visibility": "team"}
    return client.post("/entries/new/", typed | more)


def test_an_entry_is_registered_from_a_folder(client, bob, team, tmp_path):
    client.force_login(bob)

    answer = register(client, team, factories.checkpoint(tmp_path / "weights"), tags="Small, demo,small")

    assert answer.headers["Location"] == "/entries/lab/tiny/"
    version = EntryVersion.objects.get(entry__name="tiny")
    assert version.parameters == 2
    assert version.entry.tags == ["demo", "small"]
    page = client.get("/entries/lab/tiny/").content.decode()
    assert version.weights_hash in page
    assert "GPT2LMHeadModel" in page


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"location": "/etc"}, "This folder is outside the allowed roots."),
        ({"source": "hub", "location": "some/model"}, "A hub repository must be pinned."),
        ({"source": "endpoint", "location": "http://127.0.0.1:9/v1", "endpoint_model": "m"}, "which is not public"),
        ({"name": "Not a name"}, "lower-case letters"),
    ],
)
def test_a_wrong_source_is_explained_and_nothing_is_kept(client, bob, team, tmp_path, change, words):
    client.force_login(bob)

    answer = register(client, team, factories.checkpoint(tmp_path / "weights"), **change)

    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not ModelEntry.objects.exists()


def test_an_api_key_is_never_shown_again(client, bob, team, settings):
    settings.ALLOWED_NETWORKS = ["127.0.0.0/8"]
    client.force_login(bob)
    source = {"source": "endpoint", "location": "http://127.0.0.1:9/v1", "endpoint_model": "m", "api_key": "s3cret-key"}

    register(client, team, "", **source)

    page = client.get("/entries/lab/tiny/").content.decode()
    assert "stored encrypted" in page
    assert "s3cret-key" not in page
    assert "s3cret-key" not in register(client, team, "", **source, name="").content.decode()


def test_a_viewer_registers_nothing_for_the_team(client, vera, team, entry, tmp_path):
    client.force_login(vera)

    answer = register(client, team, factories.checkpoint(tmp_path / "weights"))

    assert answer.status_code == 422
    assert not ModelEntry.objects.exclude(pk=entry.entry_id).exists()
    assert client.get("/entries/lab/small/new-version/").status_code == 403
    assert "The lab" not in client.get("/entries/new/").content.decode()


def test_a_new_version_leaves_the_old_one(client, bob, entry, tmp_path):
    client.force_login(bob)
    folder = factories.checkpoint(tmp_path / "again", width=9)

    client.post("/entries/lab/small/new-version/", {"source": "directory", "location": folder})

    page = client.get("/entries/lab/small/").content.decode()
    assert "Version 1" in page
    assert "Version 2" in page


def test_the_same_weights_again_are_refused(client, bob, entry, tmp_path):
    client.force_login(bob)

    answer = client.post("/entries/lab/small/new-version/", {"source": "directory", "location": tmp_path / "small"})

    assert answer.status_code == 422
    assert "This is small v1 already." in answer.content.decode()


def test_strangers_see_public_entries_only(client, charlie, entry):
    client.force_login(charlie)
    assert client.get("/entries/lab/small/").status_code == 404
    assert "/entries/lab/small/" not in client.get("/entries/").content.decode()

    ModelEntry.objects.update(visibility=Visibility.PUBLIC)
    client.logout()
    assert client.get("/entries/lab/small/").status_code == 200


def upload(client, team, lines, **more):
    file = SimpleUploadedFile("questions.jsonl", b"\n".join(lines))
    typed = {
        "name": "sums", "origin": "own", "documents": file, "kind": "multiple_choice", "metric": "", "more": "{}",
        "prompt": "Q: {{ question }}\r\nA:", "team": team.pk, "visibility": "team",
    }  # fmt: skip
    return client.post("/benchmarks/new/", typed | more)


def test_a_benchmark_is_uploaded_and_shown_as_it_is_asked(client, bob, team):
    client.force_login(bob)

    answer = upload(client, team, factories.documents(30))

    assert answer.headers["Location"] == "/benchmarks/lab/sums/"
    page = client.get("/benchmarks/lab/sums/").content.decode()
    assert "Q: 3+3\nA:" in page
    assert 'rel="next"' in page
    assert "Q: 25+25\nA:" in client.get("/benchmarks/lab/sums/?page=2").content.decode()


@pytest.mark.parametrize(
    ("lines", "more", "words"),
    [
        ([b'{"question": "1+1", "choices": ["2", "3"], "gold": 2}'], {}, "Line 1: The field `gold` is 2"),
        ([b'{"question": "1+1", "choices": ["2", "3"], "gold": 0}', b"{"], {}, "Line 2"),
        ([b'{"question": "1+1", "choices": ["2", "3"], "gold": 0}'], {"more": "no json"}, "read as JSON"),
        ([b'{"question": "1+1", "choices": ["2", "3"], "gold": 0}'], {"prompt": "{{ missing }}"}, "missing"),
        ([b""], {}, "empty"),
    ],
)
def test_a_bad_upload_names_line_and_field(client, bob, team, lines, more, words):
    client.force_login(bob)

    answer = upload(client, team, lines, **more)

    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not Benchmark.objects.exists()


def test_a_task_of_the_harness_needs_its_name(client, bob, team):
    client.force_login(bob)
    assert "Which task?" in upload(client, team, [], origin="harness", documents="").content.decode()

    answer = upload(client, team, [], origin="harness", documents="", harness_task="arc_easy")

    assert answer.status_code == 302
    assert "Task arc_easy of lm-eval" in client.get("/benchmarks/lab/sums/").content.decode()


def test_a_new_version_of_a_benchmark_starts_from_the_last(client, bob, benchmark):
    client.force_login(bob)
    form = client.get("/benchmarks/lab/sums/new-version/").context["form"]
    assert form.initial["prompt"] == factories.CHOICE["prompt"]

    file = SimpleUploadedFile("questions.jsonl", b"\n".join(factories.documents(6)))
    client.post("/benchmarks/lab/sums/new-version/", {**form.initial, "more": "{}", "documents": file})

    assert [version.samples for version in benchmark.benchmark.versions.all()] == [6, 4]
    assert "Sample 5" not in client.get("/benchmarks/lab/sums/?version=1").content.decode()


def test_a_suite_keeps_the_order_that_was_typed(client, bob, team, benchmark, written):
    client.force_login(bob)
    typed = {"name": "both", "versions": [benchmark.pk, written.pk], "order": "written, sums", "team": team.pk}

    answer = client.post("/suites/new/", typed | {"visibility": "team"})

    assert answer.headers["Location"] == "/suites/lab/both/"
    items = Suite.objects.get(name="both").items.all()
    assert [item.version.benchmark.name for item in items] == ["written", "sums"]


def test_lists_are_searched(client, bob, entry, other_entry):
    client.force_login(bob)

    page = client.get("/entries/?q=larg").content.decode()

    assert "/entries/lab/large/" in page
    assert "/entries/lab/small/" not in page
