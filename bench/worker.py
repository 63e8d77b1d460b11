"""A warm worker, from the claim of a run to its commit, beside the raw forward passes that `bench.engine` measures.

    python -m bench.worker [--model m]

Throw-away servers, the demo's five benchmarks, everything a worker does: claim, evaluate, COPY the scores, progress,
finish, tell the boards. The first round warms the engine, the second is counted.
"""

from __future__ import annotations

import argparse
import time

from bench.world import ready


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=["xs", "s", "m"], default="m")
    name = f"tiny-{parser.parse_args().model}"
    ready()
    import torch
    from django.core.management import call_command

    torch.set_num_threads(1)
    call_command("demo", verbosity=0)
    for repeat in (0, 1):
        _queue(name, repeat)
        wall, cpu = time.perf_counter(), time.process_time()
        samples = _drain()
        print(
            f"{name}, round {repeat + 1}: {samples} samples, "
            f"{time.perf_counter() - wall:.2f} s wall, {time.process_time() - cpu:.2f} s CPU",
            flush=True,
        )


def _queue(name: str, repeat: int) -> None:
    """One job for this entry; what else waits is cancelled."""
    from webapp.accounts.models import User
    from webapp.catalog.models import EntryVersion, Suite
    from webapp.catalog.selectors import suite_versions
    from webapp.catalog.services import contender
    from webapp.jobs.models import Job
    from webapp.jobs.services import JobRequest, cancel_job, submit_job

    user, suite = User.objects.get(), Suite.objects.get()
    for job in Job.objects.exclude(state="done"):
        cancel_job(actor=user, job=job)
    entry = contender(version=EntryVersion.objects.get(entry__name=name), scheme="fp32")
    request = JobRequest([entry], suite_versions(suite), suite, settings={"repeat": repeat})
    submit_job(actor=user, team=suite.team, request=request)


def _drain() -> int:
    from webapp.jobs.models import Run
    from workers import pipeline
    from workers.presence import Presence

    pipeline._me = pipeline.Me("bench", "cpu", pipeline.offered_schemes("cpu"), Presence("bench"))
    before = set(Run.objects.filter(state="done").values_list("pk", flat=True))
    while pipeline.evaluate_next():
        pass
    return sum(Run.objects.filter(state="done").exclude(pk__in=before).values_list("done", flat=True))


if __name__ == "__main__":
    main()
