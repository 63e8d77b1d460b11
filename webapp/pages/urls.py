from django.urls import path

from webapp.pages import views

app_name = "pages"
urlpatterns = [
    path("", views.home, name="home"),
    path("healthz", views.healthz, name="healthz"),
    path("setup/", views.setup, name="setup"),
    path("workers/", views.workers, name="workers"),
    path("help/", views.help_, name="help"),
]
