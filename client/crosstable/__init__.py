"""Client of Crosstable: evaluation jobs, boards, comparisons, imports and exports over its REST API."""

from crosstable.api import Crosstable
from crosstable.errors import CrosstableError, Problem, Unreachable

__all__ = ["Crosstable", "CrosstableError", "Problem", "Unreachable"]
