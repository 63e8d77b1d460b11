"""All addresses: pages, REST, sockets."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from webapp.jobs.consumers import JobConsumer
from webapp.leaderboards.consumers import LeaderboardConsumer, TournamentConsumer
from webapp.results.consumers import ReportConsumer
from webapp.reviews.consumers import ReviewConsumer
from webapp.searches.consumers import SearchConsumer

handler403 = "webapp.errors.forbidden"
handler404 = "webapp.errors.not_found"
handler500 = "webapp.errors.internal"

urlpatterns = [
    path("api/v1/", include("webapp.api")),  # first: programs call often
    path("", include("webapp.operations.urls")),
    path("", include("webapp.pages.urls")),
    path("", include("webapp.accounts.urls")),
    path("", include("webapp.notices.urls")),
    path("", include("webapp.catalog.urls")),
    path("", include("webapp.jobs.urls")),
    path("", include("webapp.results.urls")),
    path("", include("webapp.searches.urls")),
    path("", include("webapp.leaderboards.urls")),
    path("", include("webapp.releases.urls")),
    path("", include("webapp.reviews.urls")),
    path("", include("webapp.imports.urls")),
    path("", include("webapp.exports.urls")),
    path("", include("webapp.removals.urls")),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
    path("admin/", admin.site.urls),
]

websocket_urlpatterns = [
    path("ws/jobs/<int:pk>/", JobConsumer.as_asgi()),
    path("ws/searches/<int:pk>/", SearchConsumer.as_asgi()),
    path("ws/reports/<int:pk>/", ReportConsumer.as_asgi()),
    path("ws/reviews/<int:pk>/", ReviewConsumer.as_asgi()),
    path("ws/boards/<str:team>/<str:name>/", LeaderboardConsumer.as_asgi()),
    path("ws/boards/<str:team>/<str:name>/tournament/", TournamentConsumer.as_asgi()),
]
