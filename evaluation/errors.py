"""Errors whose text is shown to the author of a job. Each says what is wrong, where, and what to do."""

from __future__ import annotations


class EvaluationError(Exception):
    """Base of all errors of the science and of the engine; the message is safe and useful to show.

    field: name of the input that is wrong, if one is; remedy: one sentence that says what to do.
    """

    def __init__(self, message: str, *, field: str = "", remedy: str = "") -> None:
        self.message, self.field, self.remedy = message, field, remedy
        super().__init__(f"{message} {remedy}".strip())


class BadTable(EvaluationError):
    """A score table that cannot be read: names row and column."""


class BadParameter(EvaluationError):
    """A parameter of an analysis that is out of range or names something unknown."""


class NotEnoughData(EvaluationError):
    """A hole, or too few values, where the analysis needs one: missing is never zero."""


class BadBenchmark(EvaluationError):
    """A benchmark definition or document that breaks the schema: names line and field."""


class ModelRefused(EvaluationError):
    """A checkpoint that cannot or must not be loaded: missing, corrupt, unpinned, unknown, or code."""


class EndpointRefused(EvaluationError):
    """An endpoint that cannot or must not be used: unreachable, private, or without log-probabilities."""


class NotFinite(EvaluationError):
    """NaN or infinite log-likelihoods: argmax of NaN is choice 0, so a plausible accuracy would be a lie."""


class MissingPackage(EvaluationError):
    """This worker lacks a package that the run needs."""


class OutOfMemory(EvaluationError):
    """The device ran out of memory; the run may be tried again with a smaller batch."""
