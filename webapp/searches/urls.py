from django.urls import URLPattern

app_name = "searches"
urlpatterns: list[URLPattern] = []
