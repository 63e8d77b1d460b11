"""Tables of answers and their files: holes stay holes, contradictions are refused with their place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evaluation.answer_files import read_answers
from evaluation.answers import HOLE, AnswerTable, probabilities_of
from evaluation.errors import BadTable, NotEnoughData
from evaluation.tables import ScoreTable

HEADER = "contender,sample,answer,correct"
PLAIN = f"{HEADER}\na,q1,A,1\na,q2,B,0\nb,q2,C,1\nb,q1,A,1\n"


def read(tmp_path: Path, text: str) -> AnswerTable:
    path = tmp_path / "answers.csv"
    path.write_text(text)
    return read_answers(path)


def test_rows_become_arrays_whatever_their_order(tmp_path: Path) -> None:
    table = read(tmp_path, PLAIN)
    assert (table.contenders, table.samples, table.choices) == (("a", "b"), ("q1", "q2"), ("A", "B", "C"))
    assert table.labels.tolist() == [[0, 1], [0, 2]]
    assert table.correct.tolist() == [[True, False], [True, True]]
    assert table.gold.tolist() == [0, 2]
    assert table.probabilities is None


def test_an_absent_row_is_a_hole_and_only_shared_samples_count(tmp_path: Path) -> None:
    table = read(tmp_path, f"{PLAIN}a,q3,A,0\n")
    assert table.labels[1, 2] == HOLE
    assert table.common().samples == ("q1", "q2")
    with pytest.raises(NotEnoughData, match="b lacks"):
        table.take(np.array([2])).common()


def test_groups_gold_and_probabilities_are_read(tmp_path: Path) -> None:
    text = f"{HEADER},group,gold,p_A,p_B,p_C,note\na,q1,B,0,law,A,0.2,0.8,,hm\nb,q1,A,1,law,A,0.5001,0.2501,0.25,\n"
    table = read(tmp_path, text)
    assert table.groups == ("law",)
    assert table.gold.tolist() == [0]
    assert table.probabilities is not None
    assert table.probabilities[0, 0].tolist() == [0.2, 0.8, 0]
    assert table.probabilities.sum(axis=2) == pytest.approx(1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("contender,sample,answer\na,q,A\n", "no column “correct”"),
        (HEADER, "no answer"),
        (f"{HEADER}\na,q,A,maybe\n", "row 2: “maybe” in column “correct”"),
        (f"{HEADER}\na,q,A,1\na,q,B,0\n", "row 3: a has answered sample q already"),
        (f"{HEADER}\na,,A,1\n", "has no name"),
        (f"{HEADER}\na,q,A\n", "3 cells"),
        (f"{HEADER},correct\na,q,A,1,1\n", "comes twice"),
        (f"{HEADER},p_A,p_B\na,q,A,1,0.5,0.2\n", "sum to 0.7"),
        (f"{HEADER},p_A,p_B\na,q,A,1,1.5,-0.5\n", "not a probability"),
        (f"{HEADER},p_A,p_B\na,q,A,1,0.5,0.5\nb,q,A,1,,\n", "some have none"),
        (f"{HEADER},group\na,q,A,1,x\nb,q,A,1,y\n", "two groups"),
        (f"{HEADER},gold\na,q,A,1,A\nb,q,A,1,B\n", "two right answers"),
    ],
)
def test_what_cannot_be_read_is_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(BadTable, match=message):
        read(tmp_path, text)


def test_scores_of_right_and_wrong_are_answers() -> None:
    rows = [("a", "x", 0, 0, 1.0), ("a", "x", 1, 0, 0.0), ("b", "x", 0, 0, 0.0)]
    table = AnswerTable.from_scores(ScoreTable.from_rows(rows))
    assert table.labels.tolist() == [[1, 0], [0, HOLE]]
    assert table.groups == ("x", "x")
    with pytest.raises(BadTable, match="Graded"):
        AnswerTable.from_scores(ScoreTable.from_rows([("a", "x", 0, 0, 0.5)]))


def test_a_table_refuses_what_does_not_fit() -> None:
    labels, correct, gold = np.array([[0]]), np.array([[True]]), np.array([0])
    with pytest.raises(BadTable, match="shape"):
        AnswerTable(("a", "b"), ("q",), ("A",), labels, correct, gold)
    with pytest.raises(BadTable, match="no choice"):
        AnswerTable(("a",), ("q",), ("A",), labels + 1, correct, gold)
    with pytest.raises(BadTable, match="sum to 1"):
        AnswerTable(("a",), ("q",), ("A",), labels, correct, gold, np.array([[[0.5]]]))
    with pytest.raises(BadTable, match="no contender “z”"):
        AnswerTable(("a",), ("q",), ("A",), labels, correct, gold).select(["z"])


def test_log_likelihoods_become_probabilities() -> None:
    found = probabilities_of(np.array([[-1000.0, -1000.0 + np.log(3), -np.inf]]))
    assert found[0].tolist() == pytest.approx([0.25, 0.75, 0])
