"""Definitions and documents: what is accepted, what is refused with line and field, what is hashed."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation import lines
from evaluation.benchmarks import (
    Definition,
    content_hash,
    document_hash,
    parse_documents,
    prompt_hash,
    render,
    target_hash,
)
from evaluation.errors import BadBenchmark

CHOICE = {"kind": "multiple_choice", "prompt": "Q: {{ question }}\nA:"}
TEXT = {"kind": "generation", "prompt": "Q: {{ question }}\nA:"}
QUESTION = {"question": "1+1", "choices": ["2", "3"], "gold": 0}


def parse(*documents: Any, **definition: Any) -> tuple[dict[str, Any], ...]:
    rows = [each if isinstance(each, str | bytes) else json.dumps(each) for each in documents]
    return parse_documents(rows, Definition.from_dict(CHOICE | definition))


def test_a_question_as_a_contender_sees_it() -> None:
    definition = Definition.from_dict(CHOICE | {"subject": "topic", "description": "Add.\n\n"})
    rendered = render(definition, QUESTION | {"topic": "sums"})
    assert rendered.prompt == "Add.\n\nQ: 1+1\nA:"
    assert (rendered.choices, rendered.gold, rendered.target, rendered.subject) == (("2", "3"), 0, "2", "sums")


def test_examples_come_solved_in_front() -> None:
    other = {"question": "1+2", "choices": ["2", "3"], "gold": 1}
    definition = Definition.from_dict(CHOICE | {"examples": [other, QUESTION], "num_fewshot": 1})
    assert render(definition, QUESTION).prompt == "Q: 1+2\nA: 3\n\nQ: 1+1\nA:"


def test_a_written_answer_has_a_target_and_no_choices() -> None:
    rendered = render(Definition.from_dict(TEXT), {"question": "1+1", "answer": "2"})
    assert (rendered.choices, rendered.gold, rendered.target) == ((), None, "2")


def test_blank_lines_and_a_byte_order_mark_are_nothing() -> None:
    assert parse(b"\xef\xbb\xbf" + json.dumps(QUESTION).encode(), "  \n", QUESTION) == (QUESTION, QUESTION)


@pytest.mark.parametrize(
    ("row", "field", "words"),
    [
        ("{", "documents", "invalid JSON"),
        ("[1]", "documents", "a list, not an object"),
        ('{"gold": NaN}', "documents", "NaN"),
        ('{"x": 1e999}', "documents", "too large"),
        ('{"x": "\\u0000"}', "documents", "U\\+0000"),
        ('{"x": "\\ud800"}', "documents", "UTF-8"),
        (b'{"x": "\xff"}', "documents", "UTF-8"),
        ('{"x": 1, "x": 2}', "documents", "twice"),
        ("[" * 100_000, "documents", "nested"),
        ('{"x":' * 17 + "1" + "}" * 17, "documents", "nested"),
        ('{"x": "' + "a" * lines.MAX_LINE + '"}', "documents", "longer"),
        ({"choices": ["2", "3"], "gold": 0}, "prompt", "question"),
        ({"question": "?", "gold": 0}, "choices", "missing"),
        ({"question": "?", "choices": ["2", "3"]}, "gold", "missing"),
        (QUESTION | {"gold": 2}, "gold", "no index of 2 choices"),
        (QUESTION | {"gold": -1}, "gold", "no index"),
        (QUESTION | {"gold": True}, "gold", "whole number"),
        (QUESTION | {"gold": "0"}, "gold", "whole number"),
        (QUESTION | {"gold": 0.0}, "gold", "whole number"),
        (QUESTION | {"choices": ["2"]}, "choices", "1 entries"),
        (QUESTION | {"choices": "23"}, "choices", "list"),
        (QUESTION | {"choices": ["2", 3]}, "choices", "list"),
        (QUESTION | {"choices": ["2", ""]}, "choices", "non-empty"),
    ],
)
def test_a_bad_document_is_named_by_line_and_field(row: Any, field: str, words: str) -> None:
    with pytest.raises(BadBenchmark, match=rf"^Line 2: .*{words}") as refused:
        parse(QUESTION, row)
    assert refused.value.field == field


def test_nothing_and_too_much_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadBenchmark, match="no documents"):
        parse("", "\n")
    monkeypatch.setattr(lines, "MAX_LINES", 3)
    assert len(parse(*[QUESTION] * 3)) == 3
    with pytest.raises(BadBenchmark, match="more than 3 lines"):
        parse(*[QUESTION] * 4)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "essay"}, "kind"),
        ({"colour": "red"}, "colour"),
        ({"prompt": 3}, "prompt"),
        ({"metric": "exact_match"}, "metric"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 10**6}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"stop": "x"}, "stop"),
        ({"stop": [""]}, "stop"),
        ({"num_fewshot": 1}, "num_fewshot"),
        ({"examples": ["x"]}, "examples"),
        ({"examples": [{"question": "?"}], "num_fewshot": 1}, "choices"),
        ({"extract": "(a)(b)"}, "extract"),
    ],
)
def test_a_bad_definition_is_named_by_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(BadBenchmark) as refused:
        Definition.from_dict(CHOICE | change)
    assert refused.value.field == field


def test_a_definition_survives_its_json() -> None:
    full = CHOICE | {"examples": [QUESTION], "num_fewshot": 1, "stop": ["\n", "Q:"], "metric": "acc_norm"}
    definition = Definition.from_dict(full)
    assert Definition.from_dict(json.loads(json.dumps(definition.to_dict()))) == definition


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ question['__class__'] }}",
        "{{ question.upper() }}",
        "{{ 'a' * 10 }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ '%9999999d' % 1 }}",
        "{% set a = question %}{{ a }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% for a in question %}{% for b in question %}{% endfor %}{% endfor %}",
        "{% for a in question recursive %}{{ loop(a) }}{% endfor %}",
        "{% include 'x' %}",
        "{% import 'os' as os %}{{ os }}",
        "{{ question | attr('x') }}",
        "{{ question | replace('1', '11111') }}",
        "{{ range(10) }}",
        "{{ lipsum }}",
        "{{ question",
        "{{ missing }}",
        "{{ missing.field }}",
        "{{ question - 1 }}",
        "  \n",
    ],
)
def test_a_template_cannot_run_code_loop_for_ever_or_miss_a_field(template: str) -> None:
    with pytest.raises(BadBenchmark) as refused:
        parse(QUESTION, prompt=template)
    assert refused.value.field == "prompt"


@pytest.mark.parametrize(
    "template", ["{% for c in question %}{{ question }}{% endfor %}", "{{ many | join(question) }}"]
)
def test_what_a_template_writes_is_bounded(template: str) -> None:
    with pytest.raises(BadBenchmark, match="more than"):
        parse(QUESTION | {"question": "x" * 3_000, "many": ["y"] * 3_000}, prompt=template)


def test_conditions_loops_and_filters_are_there() -> None:
    template = (
        "{% for c in choices %}{{ 'AB'[loop.index0] }}. {{ c | upper }}{% if not loop.last %}; {% endif %}{% endfor %}"
    )
    definition = Definition.from_dict(CHOICE | {"prompt": template})
    assert render(definition, QUESTION | {"choices": ["x", "y"]}).prompt == "A. X; B. Y"


@pytest.mark.parametrize(
    "pattern", [r"(a+)+$", r"(?:a|ab)+(c)", r"((?:x{1,99}){1,99})", r"(a)\1", "a", "(", r"(a*)b*c*d*e*"]
)
def test_a_pattern_that_could_run_for_ever_is_refused(pattern: str) -> None:
    with pytest.raises(BadBenchmark) as refused:
        Definition.from_dict(TEXT | {"extract": pattern})
    assert refused.value.field == "extract"


@pytest.mark.parametrize(
    ("pattern", "output", "answer"),
    [("", "  a b \n", "a b"), (r"(-?\d+)", "it is -12 or 3", "-12"), (r"Answer:\s*([A-D])", "Answer: C.", "C")],
)
def test_patterns_find_the_answer(pattern: str, output: str, answer: str) -> None:
    definition = Definition.from_dict(TEXT | {"extract": pattern})
    assert re.findall(definition.pattern, output)[0] == answer


def test_equal_content_has_an_equal_hash_and_any_change_another() -> None:
    definition = Definition.from_dict(CHOICE)
    once = content_hash(definition, [QUESTION])
    assert once == content_hash(Definition.from_dict(definition.to_dict()), [dict(reversed(QUESTION.items()))])
    others = [
        content_hash(Definition.from_dict(CHOICE | {"metric": "acc_norm"}), [QUESTION]),
        content_hash(definition, [QUESTION, QUESTION]),
        content_hash(definition, [QUESTION | {"gold": 1}]),
    ]
    assert len({once, *others}) == 4
    assert all(re.fullmatch("[0-9a-f]{64}", each) for each in others)


def test_hashes_are_those_of_lm_evaluation_harness() -> None:
    """Computed with its 0.4.13 (`hash_string(json.dumps(doc, indent=2, ensure_ascii=False))`)."""
    assert document_hash({"question": "é", "choices": ["a"], "gold": 0}) == document_hash_as_documented()
    assert prompt_hash("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert target_hash(2) == target_hash("2")


def document_hash_as_documented() -> str:
    return prompt_hash('{\n  "question": "é",\n  "choices": [\n    "a"\n  ],\n  "gold": 0\n}')


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_the_fast_document_hash_equals_the_plain_one(document: dict[str, Any]) -> None:
    plain = json.dumps(document, indent=2, ensure_ascii=False)
    try:
        expected = prompt_hash(plain)
    except UnicodeEncodeError:
        return  # lone surrogates never pass `parse_documents`
    assert document_hash(document) == expected
