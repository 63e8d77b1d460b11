from django.urls import path

from webapp.jobs import views

app_name = "jobs"
urlpatterns = [
    path("jobs/", views.jobs, name="jobs"),
    path("jobs/new/", views.submit_job, name="submit_job"),
    path("jobs/entries/", views.entry_choices, name="entry_choices"),
    path("jobs/estimate/", views.estimate_job, name="estimate_job"),
    path("jobs/<int:pk>/", views.job, name="job"),
    path("jobs/<int:pk>/progress/", views.job_progress, name="job_progress"),
    path("jobs/<int:pk>/cancel/", views.cancel_job, name="cancel_job"),
    path("jobs/<int:pk>/retry/", views.retry_job, name="retry_job"),
    path("runs/<int:pk>/", views.run, name="run"),
    path("teams/<str:name>/spending/", views.team_spending, name="team_spending"),
    path("entries/<str:team>/<str:name>/runs/", views.entry_runs, name="entry_runs"),
]
