from django.urls import path

from webapp.results import views

app_name = "results"
urlpatterns = [
    path("runs/<int:pk>/samples/", views.samples, name="samples"),
    path("runs/<int:pk>/samples/<int:index>/", views.sample, name="sample"),
]
