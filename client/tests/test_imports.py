"""Results brought in by the client: whole, once, and from where an upload broke off."""

from __future__ import annotations

import pytest
from crosstable import CrosstableError
from crosstable.packing import packed, sha256

from webapp.exports.tests.test_round_trip import rows
from webapp.imports.models import Import
from webapp.imports.tests.files import as_csv
from webapp.imports.tests.files import rows as made_rows
from workers.tests.conftest import site, start, static_files, web  # noqa: F401 - fixtures

pytestmark = pytest.mark.django_db(transaction=True)


class Broken(Exception):
    pass


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_bytes(as_csv(made_rows([1, 0] * 50)))
    return path


def test_an_upload_goes_on_where_it_broke_off(remote, settings, team, file):
    settings.IMPORT_CHUNK_BYTES = 1000
    sent = []

    def break_off(so_far, size):
        sent.append(so_far)
        if len(sent) == 2:
            raise Broken

    with pytest.raises(Broken):
        remote.import_results(file, team="lab", heard=break_off)
    made = remote.import_results(file, team="lab", heard=lambda so_far, size: sent.append(so_far))

    assert made["state"] == "queued"
    assert Import.objects.count() == 1
    assert sent == sorted(set(sent)), "no byte was sent twice"
    assert sent[-1] == file.stat().st_size


def test_a_file_that_shrinks_while_it_is_sent_is_an_error_in_words(remote, settings, team, file):
    settings.IMPORT_CHUNK_BYTES = 1000

    def shrink(so_far, size):
        file.write_bytes(file.read_bytes()[:so_far])

    with pytest.raises(CrosstableError, match=r"scores\.csv became shorter while it was sent"):
        remote.import_results(file, team="lab", heard=shrink)
    assert Import.objects.get().state == "uploading"


def test_what_is_appended_while_a_file_is_sent_is_left_out(remote, settings, team, file):
    settings.IMPORT_CHUNK_BYTES = 1000
    before = file.read_bytes()

    def grow(so_far, size):
        file.write_bytes(before + b"more")

    made = remote.import_results(file, team="lab", heard=grow)
    assert (made["state"], made["offset"]) == ("queued", len(before))


def test_a_folder_is_packed_the_same_way_each_time(tmp_path):
    folder = tmp_path / "results"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "samples.jsonl").write_text("{}\n")
    (folder / "results.json").write_text("{}")
    found = set()
    for _ in range(2):
        (folder / "results.json").touch()
        with packed(folder) as (archive, name):
            found.add((sha256(archive), name))
        assert not archive.exists()

    assert len(found) == 1


@pytest.mark.process
@pytest.mark.usefixtures("team")
def test_what_was_exported_is_imported_by_a_real_worker(site, run, told, file, tmp_path, monkeypatch):
    monkeypatch.setenv("CROSSTABLE_URL", site)

    status, out, err = run("import", str(file), "--team", "lab", "--every", "0.2")
    number = Import.objects.get().pk
    again = told("import", str(file), "--team", "lab")
    runs = ",".join(map(str, again["runs"]))
    told("export", str(tmp_path / "out.csv"), "--runs", runs)

    assert status == 0, err
    assert out.startswith("done")
    assert out.split()[-1] == f"{site}/imports/{number}/", "the page, which people can open"
    assert again["id"] == number, "known bytes are not uploaded twice"
    came = [dict(row) for row in rows((tmp_path / "out.csv").read_bytes(), "csv")]
    assert [row["score"] for row in came] == [1.0, 0.0] * 50
    (tmp_path / "bad.csv").write_bytes(file.read_bytes().replace(b",0.0,", b",nan,", 1))
    status, out, _ = run("import", str(tmp_path / "bad.csv"), "--team", "lab", "--every", "0.2")
    assert (status, out.startswith("failed")) == (3, True)
    assert "score" in out
