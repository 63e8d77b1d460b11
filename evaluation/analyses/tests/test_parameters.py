"""Parameters: forms, REST and options all follow from the dataclass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from evaluation.analyses.base import described, parameter, parse_params
from evaluation.errors import BadParameter


@dataclass(frozen=True)
class Example:
    count: int = parameter(3, "How many", minimum=1, maximum=9)
    share: float = parameter(0.5, "What part", minimum=0, maximum=1)
    kind: str = parameter("a", "Which", choices=("a", "b"))
    note: str = parameter("", "Said about it")
    loud: bool = parameter(False, "Whether to shout")


def test_fields_describe_themselves() -> None:
    count, share, kind, note, loud = described(Example)
    assert (count.name, count.kind, count.default, count.minimum, count.maximum) == ("count", "integer", 3, 1, 9)
    assert [item.kind for item in (share, kind, note, loud)] == ["number", "choice", "text", "flag"]
    assert (kind.choices, kind.help) == (("a", "b"), "Which")


def test_nothing_given_is_the_default() -> None:
    assert parse_params(Example, {}) == Example()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"count": "7", "share": "0.25", "loud": "on", "note": "x"}, Example(7, 0.25, "a", "x", True)),
        ({"count": 7, "share": 1, "kind": "b", "loud": True}, Example(7, 1.0, "b", "", True)),
        ({"count": 7.0, "loud": "false"}, Example(7)),
    ],
)
def test_json_values_and_texts_of_a_form_are_read(given: dict[str, Any], expected: Example) -> None:
    assert parse_params(Example, given) == expected


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("count", 0),
        ("count", 10),
        ("count", "two"),
        ("count", 1.5),
        ("count", True),
        ("count", None),
        ("count", float("inf")),
        ("share", "nan"),
        ("share", float("nan")),
        ("share", 1.01),
        ("share", []),
        ("kind", "c"),
        ("kind", ["a"]),
        ("note", 3),
        ("loud", "maybe"),
        ("loud", 1),
        ("unknown", 1),
    ],
)
def test_a_bad_value_names_its_field(field: str, value: object) -> None:
    with pytest.raises(BadParameter, match=field) as caught:
        parse_params(Example, {field: value})
    assert caught.value.field == field
