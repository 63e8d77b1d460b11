"""The compare page: numbers, filters, pages, samples, downloads; equal to the API and to the command line."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext

from evaluation.__main__ import main
from webapp.catalog.models import Benchmark
from webapp.catalog.services import create_benchmark
from webapp.jobs.models import Run
from webapp.results import compare, compare_samples
from webapp.results.compare_query import Query
from webapp.results.models import Score
from webapp.tests import factories

FIRST = [True, True, True, False, False, True, True, False]
SECOND = [True, False, False, True, False, True, False, False]
THIRD = [True, False, True, True, False, False, False, False]


@pytest.fixture
def questions(alice, team):
    """Eight sums of two subjects."""
    lines = [
        json.dumps({**json.loads(line), "topic": "small sums" if at < 3 else "large sums"}).encode()
        for at, line in enumerate(factories.documents(8))
    ]
    definition = {**factories.CHOICE, "subject": "topic"}
    return create_benchmark(actor=alice, team=team, name="eight", definition=definition, lines=lines)


@pytest.fixture
def runs(client, bob, alice, team, questions, entry, other_entry):
    """small@fp32, large@fp32 and small@bf16 on eight sums; bob is signed in."""
    factories.worker()
    chosen = factories.suite(alice, team, "one", [questions])
    found = []
    for version, scheme, rights in ((entry, "fp32", FIRST), (other_entry, "fp32", SECOND), (entry, "bf16", THIRD)):
        factories.job(alice, team, chosen, [version], scheme=scheme)
        found.append(factories.finish(rights))
    client.force_login(bob)
    return found


@pytest.fixture
def asked(questions, runs):
    """The query of the address: contenders A, B, C in order."""

    def made(count=3, **more):
        named = "&".join(f"{key}={value}" for key, value in more.items())
        ids = ",".join(str(run.contender_id) for run in runs[:count])
        return f"benchmark={questions.pk}&contenders={ids}&{named}".rstrip("&")

    return made


def pairs(page):
    return {(row.first.letter, row.second.letter): row.pair for row in page.context["pairs"]}


def indices(page):
    return [row.index for row in page.context["page"].rows]


def test_counts_equal_a_count_by_hand(client, asked):
    page = client.get(f"/compare/?{asked()}")

    pair = pairs(page)["A", "B"]
    assert (pair.only_first, pair.only_second, pair.both_right, pair.both_wrong) == (3, 1, 2, 2)
    assert pair.difference == 0.25
    assert pair.answers_changed == 4
    assert len(pairs(page)) == 3
    assert {"".join("01"[bit] for bit in each.right): each.count for each, _ in page.context["patterns"]} == {
        "111": 1, "100": 2, "101": 1, "011": 1, "000": 2, "110": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("all", [0, 1, 2, 3, 4, 5, 6, 7]),
        ("disagree", [1, 2, 3, 5, 6]),
        ("answers", [1, 2, 3, 5, 6]),
        ("all-right", [0]),
        ("all-wrong", [4, 7]),
        ("only-right-A", [1, 6]),
        ("only-wrong-A", [3]),
        ("only-wrong-B", [2]),
        ("pattern-110", [5]),
        ("pattern-11", [0, 1, 2, 3, 4, 5, 6, 7]),
        ("odd", [0, 1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_filters_keep_the_samples_that_they_name(client, asked, key, expected):
    page = client.get(f"/compare/?{asked(filter=key)}")

    assert indices(page) == expected
    counts = {tab.key: tab.count for tab, _ in page.context["tabs"]}
    assert counts.get(key, len(expected)) == len(expected)


def test_samples_are_searched_in_the_prompt_and_sorted(client, asked):
    assert indices(client.get(f"/compare/?{asked(q='3%2B3')}")) == [3]
    assert "No sample fits" in client.get(f"/compare/?{asked(q='zebra')}").content.decode()
    assert indices(client.get(f"/compare/?{asked(sort='hard')}")) == [4, 7, 1, 6, 2, 3, 5, 0]
    assert indices(client.get(f"/compare/?{asked(sort='split')}"))[:5] == [1, 2, 3, 5, 6]


def test_pages_follow_by_the_key_of_a_sample(questions, runs, bob, asked):
    query = Query.of(QueryDict(asked(filter="disagree")))
    chosen = compare.subject(bob, query)
    made = compare.table(bob, chosen, query.contenders)

    seen, pages = [], [compare_samples.page(chosen, made, query, 2)]
    while pages[-1].after:
        pages.append(compare_samples.page(chosen, made, replace(query, after=pages[-1].after), 2))
    seen = [[row.index for row in page.rows] for page in pages]

    assert seen == [[1, 2], [3, 5], [6]]
    assert [page.number for page in pages] == [1, 3, 5]
    assert (pages[0].before, pages[1].before) == (None, "")
    assert pages[2].before == f"{questions.pk}-2"


def test_a_sample_side_by_side_and_its_neighbours(client, asked, questions, runs):
    page = client.get(f"/compare/samples/{questions.pk}/2/?{asked(filter='disagree')}")

    text = page.content.decode()
    assert "Q: 2+2\nA:" in text
    assert f"/compare/samples/{questions.pk}/1/?" in page.context["before"]
    assert f"/compare/samples/{questions.pk}/3/?" in page.context["after"]
    assert "filter=disagree" in page.context["after"]
    assert page.context["around"].number == 2
    bars = page.context["choices"][0].bars
    assert bars[0].share == pytest.approx(1 / (1 + np.exp(-1.5)))
    assert bars[1].share == pytest.approx(1 / (1 + np.exp(2.5)))
    assert 'rel="next"' in text
    assert "data-up" in text


def test_a_sample_outside_of_the_filter_or_the_benchmark(client, asked, questions):
    outside = client.get(f"/compare/samples/{questions.pk}/0/?{asked(filter='disagree')}")
    assert outside.context["around"].number == 0
    assert "outside of" in outside.content.decode()
    assert client.get(f"/compare/samples/{questions.pk}/99/?{asked()}").status_code == 404
    assert client.get(f"/compare/samples/{questions.pk + 9}/0/?{asked()}").status_code == 404


def test_page_api_and_command_line_agree(client, asked, tmp_path, capsys):
    page, answer = client.get(f"/compare/?{asked(2)}"), client.get(f"/api/v1/compare/?{asked(2)}").json()
    exported = client.get(f"/compare/samples.csv?{asked(2)}")
    file = tmp_path / "scores.csv"
    file.write_bytes(b"".join(exported.streaming_content))
    names = [row["name"] for row in answer["contenders"]]
    main(["compare", str(file), *names, "--format", "json"])
    line = json.loads(capsys.readouterr().out)

    pair, drawn = answer["pairs"][0], pairs(page)["A", "B"]
    assert answer["verdict"] == page.context["verdict"]
    for name in ("difference", "only_first", "only_second", "both_right", "both_wrong", "answers_changed"):
        assert getattr(drawn, name) == pair[name] == line[name], name
    assert drawn.p == pair["p"] == line["mcnemar_p"]
    assert [drawn.low, drawn.high] == pair["interval"] == pytest.approx(line["interval"], abs=1e-12)
    assert pair["answers_changed_interval"] == line["answers_changed_interval"]
    assert drawn.equivalence_p == pair["equivalence_p"] == line["equivalence_p"]
    assert pair["samples_needed"] == pytest.approx(line["samples_needed"])


def test_the_pairs_and_the_filtered_samples_are_downloaded(client, asked):
    table = list(csv.DictReader(io.StringIO(client.get(f"/compare/pairs.csv?{asked()}").content.decode())))
    assert [(row["first"], row["second"]) for row in table] == [
        ("small@fp32", "large@fp32"), ("small@fp32", "small@bf16"), ("large@fp32", "small@bf16"),
    ]  # fmt: skip
    assert (table[0]["only_first"], table[0]["difference"]) == ("3", "0.25")
    body = b"".join(client.get(f"/compare/samples.csv?{asked(filter='all-wrong')}").streaming_content).decode()
    rows = list(csv.DictReader(io.StringIO(body)))
    assert len(rows) == 6
    assert {row["sample"] for row in rows} == {"eight v1:4", "eight v1:7"}
    assert {row["correct"] for row in rows} == {"0"}


def test_holes_are_dropped_and_counted(client, asked, runs):
    packed = runs[1].packed
    packed.values = bytes([*bytes(packed.values)[:6], 255, 255])
    packed.save()

    page = client.get(f"/compare/?{asked(2)}")

    assert page.context["found"].n == 6
    assert page.context["left_out"] == ["2 samples of eight v1 left out: not answered by large@fp32."]


def test_a_suite_pools_its_samples_and_says_what_is_missing(client, alice, bob, team, runs, questions, entry):
    more = factories.benchmark(alice, team, "more", size=4)
    chosen = factories.suite(alice, team, "two", [questions, more])
    address = f"suite={chosen.pk}&contenders={runs[0].contender_id},{runs[1].contender_id}"
    missing = client.get(f"/compare/?{address}")
    assert missing.context["left_out"] == ["more v1 is left out: no finished run of small@fp32, large@fp32."]
    assert missing.context["found"].n == 8

    for run, rights in ((runs[0], [True] * 4), (runs[1], [False] * 4)):
        factories.job(alice, team, factories.suite(alice, team, f"x{run.pk}", [more]), [run.contender.version])
        factories.finish(rights)
    page = client.get(f"/compare/?{address}")

    assert page.context["found"].n == 12
    rows = page.context["breakdown"].rows
    assert [(row.name, row.n, row.cells[1].difference) for row in rows] == [
        ("eight v1", 8, -0.25), ("more v1", 4, -1.0),
    ]  # fmt: skip
    assert "are pooled" in page.content.decode()
    last = client.get(f"/compare/?{address}&after={questions.pk}-7")
    assert [(row.version, row.index) for row in last.context["page"].rows] == [(more.pk, at) for at in range(4)]
    inside = client.get(f"/compare/samples/{more.pk}/0/?{address}")
    assert f"/compare/samples/{questions.pk}/7/" in inside.context["before"]


def test_subjects_break_a_benchmark_down(client, asked):
    page = client.get(f"/compare/?{asked(2)}")

    assert [(row.name, row.n) for row in page.context["breakdown"].rows] == [("large sums", 5), ("small sums", 3)]
    assert page.context["breakdown"].kind == "subject"


def test_a_baseline_makes_a_smaller_family(client, asked, runs):
    page = client.get(f"/compare/?{asked(baseline=runs[1].contender_id)}")

    assert set(pairs(page)) == {("A", "B"), ("C", "B")}
    assert page.context["verdict"].startswith("Against large@fp32, in points: ")


def test_the_margin_and_the_plan_are_in_the_address(client, asked):
    page = client.get(f"/compare/?{asked(margin=30, see=5, flips=50, power=90)}")

    assert page.context["found"].margin == 0.3
    assert page.context["plan"].samples == 2091
    beyond = client.get(f"/compare/?{asked(see=50, flips=5)}").context["plan"]
    assert beyond.samples is None
    assert "cannot exceed" in beyond.problem


def test_answers_that_differ_only_by_blanks_are_equal(client, asked, runs):
    Score.objects.filter(run=runs[0], index=0).update(answer=" 0\n")
    Score.objects.filter(run=runs[1], index=4).update(answer="another wrong one")

    pair = pairs(client.get(f"/compare/?{asked(2)}"))["A", "B"]

    assert (pair.answers_changed, pair.wrong_to_other_wrong) == (5, 1)


def test_graded_scores_are_compared_by_the_bootstrap(client, asked, runs):
    for run, shift in ((runs[0], 0.5), (runs[1], 0.25)):
        values = (np.arange(8) % 3) / 8 + shift + np.arange(8) / 1e3 * (run == runs[0])
        packed = run.packed
        packed.dtype, packed.values = "f8", values.astype("<f8").tobytes()
        packed.save()
        for index, value in enumerate(values):
            Score.objects.filter(run=run, index=index).update(score=value)

    page = client.get(f"/compare/?{asked(2)}")

    assert page.context["found"].method == "bootstrap"
    assert pairs(page)["A", "B"].difference == pytest.approx(0.2535)
    assert "paired bootstrap" in page.content.decode()


def test_the_chooser_offers_who_has_finished(client, questions, runs):
    page = client.get(f"/compare/?benchmark={questions.pk}")

    assert [option.name for option in page.context["options"]] == ["small@fp32", "large@fp32", "small@bf16"]
    assert page.context["options"][0].mean == 0.625
    assert f'<input type="hidden" name="benchmark" value="{questions.pk}">' in page.content.decode()
    ids = [str(run.contender_id) for run in runs[:2]]
    sent = client.get("/compare/", {"benchmark": questions.pk, "contenders": ids})
    assert sent.url == f"/compare/?benchmark={questions.pk}&contenders={','.join(ids)}"


def test_a_trial_with_a_limit_is_no_full_run(client, asked, runs, questions):
    Run.objects.filter(pk=runs[1].pk).update(settings={**runs[1].settings, "limit": 8})

    page = client.get(f"/compare/?{asked(2)}")

    assert "no finished run of contender" in page.context["problem"]
    assert len(page.context["options"]) == 2


def test_the_newest_run_stands_for_its_contender(client, alice, team, asked, runs, questions, entry):
    factories.job(
        alice,
        team,
        factories.suite(alice, team, "again", [questions]),
        [entry],
        settings={"seed": 1, "batch_size": 64, "limit": None, "repeat": 1},
    )
    factories.finish([True] * 8)

    assert pairs(client.get(f"/compare/?{asked(2)}"))["A", "B"].difference == 0.625


def test_strangers_find_nothing_and_prompts_stay_with_their_benchmark(client, asked, charlie, questions, runs, alice):
    client.force_login(charlie)
    for address in ("/compare/?", "/api/v1/compare/?", "/compare/pairs.csv?", "/compare/samples.csv?"):
        assert client.get(address + asked()).status_code == 404
    Benchmark.objects.update(visibility="public")
    assert "no finished run" in client.get(f"/compare/?{asked()}").context["problem"]

    Benchmark.objects.update(visibility="private")
    Run.objects.update(visibility="public")
    chosen = factories.suite(alice, runs[0].team, "open", [questions], visibility="public")
    ids = asked().partition("contenders=")[2]
    page = client.get(f"/compare/?suite={chosen.pk}&contenders={ids}")
    assert page.context["found"].n == 8
    assert "Q: 2+2" not in page.content.decode()
    assert indices(client.get(f"/compare/?suite={chosen.pk}&contenders={ids}&q=2")) == []
    inside = client.get(f"/compare/samples/{questions.pk}/2/?suite={chosen.pk}&contenders={ids}")
    assert "You may not read" in inside.content.decode()


@pytest.mark.parametrize(
    "query",
    ["suite=x", "contenders=1,x,,-5", "margin=-1&see=x&flips=9e9", "after=zz&sort=odd&filter=pattern-", "power=0"],
)
def test_a_strange_address_does_no_harm(client, asked, query):
    assert client.get(f"/compare/?{query}").status_code == 200
    assert client.get(f"/compare/?{asked()}&{query}").status_code in {200, 302}


@pytest.mark.parametrize(("query", "field"), [("", "contenders"), ("contenders=1,2", "benchmark")])
def test_the_api_names_what_is_missing(client, runs, query, field):
    answer = client.get(f"/api/v1/compare/?{query}")
    assert answer.status_code == 400
    assert field in answer.json()["errors"]


def test_downloads_without_contenders_are_refused(client, runs, questions):
    assert client.get(f"/compare/pairs.csv?benchmark={questions.pk}").status_code == 422


def test_the_page_keeps_its_budget_whatever_the_size(client, asked, questions):
    for address in (f"/compare/?{asked(q='1')}", f"/compare/samples/{questions.pk}/1/?{asked(q='1')}"):
        with CaptureQueriesContext(connection) as queries:
            assert client.get(address).status_code == 200
        assert len(queries) <= 12, [query["sql"][:90] for query in queries.captured_queries]
