from django.urls import path

from webapp.pages import help_views, views, worker_views

app_name = "pages"
urlpatterns = [
    path("", views.home, name="home"),
    path("setup/", views.setup, name="setup"),
    path("workers/", worker_views.workers, name="workers"),
    path("workers/<int:pk>/pause/", worker_views.pause_worker, name="pause_worker"),
    path("workers/<int:pk>/drain/", worker_views.drain_worker, name="drain_worker"),
    path("workers/<int:pk>/resume/", worker_views.resume_worker, name="resume_worker"),
    path("help/", help_views.help_, name="help"),
    path("help/<slug:slug>/", help_views.guide, name="guide"),
    path("first-steps/", help_views.first_steps, name="first_steps"),
    path("first-steps/<slug:step>/", help_views.see_step, name="see_step"),
    path("design/", help_views.design, name="design"),
]
