from django.urls import path

from webapp.pages import help_views, views

app_name = "pages"
urlpatterns = [
    path("", views.home, name="home"),
    path("healthz", views.healthz, name="healthz"),
    path("setup/", views.setup, name="setup"),
    path("workers/", views.workers, name="workers"),
    path("help/", help_views.help_, name="help"),
    path("help/<slug:slug>/", help_views.guide, name="guide"),
    path("design/", help_views.design, name="design"),
]
