"""Prompts from untrusted templates: a small, allow-listed part of Jinja inside its sandbox.

A benchmark's template comes from a stranger, and Jinja is a programming language. Three fences, each enough for most
attacks: the syntax tree may hold text, fields, conditions and one level of loops only (no calls, no assignments, no
multiplication); what is left runs in the immutable sandbox; loops and output are bounded, so every template ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from evaluation.errors import BadBenchmark

MAX_TEMPLATE = 20_000  # characters of a template
MAX_OUTPUT = 1_000_000  # characters of a prompt
MAX_LOOP = 1_000  # passes through one loop

_ALLOWED_NODES = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.List, nodes.Tuple,
    nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.For, nodes.If, nodes.CondExpr, nodes.Filter, nodes.Test,
    nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Add, nodes.Sub, nodes.Neg, nodes.Concat,
)  # fmt: skip
_ALLOWED_FILTERS = frozenset(
    {"capitalize", "first", "float", "int", "join", "last", "length", "lower", "string", "title", "trim", "upper"}
)


def _join(values: Iterable[Any], separator: str = "") -> str:
    texts = [str(value) for value in values]
    if sum(map(len, texts)) + len(separator) * len(texts) > MAX_OUTPUT:
        raise TemplateError(f"joins more than {MAX_OUTPUT:,} characters")
    return separator.join(texts)


def _bounded(values: Any) -> Any:
    if isinstance(values, list | tuple | str | dict) and len(values) > MAX_LOOP:
        raise TemplateError(f"loops more than {MAX_LOOP:,} times")
    return values


_ENVIRONMENT = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
_ENVIRONMENT.globals.clear()
_ENVIRONMENT.filters = {name: _ENVIRONMENT.filters[name] for name in _ALLOWED_FILTERS}
_ENVIRONMENT.filters |= {"join": _join, "bounded": _bounded}


def fill(template: str, document: Mapping[str, Any]) -> str:
    """The template filled with a document's fields. Raises BadBenchmark (field `prompt`)."""
    parts, length = [], 0
    try:
        for part in check(template).generate(document):
            parts.append(part)
            length += len(part)
            if length > MAX_OUTPUT:
                raise TemplateError(f"writes more than {MAX_OUTPUT:,} characters")
    except (TemplateError, ArithmeticError, TypeError, ValueError, LookupError, AttributeError) as error:
        raise _refusal(str(error)) from None
    return "".join(parts)


@lru_cache(maxsize=512)
def check(template: str) -> Template:
    """Compile a template that keeps to the allowed syntax. Raises BadBenchmark (field `prompt`)."""
    if len(template) > MAX_TEMPLATE:
        raise _refusal(f"it is longer than {MAX_TEMPLATE:,} characters")
    try:
        tree = _ENVIRONMENT.parse(template)
        _check_tree(tree)
        for loop in tree.find_all(nodes.For):
            loop.iter = nodes.Filter(loop.iter, "bounded", [], [], None, None, lineno=loop.lineno)
        compiled: Template = _ENVIRONMENT.from_string(tree)
    except (TemplateError, RecursionError) as error:
        raise _refusal(str(error) or "it is nested too deeply") from None
    return compiled


def _check_tree(tree: nodes.Template) -> None:
    for node in tree.find_all(nodes.Node):
        if not isinstance(node, _ALLOWED_NODES):
            raise TemplateError(f"line {node.lineno}: `{type(node).__name__.lower()}` is not allowed here")
        if isinstance(node, nodes.Filter) and node.name not in _ALLOWED_FILTERS:
            raise TemplateError(
                f"line {node.lineno}: the filter `{node.name}` is not one of {sorted(_ALLOWED_FILTERS)}"
            )
        if isinstance(node, nodes.For) and (node.recursive or next(node.find_all(nodes.For), None) is not None):
            raise TemplateError(f"line {node.lineno}: loops inside loops are not allowed")
        if isinstance(node, nodes.Getattr) and node.attr.startswith("_"):
            raise TemplateError(f"line {node.lineno}: access to `{node.attr}` is unsafe")


def _refusal(reason: str) -> BadBenchmark:
    return BadBenchmark(
        f"The prompt template cannot be used: {reason.removesuffix('.')}.",
        field="prompt",
        remedy="Use fields of the document, conditions and simple loops, as in 'Q: {{ question }}'.",
    )
