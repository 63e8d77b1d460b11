"""REST, version 1: each app's resources under one roof."""

from __future__ import annotations

from webapp.accounts import api as accounts
from webapp.catalog import api as catalog
from webapp.exports import api as exports
from webapp.imports import api as imports
from webapp.jobs import api as jobs
from webapp.leaderboards import api as leaderboards
from webapp.leaderboards import view_api as saved_views
from webapp.notices import api as notices
from webapp.operations import api as operations
from webapp.releases import api as releases
from webapp.removals import api as removals
from webapp.results import api as results
from webapp.results import audit_views as audits
from webapp.results import compare_api as comparisons
from webapp.results import curve_views as curves
from webapp.results import measure_api as measurements
from webapp.reviews import api as reviews
from webapp.searches import api as searches

app_name = "api"
urlpatterns = [
    *accounts.urlpatterns,
    *notices.urlpatterns,
    *catalog.urlpatterns,
    *jobs.urlpatterns,
    *results.urlpatterns,
    *comparisons.urlpatterns,
    *measurements.urlpatterns,
    *audits.urlpatterns,
    *curves.rest_patterns,
    *searches.urlpatterns,
    *leaderboards.urlpatterns,
    *saved_views.urlpatterns,
    *releases.urlpatterns,
    *reviews.urlpatterns,
    *imports.urlpatterns,
    *exports.urlpatterns,
    *removals.urlpatterns,
    *operations.urlpatterns,
]
