"""Trouble of a host is not a run's: its worker stands aside, and what it took waits for others, with all attempts."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_django import Settings

from webapp.catalog.models import EntryVersion
from webapp.catalog.services import contender, register_entry
from webapp.catalog.sources import SourceRequest
from webapp.errors import Unprocessable
from webapp.jobs import leases
from webapp.jobs.models import Run, Worker
from webapp.jobs.services import retry_job
from webapp.results import measurements
from webapp.results.models import Measurement
from webapp.tests import factories
from workers import pipeline
from workers.presence import Presence
from workers.tests.conftest import CHECKPOINTS, Lab, Start, evaluation_worker, living, state, wait_until

pytestmark = [pytest.mark.engine, pytest.mark.django_db]


@pytest.fixture
def here(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> str:
    """This process is a worker of this name."""
    monkeypatch.setattr(pipeline, "_me", pipeline.Me("here", "cpu", pipeline.offered_schemes("cpu"), Presence("here")))
    return factories.worker("here")


@pytest.fixture
def mount(settings: Settings, tmp_path: Path) -> Path:
    """A root that can be taken away, with tiny-xs in it."""
    root = tmp_path / "models"
    shutil.copytree(CHECKPOINTS / "tiny-xs", root / "tiny-xs")
    settings.MODEL_ROOTS = [root]
    return root


def taken_by_hand() -> int:
    taken = 0
    while pipeline.evaluate_next():
        taken += 1
    return taken


def paused(name: str) -> str:
    worker = Worker.objects.get(name=name)
    return worker.mode_reason if worker.mode == Worker.Mode.PAUSED else ""


def absent(root: Path) -> None:
    root.rename(root.with_name("elsewhere"))


def empty(root: Path) -> None:
    absent(root)
    root.mkdir()


@pytest.mark.parametrize(("gone", "said"), [(absent, "No such file or directory"), (empty, "it is empty")])
def test_a_model_root_that_is_not_mounted_fails_nobody_s_run(
    lab: Lab, here: str, mount: Path, gone: Callable[[Path], None], said: str
) -> None:
    entry = factories.entry(lab.owner, lab.team, "tiny-xs", mount / "tiny-xs")
    runs = [lab.job(entry, size=size).runs.get() for size in (4, 5, 6)]
    gone(mount)
    assert taken_by_hand() == 1, "it takes no more once it knows"
    assert {state(run) for run in runs} == {Run.State.QUEUED}
    assert [(run.attempt, run.last_attempt) for run in runs] == [(1, 4), (0, 3), (0, 3)]
    assert f"The model root {mount} of this host cannot be read ({said}). Mount it" in runs[0].reason
    assert paused(here) == f"Paused itself. The model root {mount} of this host cannot be read ({said}). " + (
        "Mount it, then resume it."
    )


def test_a_host_with_other_roots_than_the_web_stands_aside(
    lab: Lab, here: str, settings: Settings, tmp_path: Path
) -> None:
    run = lab.job(lab.entry()).runs.get()
    settings.MODEL_ROOTS = [tmp_path]
    assert taken_by_hand() == 1
    assert (state(run), run.last_attempt) == (Run.State.QUEUED, 4)
    assert "lies below none of this host's CROSSTABLE_MODEL_ROOTS" in paused(here)


def test_a_folder_that_is_nowhere_is_its_authors_trouble(lab: Lab, here: str, mount: Path) -> None:
    gone = factories.entry(lab.owner, lab.team, "gone", Path(shutil.copytree(mount / "tiny-xs", mount / "gone")))
    shutil.rmtree(mount / "gone")
    run = lab.job(gone).runs.get()
    taken_by_hand()
    assert (state(run), run.attempt, paused(here)) == (Run.State.FAILED, 1, "")
    assert f"There is no folder {mount / 'gone'}." in run.reason


def test_a_run_that_no_host_can_load_does_not_go_round_for_ever(lab: Lab, here: str, mount: Path) -> None:
    """However often operators resume the workers."""
    run = lab.job(factories.entry(lab.owner, lab.team, "tiny-xs", mount / "tiny-xs")).runs.get()
    absent(mount)
    Run.objects.filter(pk=run.pk).update(attempt=leases.HAND_OVERS - 1, last_attempt=leases.HAND_OVERS)
    taken_by_hand()
    assert (state(run), run.attempt) == (Run.State.FAILED, leases.HAND_OVERS)
    assert run.reason.startswith("Given up after 30 attempts. ")
    assert "Mount it" in run.reason


def test_the_web_refuses_what_lies_below_no_root_by_now(lab: Lab, settings: Settings, tmp_path: Path) -> None:
    """Else an old entry would make one worker after the other stand aside."""
    entry = lab.entry()
    job = lab.job(entry)
    Run.objects.update(state=Run.State.FAILED)
    settings.MODEL_ROOTS = [tmp_path]
    for ask in (
        lambda: lab.job(entry, size=4),
        lambda: retry_job(actor=lab.owner, job=job),
        lambda: measurements.request_measurement(actor=lab.owner, contender=contender(version=entry, scheme="fp32")),
    ):
        with pytest.raises(Unprocessable, match="is outside the allowed roots by now") as error:
            ask()
        assert error.value.remedy


def test_a_root_that_moved_and_left_a_link_behind_is_the_same_root(
    lab: Lab, here: str, settings: Settings, mount: Path
) -> None:
    entry = factories.entry(lab.owner, lab.team, "tiny-xs", mount / "tiny-xs")
    absent(mount)
    mount.symlink_to(mount.with_name("elsewhere"))
    settings.MODEL_ROOTS = [mount.resolve()]
    run = lab.job(entry, size=4).runs.get()
    taken_by_hand()
    assert state(run) == Run.State.DONE


def endpoint(lab: Lab, settings: Settings, name: str = "served") -> EntryVersion:
    settings.ALLOWED_NETWORKS = ["127.0.0.1"]
    tokenizer = str(CHECKPOINTS / "tiny-xs")
    source = SourceRequest("endpoint", "http://127.0.0.1:9/v1", endpoint_model="m", tokenizer=tokenizer, api_key="sk-1")
    return register_entry(actor=lab.owner, team=lab.team, name=name, source=source)


def test_a_host_with_another_secret_key_stands_aside(lab: Lab, here: str, settings: Settings) -> None:
    run = lab.job(endpoint(lab, settings)).runs.get()
    settings.SECRET_KEY = "that of another platform"
    assert taken_by_hand() == 1
    assert (state(run), run.last_attempt) == (Run.State.QUEUED, 4)
    assert "This host has another SECRET_KEY" in paused(here)


def test_a_key_that_is_lost_for_all_hosts_is_its_authors_trouble(
    lab: Lab, here: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = endpoint(lab, settings)
    settings.SECRET_KEY = "another one since then"
    honest = time.time
    monkeypatch.setattr(time, "time", lambda: honest() + 2)
    endpoint(lab, settings, "later")
    run = lab.job(lost).runs.get()
    taken_by_hand()
    assert (state(run), paused(here)) == (Run.State.FAILED, "")
    assert "register a new version of the entry with its key" in run.reason


def test_a_measurement_waits_for_another_host_too(lab: Lab, here: str, mount: Path) -> None:
    entry = factories.entry(lab.owner, lab.team, "tiny-xs", mount / "tiny-xs")
    measurements.request_measurement(actor=lab.owner, contender=contender(version=entry, scheme="fp32"))
    absent(mount)
    pipeline.evaluate_next()
    left = Measurement.objects.get()
    assert (left.state, left.attempts) == (Measurement.State.QUEUED, 0)
    assert "Mount it" in left.reason
    assert "Mount it" in paused(here)


@pytest.mark.process
@pytest.mark.django_db(transaction=True)
class TestProcesses:
    def test_a_worker_without_its_mount_does_not_start(self, lab: Lab, start: Start) -> None:
        run = lab.job(lab.entry(), size=4).runs.get()
        worker = evaluation_worker(start, CROSSTABLE_MODEL_ROOTS="/mnt/not-mounted")
        wait_until(lambda: worker.child.poll() is not None, of=worker)
        assert worker.child.returncode != 0
        assert "CROSSTABLE_MODEL_ROOTS names /mnt/not-mounted, which cannot be read (No such" in worker.log.read_text()
        assert (state(run), run.attempt) == (Run.State.QUEUED, 0)

    def test_a_worker_with_another_secret_key_does_not_start(self, lab: Lab, start: Start, settings: Settings) -> None:
        endpoint(lab, settings)
        worker = evaluation_worker(start, SECRET_KEY="that of another platform")
        wait_until(lambda: worker.child.poll() is not None, of=worker)
        assert "SECRET_KEY does not open what was sealed last" in worker.log.read_text()

    def test_a_mount_that_goes_away_costs_no_run(self, lab: Lab, start: Start, mount: Path, tmp_path: Path) -> None:
        """The worker stands aside; another host, or the same one when it is mended, does all of them."""
        entry = factories.entry(lab.owner, lab.team, "tiny-xs", mount / "tiny-xs")
        worker = evaluation_worker(start, "mended", CROSSTABLE_MODEL_ROOTS=str(mount))
        wait_until(lambda: living("mended"), of=worker)
        absent(mount)
        runs = [lab.job(entry, size=size).runs.get() for size in (4, 5, 6)]
        wait_until(lambda: paused("mended@test"), of=worker)
        wait_until(lambda: {state(run) for run in runs} == {Run.State.QUEUED}, of=worker)
        assert sorted(run.attempt for run in runs) == [0, 0, 1]
        mount.with_name("elsewhere").rename(mount)
        Worker.objects.update(mode=Worker.Mode.WORKING, mode_reason="")
        wait_until(lambda: leases.sweep() or {state(run) for run in runs} == {Run.State.DONE}, of=worker, seconds=120)

    def test_a_host_with_other_roots_leaves_the_queue_to_others(self, lab: Lab, start: Start, tmp_path: Path) -> None:
        other = tmp_path / "other"
        other.mkdir()
        (other / "something").touch()
        wrong = evaluation_worker(start, "wrong", CROSSTABLE_MODEL_ROOTS=str(other))
        wait_until(lambda: living("wrong"), of=wrong)
        entry = lab.entry()
        runs = [lab.job(entry, size=size).runs.get() for size in (4, 5, 6)]
        wait_until(lambda: paused("wrong@test"), of=wrong)
        right = evaluation_worker(start, "right")
        # Who stands aside hears bells, too: the sweep rings again.
        wait_until(lambda: leases.sweep() or {state(run) for run in runs} == {Run.State.DONE}, of=right, seconds=120)
        assert {run.worker for run in runs} == {"right@test"}
