"""The tables of the database in people's words."""

from __future__ import annotations

from collections.abc import Mapping

from django.apps import apps

# Key -> what people call it, in the order in which it is told where sizes are equal.
KINDS: Mapping[str, str] = {
    "scores": "Scores of samples, with their answers",
    "packed": "Scores packed for boards and analyses",
    "samples": "Questions of benchmarks",
    "runs": "Jobs and runs",
    "diaries": "Diaries of runs",
    "reports": "Reports, measurements, tables of features",
    "catalog": "Entries, benchmarks, suites, prices",
    "searches": "Searches",
    "boards": "Boards and releases",
    "reviews": "Reviews and comments",
    "uploads": "Uploads on their way in",
    "imports": "Records of imports",
    "audit": "Audit log",
    "people": "People, teams, tokens, invitations",
    "notices": "Notices",
    "emails": "E-mails",
    "webhooks": "Webhooks and their deliveries",
    "sessions": "Sign-ins",
    "workers": "Workers and counters",
    "other": "Everything else",
    "system": "PostgreSQL’s own tables",
}
# A model, else its app.
PLACES = {
    "results.score": "scores",
    "results.packedscores": "packed",
    "results": "reports",
    "catalog.sample": "samples",
    "catalog": "catalog",
    "jobs.run": "runs",
    "jobs.job": "runs",
    "jobs.jobrun": "runs",
    "jobs.runevent": "diaries",
    "jobs": "workers",
    "searches": "searches",
    "leaderboards": "boards",
    "releases": "boards",
    "reviews": "reviews",
    "imports.importchunk": "uploads",
    "imports": "imports",
    "accounts.auditevent": "audit",
    "accounts": "people",
    "notices.email": "emails",
    "notices.delivery": "webhooks",
    "notices.webhook": "webhooks",
    "notices": "notices",
    "operations": "workers",
    "sessions": "sessions",
}


def kinds_of_tables() -> dict[str, str]:
    """Table -> key of KINDS. What is in nobody's table is "other"."""
    models = apps.get_models(include_auto_created=True)
    return {
        model._meta.db_table: PLACES.get(model._meta.label_lower) or PLACES.get(model._meta.app_label, "other")
        for model in models
    }
