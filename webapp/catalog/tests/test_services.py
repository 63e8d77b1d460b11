"""Entries, benchmarks and suites: checked at the door, immutable afterwards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from webapp.accounts.models import AuditEvent, Team, User
from webapp.catalog import sealing, selectors, services, sources
from webapp.catalog.models import Benchmark, BenchmarkVersion, Contender, EntryVersion, ModelEntry, Sample, Suite
from webapp.catalog.sources import SourceRequest
from webapp.errors import Conflict, DomainError, NotAllowed, Unprocessable
from webapp.tests import factories

HUB = SourceRequest("hub", "owner/name", revision="a" * 40)


def register(actor: User, team: Team, source: SourceRequest, name: str = "tiny", **more: Any) -> EntryVersion:
    return services.register_entry(actor=actor, team=team, name=name, source=source, **more)


def test_a_directory_is_described_and_hashed(bob: User, team: Team, tmp_path: Path) -> None:
    version = register(bob, team, SourceRequest("directory", str(factories.checkpoint(tmp_path / "tiny", width=6))))
    assert (version.number, version.parameters, version.size_bytes) == (1, 6, version.size_bytes)
    assert version.architecture == "GPT2LMHeadModel"
    assert all(len(value) == 64 for value in (version.weights_hash, version.tokenizer_hash, version.fingerprint))


def test_weights_too_large_for_the_web_are_hashed_once_by_a_worker(
    bob: User, team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "HASH_IN_WEB_BYTES", 4)
    version = register(bob, team, SourceRequest("directory", str(factories.checkpoint(tmp_path / "tiny"))))
    assert version.weights_hash == ""
    services.pin_weights(version=version, weights_hash="b" * 64)
    services.pin_weights(version=version, weights_hash="c" * 64)
    version.refresh_from_db()
    assert version.weights_hash == "b" * 64


def test_a_link_does_not_lead_out_of_the_roots(bob: User, team: Team, tmp_path: Path, settings: Any) -> None:
    settings.MODEL_ROOTS = [tmp_path / "models"]
    outside = factories.checkpoint(tmp_path / "outside")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "link").symlink_to(outside)
    for location in (tmp_path / "models" / "link", tmp_path / "models" / ".." / "outside", outside):
        with pytest.raises(Unprocessable, match="outside the allowed roots"):
            register(bob, team, SourceRequest("directory", str(location)))
    with pytest.raises(Unprocessable, match="not absolute"):
        register(bob, team, SourceRequest("directory", "models/link"))


def test_pickled_weights_are_refused(bob: User, team: Team, tmp_path: Path) -> None:
    folder = factories.checkpoint(tmp_path / "tiny")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(Unprocessable, match="would run code"):
        register(bob, team, SourceRequest("directory", str(folder)))


@pytest.mark.parametrize(
    ("source", "field"),
    [
        (SourceRequest("hub", "no-slash", revision="a" * 40), "location"),
        (SourceRequest("hub", "owner/name"), "revision"),
        (SourceRequest("hub", "owner/name", revision="main"), "revision"),
        (SourceRequest("hub", "owner/name", revision="A" * 40), "revision"),
        (SourceRequest("endpoint", "http://127.0.0.1/v1", endpoint_model="m"), "location"),
        (SourceRequest("endpoint", "http://169.254.169.254/v1", endpoint_model="m"), "location"),
        (SourceRequest("endpoint", "file:///etc/passwd", endpoint_model="m"), "location"),
    ],
)
def test_a_bad_source_is_named_by_field(bob: User, team: Team, source: SourceRequest, field: str) -> None:
    with pytest.raises(Unprocessable) as error:
        register(bob, team, source)
    assert error.value.field == field
    assert not ModelEntry.objects.exists()


def test_the_same_state_is_the_same_version(bob: User, team: Team) -> None:
    version = register(bob, team, HUB)
    with pytest.raises(Conflict, match="tiny v1 already"):
        services.add_entry_version(actor=bob, entry=version.entry, source=HUB)
    other = SourceRequest("hub", "owner/name", revision="b" * 40)
    assert services.add_entry_version(actor=bob, entry=version.entry, source=other).number == 2


def test_the_database_refuses_to_change_a_version(bob: User, team: Team) -> None:
    version = register(bob, team, HUB)
    for field in ("location", "revision", "fingerprint", "source"):
        with pytest.raises(DatabaseError, match="never change"), transaction.atomic():
            EntryVersion.objects.filter(pk=version.pk).update(**{field: "x"})


def test_a_name_is_free_once_per_team(bob: User, charlie: User, team: Team) -> None:
    register(bob, team, HUB)
    with pytest.raises(Conflict):
        register(bob, team, HUB)
    own = Team.objects.get(name="charlie")
    assert register(charlie, own, HUB).entry.team == own
    with pytest.raises(NotAllowed):
        register(charlie, team, HUB, name="mine")
    with pytest.raises(Unprocessable):
        register(bob, team, HUB, name="Not A Slug")


def test_a_contender_is_one_row_per_version_and_scheme(bob: User, team: Team) -> None:
    first = register(bob, team, HUB)
    second = services.add_entry_version(
        actor=bob, entry=first.entry, source=SourceRequest("hub", "owner/name", revision="b" * 40)
    )
    names = [services.contender(version=v, scheme=s).name for v in (first, second) for s in ("fp32", "bf16", "fp32")]
    assert names == ["tiny@fp32", "tiny@bf16", "tiny@fp32", "tiny:2@fp32", "tiny:2@bf16", "tiny:2@fp32"]
    assert Contender.objects.count() == 4
    with pytest.raises(Unprocessable):
        services.contender(version=first, scheme="int99")


def test_a_key_sealed_with_another_secret_says_what_to_do(settings: Any) -> None:
    sealed = sealing.seal("sk-1")
    assert sealing.unseal(sealed) == "sk-1"
    assert sealing.seal("") == b""
    settings.SECRET_KEY = "another"
    with pytest.raises(DomainError, match="SECRET_KEY has changed"):
        sealing.unseal(sealed)


def test_a_benchmark_keeps_its_questions_as_contenders_see_them(benchmark: BenchmarkVersion) -> None:
    assert (benchmark.samples, benchmark.kind, benchmark.metric, benchmark.chance) == (4, "multiple_choice", "acc", 0.5)
    sample = Sample.objects.get(version=benchmark, index=2)
    assert (sample.prompt, sample.choices, sample.target) == ("Q: 2+2\nA:", ["4", "5"], "4")
    assert sample.document == {"question": "2+2", "choices": ["4", "5"], "gold": 0}


def test_generation_has_no_chance_level(written: BenchmarkVersion) -> None:
    assert written.chance is None


def test_equal_content_is_refused_and_other_content_is_a_new_version(bob: User, benchmark: BenchmarkVersion) -> None:
    same = {"definition": factories.CHOICE, "lines": factories.documents(4)}
    with pytest.raises(Conflict):
        services.add_benchmark_version(actor=bob, benchmark=benchmark.benchmark, **same)
    more = services.add_benchmark_version(
        actor=bob, benchmark=benchmark.benchmark, definition=factories.CHOICE, lines=factories.documents(5)
    )
    assert (more.number, more.samples) == (2, 5)
    assert more.content_hash != benchmark.content_hash


def test_a_bad_line_leaves_nothing_behind(bob: User, team: Team) -> None:
    lines = [*factories.documents(2), b'{"question": "?", "choices": ["a", "b"], "gold": 7}']
    with pytest.raises(Unprocessable, match=r"Line 3: .*`gold` is 7") as error:
        services.create_benchmark(actor=bob, team=team, name="bad", definition=factories.CHOICE, lines=lines)
    assert error.value.field == "gold"
    assert not Benchmark.objects.exists()
    assert not AuditEvent.objects.filter(target__contains="bad").exists()


def test_questions_never_change(benchmark: BenchmarkVersion) -> None:
    with pytest.raises(DatabaseError, match="never change"), transaction.atomic():
        Sample.objects.filter(version=benchmark, index=0).update(prompt="easier")
    with pytest.raises(DatabaseError, match="never change"), transaction.atomic():
        BenchmarkVersion.objects.filter(pk=benchmark.pk).update(content_hash="x")


def test_a_whole_benchmark_can_be_deleted(benchmark: BenchmarkVersion) -> None:
    benchmark.benchmark.delete()
    assert not Sample.objects.exists()


def test_a_harness_task_is_a_version_by_name(bob: User, team: Team) -> None:
    version = services.create_benchmark(actor=bob, team=team, name="arc", harness_task="arc_easy")
    assert (version.kind, version.samples) == ("harness", None)
    with pytest.raises(Conflict):
        services.add_benchmark_version(actor=bob, benchmark=version.benchmark, harness_task="arc_easy")


def test_a_suite_keeps_the_order_given(suite: Suite, benchmark: BenchmarkVersion, written: BenchmarkVersion) -> None:
    assert selectors.suite_versions(suite) == [benchmark, written]


def test_a_suite_needs_each_benchmark_once(bob: User, team: Team, benchmark: BenchmarkVersion) -> None:
    for versions in ([], [benchmark, benchmark]):
        with pytest.raises(Unprocessable):
            services.create_suite(actor=bob, team=team, name="s", versions=versions)


def test_a_key_reaches_no_log(bob: User, team: Team, settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.ALLOWED_NETWORKS = ["127.0.0.0/8"]
    source = SourceRequest("endpoint", "http://127.0.0.1:9/v1", endpoint_model="m", api_key="sk-secret")
    assert "sk-secret" not in repr(source)
    version = register(bob, team, source)
    assert "sk-secret" not in json.dumps(list(AuditEvent.objects.values_list("after", "before")))
    assert "sk-secret" not in caplog.text
    assert sealing.unseal(version.sealed_key) == "sk-secret"
