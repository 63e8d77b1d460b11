"""What a file holds: each attempt once, each question the same, and a hash that order does not change."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from evaluation.importing import survey as survey_module
from evaluation.importing.limits import Limits
from evaluation.importing.rows import BadRow, Row
from evaluation.importing.sources import Source
from evaluation.importing.survey import FoundRun, Survey, survey

ROW = Row("a", "b", 0, 1.0, prompt="Why?")


def surveyed(*files: Sequence[Row], limits: Limits | None = None) -> Survey:
    sources = (Source(f"{at}.csv", enumerate(rows, start=2)) for at, rows in enumerate(files))
    return survey(sources, limits or Limits())


def only(found: Survey) -> FoundRun:
    return next(iter(found.runs.values()))


def test_scores_stand_at_their_sample_and_attempt_and_holes_stay_holes() -> None:
    rows = [ROW._replace(sample=s, attempt=a, score=v) for s, a, v in ((2, 0, 0.5), (0, 1, 1.0), (0, 0, 0.25))]
    values = only(surveyed(rows)).values()
    np.testing.assert_array_equal(values, [[0.25, 1.0], [np.nan, np.nan], [0.5, np.nan]])


def test_a_sum_is_unknown_when_a_part_is() -> None:
    rows = [ROW._replace(sample=at, tokens_in=at + 1, cost_usd=cost) for at, cost in enumerate((0.5, None, 0.25))]
    totals = only(surveyed(rows)).totals
    assert (totals["tokens_in"], totals["cost_usd"], totals["seconds"]) == (6, None, None)


def test_an_attempt_that_is_scored_twice_is_named_with_both_lines() -> None:
    rows = [ROW._replace(sample=at) for at in (0, 1, 2, 1)]
    with pytest.raises(BadRow) as caught:
        surveyed(rows)
    assert (caught.value.file, caught.value.line, caught.value.field) == ("0.csv", 5, "sample")
    assert "attempt 0 of a at sample 1 of b has a score in line 3" in str(caught.value)
    with pytest.raises(BadRow, match=r"1\.csv, line 2.*in 0\.csv, line 3"):
        surveyed(rows[:3], [rows[1]])


def test_the_column_run_tells_repeated_runs_apart() -> None:
    found = surveyed([ROW, ROW._replace(run="2", score=0.0)])
    assert [run.score[0] for run in found.runs.values()] == [1.0, 0.0]


def test_a_question_that_changes_is_refused() -> None:
    rows = [ROW, ROW._replace(entry="c", prompt=""), ROW._replace(entry="d", prompt="When?")]
    with pytest.raises(BadRow, match="line 4, “prompt”: sample 0 of b has another question"):
        surveyed(rows)


def test_other_settings_or_another_metric_within_a_run_are_refused() -> None:
    with pytest.raises(BadRow, match="line 3, “settings”"):
        surveyed([ROW, ROW._replace(sample=1, settings='{"seed":1}')])
    with pytest.raises(BadRow, match="line 3, “metric”"):
        surveyed([ROW, ROW._replace(entry="c", metric="f1")])


def test_the_content_hash_is_that_of_the_scores_in_any_order() -> None:
    rows = [ROW._replace(sample=at, score=at / 7) for at in range(5)]
    same = only(surveyed(rows)).content_hash
    assert only(surveyed(rows[::-1])).content_hash == same
    assert only(surveyed(rows[:2], rows[2:])).content_hash == same
    changed = [*rows[:4], rows[4]._replace(output="x")]
    for other in (rows[:4], changed, [row._replace(scheme="int8") for row in rows]):
        assert only(surveyed(other)).content_hash != same


def test_an_index_far_beyond_the_rows_is_refused() -> None:
    with pytest.raises(BadRow, match="line 3, “sample”: index 2000000000 is far beyond"):
        surveyed([ROW, ROW._replace(sample=2_000_000_000)])


def test_an_attempt_far_beyond_the_rows_is_refused() -> None:
    with pytest.raises(BadRow, match="line 3, “attempt”: attempt 32767 is far beyond"):
        surveyed([ROW, ROW._replace(sample=999_999, attempt=32_767)])


def test_many_runs_of_few_rows_are_refused_when_their_arrays_would_fill_the_disk(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(survey_module, "MOST_CELLS", 1_500_000)
    rows = [ROW._replace(entry=name, sample=900_000) for name in "ac"]
    assert len(surveyed(rows[:1]).runs) == 1
    with pytest.raises(BadRow, match="line 3, “sample”: index 900000 is far beyond"):
        surveyed(rows)


def test_rows_are_bounded_and_there_must_be_one() -> None:
    with pytest.raises(BadRow, match="more than 1 rows"):
        surveyed([ROW, ROW._replace(sample=1)], limits=Limits(rows=1))
    with pytest.raises(BadRow, match="there is no score"):
        surveyed([])
