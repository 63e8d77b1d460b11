"""What an import makes: everything that its file says, once, or nothing."""

from __future__ import annotations

from webapp.accounts.models import AuditEvent, Team, User
from webapp.catalog.models import Sample, Source
from webapp.imports.models import ImportChunk
from webapp.imports.tests.files import as_csv, load, rows
from webapp.jobs.models import Run
from webapp.results.models import Score
from webapp.results.selectors import packed_scores


def test_a_file_becomes_an_entry_a_benchmark_a_run_and_its_scores(bob: User, team: Team) -> None:
    job = load(bob, team, as_csv(rows()))
    assert (job.state, job.reason, job.rows) == ("done", "1 runs with 4 rows.", 4)
    run = Run.objects.get()
    assert (run.origin, run.state, run.mean, run.total, run.done) == ("imported", "done", 0.75, 4, 4)
    assert run.contender.name == "acme-large@bf16"
    assert run.contender.version.source == Source.IMPORTED
    assert run.contender.version.entry.title == "acme/large"
    assert (str(run.version), run.version.kind, run.version.metric) == ("riddles v1", "imported", "acc")
    assert list(Score.objects.values_list("index", "score", "output")) == [
        (0, 1.0, "A or B"), (1, 0.0, "A or B"), (2, 1.0, "A or B"), (3, 1.0, "A or B"),
    ]  # fmt: skip
    assert Sample.objects.get(index=2).prompt == "Riddle 2?"
    assert packed_scores([run])[run.pk].tolist() == [[1.0], [0.0], [1.0], [1.0]]
    assert run.reason.startswith("Imported from scores.csv by bob on ")
    assert (run.provenance["file"], run.provenance["sha256"]) == ("scores.csv", job.sha256)
    assert AuditEvent.objects.latest("id").verb == "imported"
    assert not ImportChunk.objects.exists()
