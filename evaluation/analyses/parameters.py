"""Parameters of an analysis: a frozen dataclass of plain values whose fields describe themselves.

Web forms, REST validation and command-line options all follow from `described`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from math import isfinite
from typing import Any, TypeVar, get_type_hints

from evaluation.errors import BadParameter

P = TypeVar("P")
KINDS = {int: "integer", float: "number", bool: "flag", str: "text"}
TRUE, FALSE = {"true", "1", "on", "yes"}, {"false", "0", "off", "no", ""}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One field of a Params dataclass. kind: integer, number, flag, text or choice; bounds are inclusive."""

    name: str
    kind: str
    default: Any
    help: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()


def parameter(
    default: Any,
    text: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """A dataclass field that says what it means (`text`) and what it allows."""
    about = {"help": text, "minimum": minimum, "maximum": maximum, "choices": choices}
    return field(default=default, metadata=about)


def described(params: type[Any]) -> tuple[Parameter, ...]:
    """The parameters of a Params dataclass, in order of declaration."""
    hints = get_type_hints(params)
    return tuple(
        Parameter(
            name=item.name,
            kind="choice" if item.metadata["choices"] else KINDS[hints[item.name]],
            default=item.default,
            **item.metadata,
        )
        for item in fields(params)
    )


def parse_params(params: type[P], values: Mapping[str, Any]) -> P:
    """Params from JSON values or from the text of a form. Raises BadParameter, which names the field."""
    known = {item.name: item for item in described(params)}
    for name in values:
        if name not in known:
            raise BadParameter(f"There is no parameter “{name}”.", field=name, remedy=f"Known: {', '.join(known)}.")
    return params(**{name: _parsed(known[name], value) for name, value in values.items()})


def _parsed(about: Parameter, value: Any) -> Any:
    if about.kind == "choice":
        if value not in about.choices:
            raise _refusal(about, value, f"one of {', '.join(about.choices)}")
        return value
    if about.kind == "text":
        if not isinstance(value, str):
            raise _refusal(about, value, "text")
        return value
    if about.kind == "flag":
        return _flag(about, value)
    return _number(about, value)


def _flag(about: Parameter, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in TRUE | FALSE:
        return value.lower() in TRUE
    raise _refusal(about, value, "true or false")


def _number(about: Parameter, value: Any) -> int | float:
    whole = about.kind == "integer"
    asked = "a whole number" if whole else "a number"
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _refusal(about, value, asked)
    try:
        number = int(value) if whole else float(value)
    except (ValueError, OverflowError):
        raise _refusal(about, value, asked) from None
    if not isfinite(number) or (isinstance(value, float) and number != value):
        raise _refusal(about, value, asked)
    if about.minimum is not None and number < about.minimum:
        raise _refusal(about, value, f"at least {about.minimum:g}")
    if about.maximum is not None and number > about.maximum:
        raise _refusal(about, value, f"at most {about.maximum:g}")
    return number


def _refusal(about: Parameter, value: Any, asked: str) -> BadParameter:
    return BadParameter(f"“{about.name}” must be {asked}, not {value!r}.", field=about.name)
