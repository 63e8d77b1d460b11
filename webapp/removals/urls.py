from django.urls import path

from webapp.removals import views

app_name = "removals"
urlpatterns = [
    path("entries/<str:team>/<str:name>/delete/", views.delete_entry, name="delete_entry"),
    path("teams/<str:name>/delete/", views.delete_team, name="delete_team"),
    path("teams/<str:name>/hand-over/", views.hand_over, name="hand_over"),
    path("profile/delete/", views.delete_account, name="delete_account"),
    path("removals/<int:pk>/", views.removal, name="removal"),
    path("removals/<int:pk>/state/", views.removal_state, name="removal_state"),
]
