from django.urls import path

from webapp.imports import views

app_name = "imports"
urlpatterns = [
    path("imports/", views.imports, name="imports"),
    path("imports/new/", views.new_import, name="new_import"),
    path("imports/<int:pk>/", views.import_, name="import"),
    path("imports/<int:pk>/state/", views.import_state, name="import_state"),
    path("imports/<int:pk>/load/", views.load_import, name="load_import"),
    path("imports/<int:pk>/cancel/", views.cancel_import, name="cancel_import"),
]
