"""The commands, typed against the real site."""

from __future__ import annotations

import ast
import sys
import threading
import time
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import crosstable
import pytest
from crosstable import tables
from crosstable.cli import main
from django.db import connections

from evaluation import pricing
from webapp.accounts.models import Token
from webapp.jobs import services
from webapp.jobs.models import Job
from webapp.tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
SUBMIT = ("submit", "--team", "lab", "--entry", "lab/small", "--scheme", "fp32", "--suite", "lab/basics")


def test_it_needs_nothing_but_httpx():
    folder = Path(crosstable.__file__).parent
    found = set()
    for file in folder.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            found |= {name.partition(".")[0] for name in names}
    assert found - sys.stdlib_module_names == {"httpx", "crosstable"}


def test_a_dry_run_tells_what_a_job_would_take_and_leaves_nothing(run, board, entry):
    status, out, _ = run(*SUBMIT, "--dry-run")

    assert status == 0
    assert "small@fp32" in out
    assert "2 new runs, 0 reused" in out
    assert not Job.objects.exists()


def test_a_dry_run_says_money_as_pages_do(run, alice, filled, entry, other_entry):
    def cost(*more):
        return run(*SUBMIT, "--dry-run", *more)[1].partition("Cost: ")[2].rstrip()

    assert cost() == "$0.00.", "all of it is there"
    assert cost("--limit", "2") == "no price for small."
    factories.price(alice, entry)
    assert cost("--limit", "2") == "$0.004."
    assert cost("--limit", "2", "--entry", "lab/large") == "at least $0.004."


@pytest.mark.parametrize(
    "amount", ["0.000000000", "0.000000123", "0.012345678", "0.5", "0.999999", "12.5", "1234567.891"]
)
def test_money_is_written_as_on_pages(amount):
    assert tables.dollars(amount) == pricing.dollars(Decimal(amount))


def test_a_submission_tells_the_page_that_people_open(run, client, bob, board, entry):
    _, out, err = run(*SUBMIT)
    address = err.split()[-1]

    client.force_login(bob)
    assert address.endswith(f"/jobs/{out.strip()}/")
    assert client.get(urlsplit(address).path).resolver_match.view_name == "jobs:job"


def test_the_same_key_makes_one_job(told, board, entry):
    first, second = told(*SUBMIT, "--key", "k"), told(*SUBMIT, "--key", "k")

    assert first["id"] == second["id"]
    assert Job.objects.count() == 1
    assert [job["id"] for job in told("jobs")] == [first["id"]]


def test_watching_ends_with_the_job_and_its_status_says_how(run, bob, board, entry):
    _, out, _ = run(*SUBMIT)
    job = Job.objects.get(pk=int(out))

    def cancel_soon():
        time.sleep(0.5)
        try:
            services.cancel_job(actor=bob, job=job)
        finally:
            connections.close_all()

    canceller = threading.Thread(target=cancel_soon)
    canceller.start()
    status, _, err = run("watch", str(job.pk), "--every", "0.1")
    canceller.join()

    assert status == 3
    assert "queued, 0 of 8 samples" in err
    assert "cancelled" in err.splitlines()[-1]


def test_a_finished_job_shows_its_results(run, filled, job):
    status, out, err = run("watch", str(job.pk))

    assert status == 0
    assert "100%" in err
    assert out.splitlines()[4].split()[:3] == ["small@fp32", "sums", "100.0"]


def test_cancel_and_retry_are_safe_to_press_twice(told, board, entry):
    made = told(*SUBMIT)["id"]

    assert {told("cancel", str(made))["state"] for _ in range(2)} == {"cancelled"}
    assert {told("retry", str(made))["state"] for _ in range(2)} == {"queued"}


def test_a_board_is_drawn_and_searched(run, told, filled):
    _, out, _ = run("board", "lab/main")

    assert out.index("small@fp32") < out.index("large@fp32")
    assert "100.0" in out
    assert [row["contender"] for row in told("board", "lab/main", "--search", "large")["standings"]] == ["large@fp32"]


def test_contenders_are_compared_by_name(run, told, filled):
    for on in (("--suite", "lab/basics"), ("--benchmark", "lab/sums"), ("--benchmark", "lab/sums:1")):
        _, out, _ = run("compare", "small@fp32", "large@fp32", *on, "--baseline", "small@fp32")
        found = told("compare", "small@fp32", "large@fp32", *on, "--baseline", "small@fp32")

        assert found["verdict"] in out
        assert [one["name"] for one in found["contenders"]] == ["small@fp32", "large@fp32"]
        assert abs(found["pairs"][0]["difference"]) == pytest.approx(0.25)


REFUSED = {
    ("watch", "999999"): "No Job",
    ("board", "lab/none"): "No Leaderboard",
    ("compare", "small@fp32", "x@y", "--suite", "lab/basics"): "No contender is called x@y here",
    ("compare", "small@fp32", "x@y", "--suite", "lab/nosuch"): "There is no suite lab/nosuch",
    ("export", "scores.txt", "--job", "1"): "must end in .csv, .jsonl, .parquet",
    ("export", "scores.csv", "--leaderboard", "lab/none"): "There is no leaderboard lab/none",
    ("submit", "--team", "lab", "--entry", "lab/none", "--suite", "lab/basics"): "entries",
    ("import", "no/such/folder", "--team", "lab"): "There is no file or folder",
}


def test_what_is_refused_is_said_on_stderr(run, filled):
    for arguments, said in REFUSED.items():
        status, out, err = run(*arguments)
        assert (status, out) == (1, ""), arguments
        assert said in err, arguments


def test_without_a_site_it_says_how_to_name_one(monkeypatch, capsys, tmp_path):
    monkeypatch.delenv("CROSSTABLE_URL", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    assert main(["jobs"]) == 1
    assert "CROSSTABLE_URL" in capsys.readouterr().err


def test_a_site_that_is_gone_is_an_error_in_words(monkeypatch, capsys):
    monkeypatch.setattr("time.sleep", lambda seconds: None)

    assert main(["--url", "http://127.0.0.1:9", "jobs"]) == 1
    assert "does not answer" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["crosstable.example.org", "file:///etc", "//x"])
def test_what_is_no_address_is_refused_at_once(capsys, address):
    assert main(["--url", address, "jobs"]) == 1
    assert "is not the address of a site" in capsys.readouterr().err


def test_a_site_that_has_moved_says_where_it_is(capsys, monkeypatch, moved_site):
    assert main(["--url", moved_site, "jobs"]) == 1
    assert "leads to https://new.example.org/api/v1/jobs/" in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_said_in_words(run, filled, tmp_path):
    status, _, err = run("export", str(tmp_path / "nowhere" / "scores.csv"), "--leaderboard", "lab/main")

    assert status == 1
    assert "nowhere" in err


def test_a_login_is_stored_for_its_owner_and_its_site_only(run, address, token, monkeypatch, tmp_path):
    status, _, err = run("--url", address, "--token", token, "login")
    stored = tmp_path / "config" / "crosstable" / "account.json"

    assert (status, "Signed in as bob" in err) == (0, True)
    assert stored.stat().st_mode & 0o077 == 0
    monkeypatch.delenv("CROSSTABLE_URL")
    monkeypatch.delenv("CROSSTABLE_TOKEN")
    assert run("jobs")[0] == 0
    monkeypatch.setenv("CROSSTABLE_URL", address.replace("localhost", "127.0.0.1"))
    run("jobs")
    Token.objects.update(last_used_at=None)
    run("jobs")
    assert Token.objects.get(name="ci").last_used_at is None, "another site must not see the token"


def test_a_revoked_token_is_refused_with_a_remedy(run, token, bob):
    Token.objects.all().delete()

    status, _, err = run("submit", "--team", "lab", "--entry", "a/b", "--suite", "lab/basics")

    assert status == 1
    assert "token" in err.lower()


def test_exports_are_whole_or_absent(run, told, filled, job, tmp_path):
    for kind in ("csv", "jsonl", "parquet"):
        file = tmp_path / f"scores.{kind}"
        assert told("export", str(file), "--leaderboard", "lab/main")["bytes"] == file.stat().st_size > 1000
    assert told("export", str(tmp_path / "board.csv"), "--board", "lab/main", "--search", "small")["bytes"] > 100
    run("export", str(tmp_path / "none.csv"), "--job", "999999")

    written = {file.name for file in tmp_path.iterdir() if file.is_file()}
    assert written == {"board.csv", "scores.csv", "scores.jsonl", "scores.parquet"}
