from django.urls import path

from webapp.operations import disk_views, views

app_name = "operations"
urlpatterns = [
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("metrics", views.metrics, name="metrics"),
    path("disk-usage/", disk_views.disk_usage, name="disk_usage"),
]
