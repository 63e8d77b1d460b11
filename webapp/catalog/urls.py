from django.urls import path

from webapp.catalog import views

app_name = "catalog"
urlpatterns = [
    path("entries/", views.entries, name="entries"),
    path("entries/new/", views.register_entry, name="register_entry"),
    path("entries/<str:team>/<str:name>/", views.entry, name="entry"),
    path("entries/<str:team>/<str:name>/describe/", views.describe_entry, name="describe_entry"),
    path("entries/<str:team>/<str:name>/new-version/", views.add_entry_version, name="add_entry_version"),
    path("entries/<str:team>/<str:name>/prices/new/", views.add_price, name="add_price"),
    path("entries/<str:team>/<str:name>/prices/list/", views.price_list, name="price_list"),
    path("entries/<str:team>/<str:name>/prices/<int:pk>/withdraw/", views.withdraw_price, name="withdraw_price"),
    path("benchmarks/", views.benchmarks, name="benchmarks"),
    path("benchmarks/new/", views.create_benchmark, name="create_benchmark"),
    path("benchmarks/<str:team>/<str:name>/", views.benchmark, name="benchmark"),
    path("benchmarks/<str:team>/<str:name>/new-version/", views.add_benchmark_version, name="add_benchmark_version"),
    path("benchmarks/<str:team>/<str:name>/expert-cost/", views.set_expert_cost, name="set_expert_cost"),
    path("suites/", views.suites, name="suites"),
    path("suites/new/", views.create_suite, name="create_suite"),
    path("suites/<str:team>/<str:name>/", views.suite, name="suite"),
    path("calibration-sets/", views.calibration_sets, name="calibration_sets"),
    path("calibration-sets/new/", views.create_calibration_set, name="create_calibration_set"),
]
