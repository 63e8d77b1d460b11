"""Feature tables from CSV: every refusal names the line and the column."""

import numpy as np
import pytest

from evaluation.errors import BadTable, NotEnoughData
from evaluation.features import FeatureTable, read_features

GOOD = "age,label,height\n30,1,1.8\n40,0,1.7\n\n50,true,1.6\n"


def written(tmp_path, text):
    path = tmp_path / "data.csv"
    path.write_text(text)
    return path


def test_the_label_may_be_any_column(tmp_path):
    found = read_features(written(tmp_path, "\ufeff" + GOOD), "label")
    assert found.names == ("age", "height")
    assert found.features.tolist() == [[30, 1.8], [40, 1.7], [50, 1.6]]
    assert found.labels.tolist() == [1, 0, 1]
    assert not found.features.flags.writeable


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("40,0", "much,0"), "line 3, column “age”: “much” is not a finite number"),
        (("40,0", ",0"), "the cell is empty"),
        (("40,0", "nan,0"), "not a finite number"),
        (("40,0", "40,2"), "column “label”: “2” is neither 0 nor 1"),
        (("40,0,1.7", "40,0"), "line 3 has 2 cells, the header 3"),
        (("label", "target"), "no column “label”"),
        (("height", "age"), "comes twice"),
        ((GOOD, "age,label\n"), "no row"),
        ((GOOD, ""), "empty"),
        ((GOOD, "label\n1\n0\n"), "no feature"),
        (("40,0", '40,"0'), "not a CSV file"),
    ],
)
def test_a_bad_file_is_refused_in_words(tmp_path, change, said):
    with pytest.raises(BadTable, match=said):
        read_features(written(tmp_path, GOOD.replace(*change)), "label")


def test_one_class_tells_nothing_apart(tmp_path):
    with pytest.raises(NotEnoughData, match="same label"):
        read_features(written(tmp_path, GOOD.replace("40,0", "40,1")), "label")


def test_a_table_is_checked_however_it_came():
    with pytest.raises(NotEnoughData, match="Row 2 has no number for b"):
        FeatureTable(("a", "b"), np.array([[1.0, 2], [3, np.nan]]), np.array([0, 1]))
    with pytest.raises(BadTable, match="shape"):
        FeatureTable(("a",), np.ones((2, 2)), np.array([0, 1]))
    with pytest.raises(BadTable, match="more than 100 features"):
        FeatureTable(tuple(map(str, range(101))), np.ones((2, 101)), np.array([0, 1]))
    with pytest.raises(BadTable):
        FeatureTable(("a",), np.ones((2, 1)), np.array([0, 2]))
