from django.urls import path

from webapp.results import audit_views, compare_views, cost_views, curve_views, measure_views, runtime_views, views

app_name = "results"
urlpatterns = [
    path("reports/", views.reports, name="reports"),
    path("reports/new/", views.request_report, name="request_report"),
    path("reports/linear/new/", audit_views.linear_audit, name="linear_audit"),
    path("reports/<int:pk>/", views.report, name="report"),
    path("reports/<int:pk>/result/", views.report_result, name="report_result"),
    path("reports/<int:pk>/samples/", views.report_samples, name="report_samples"),
    path("reports/<int:pk>/samples/<int:at>/", views.report_sample, name="report_sample"),
    path("reports/<int:pk>/compare/", cost_views.report_compare, name="report_compare"),
    path("reports/<int:pk>/efficiency/", cost_views.report_efficiency, name="report_efficiency"),
    path("compare/", compare_views.compare, name="compare"),
    path("compare/pairs.csv", compare_views.compare_pairs, name="compare_pairs"),
    path("compare/samples.csv", compare_views.compare_export, name="compare_export"),
    path("compare/samples/<int:version>/<int:index>/", compare_views.compare_sample, name="compare_sample"),
    path("runtime/", runtime_views.runtime, name="runtime"),
    path("jobs/<int:pk>/curves/", curve_views.job_curves_fragment, name="job_curves"),
    path("runs/<int:pk>/curve/", curve_views.run_curve_fragment, name="run_curve"),
    path("entries/<str:team>/<str:name>/efficiency/", measure_views.entry_efficiency, name="entry_efficiency"),
    path("contenders/<int:pk>/measure/", measure_views.measure, name="measure"),
    path("jobs/<int:pk>/price/", views.price_job, name="price_job"),
    path("runs/<int:pk>/attempts/", views.attempts, name="attempts"),
    path("runs/<int:pk>/samples/", views.samples, name="samples"),
    path("runs/<int:pk>/samples/<int:index>/", views.sample, name="sample"),
]
