from django.urls import path

from webapp.leaderboards import views

app_name = "leaderboards"
urlpatterns = [
    path("boards/", views.leaderboards, name="leaderboards"),
    path("boards/new/", views.create_leaderboard, name="create_leaderboard"),
    path("boards/<str:team>/<str:name>/", views.leaderboard, name="leaderboard"),
    path("boards/<str:team>/<str:name>/standings/", views.standings, name="standings"),
    path("boards/<str:team>/<str:name>/views/", views.save_view, name="save_view"),
    path("boards/<str:team>/<str:name>/views/<int:pk>/delete/", views.delete_view, name="delete_view"),
    path("boards/<str:team>/<str:name>/tournament/", views.tournament, name="tournament"),
    path("boards/<str:team>/<str:name>/tournament/result/", views.tournament_result, name="tournament_result"),
    path("boards/<str:team>/<str:name>/settings/", views.change_leaderboard, name="change_leaderboard"),
]
