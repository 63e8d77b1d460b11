from django.urls import path

from webapp.searches import views

app_name = "searches"
urlpatterns = [
    path("searches/", views.searches, name="searches"),
    path("searches/new/", views.submit_search, name="submit_search"),
    path("searches/estimate/", views.estimate_search, name="estimate_search"),
    path("searches/<int:pk>/", views.search, name="search"),
    path("searches/<int:pk>/progress/", views.search_progress, name="search_progress"),
    path("searches/<int:pk>/stop/", views.stop_search, name="stop_search"),
]
