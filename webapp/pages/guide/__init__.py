"""The user guide: Markdown in `text/`, in this order. A file that is not named here fails a test."""

from __future__ import annotations

# Part -> its pages, by the names of their files.
CONTENTS = {
    "Start": ("first-steps", "entries", "schemes", "benchmarks", "jobs"),
    "Compare": ("boards", "compare", "tournament"),
    "Understand": ("reports", "cost-of-pass", "multiplicity", "quantisation", "linear-audits", "spending-less"),
    "Decide": ("reviews", "releases", "notices"),
    "Data": ("imports-exports", "rest", "command-line"),
    "Run it": ("production", "security"),
    "Words": ("glossary",),
}
ORDER = tuple(slug for slugs in CONTENTS.values() for slug in slugs)
