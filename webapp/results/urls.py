from django.urls import path

from webapp.results import views

app_name = "results"
urlpatterns = [
    path("reports/", views.reports, name="reports"),
    path("reports/<int:pk>/", views.report, name="report"),
    path("reports/<int:pk>/result/", views.report_result, name="report_result"),
    path("runs/<int:pk>/samples/", views.samples, name="samples"),
    path("runs/<int:pk>/samples/<int:index>/", views.sample, name="sample"),
]
