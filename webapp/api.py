"""REST, version 1: each app's resources under one roof."""

from __future__ import annotations

from webapp.accounts import api as accounts
from webapp.catalog import api as catalog
from webapp.jobs import api as jobs
from webapp.leaderboards import api as leaderboards
from webapp.results import api as results
from webapp.results import audit_views as audits
from webapp.results import compare_api as comparisons
from webapp.reviews import api as reviews

app_name = "api"
urlpatterns = [
    *accounts.urlpatterns,
    *catalog.urlpatterns,
    *jobs.urlpatterns,
    *results.urlpatterns,
    *comparisons.urlpatterns,
    *audits.urlpatterns,
    *leaderboards.urlpatterns,
    *reviews.urlpatterns,
]
