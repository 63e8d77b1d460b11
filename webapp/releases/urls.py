from django.urls import path

from webapp.releases import views

app_name = "releases"
urlpatterns = [
    path("releases/", views.releases, name="releases"),
    path("releases/<int:pk>/", views.release, name="release"),
    path("releases/<int:pk>/release.json", views.release_json, name="release_json"),
    path("releases/<int:pk>/standings.csv", views.release_csv, name="release_csv"),
    path("releases/<int:pk>/badge.svg", views.badge, name="badge"),
    path("releases/<int:pk>/embed/", views.embed, name="embed"),
    path("releases/<int:pk>/withdraw/", views.withdraw_release, name="withdraw_release"),
    path("releases/<int:pk>/visibility/", views.show_release, name="show_release"),
    path("boards/<str:team>/<str:name>/releases/", views.board_releases, name="board_releases"),
    path("boards/<str:team>/<str:name>/as-of/", views.as_of, name="as_of"),
]
