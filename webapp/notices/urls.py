from django.urls import path

from webapp.notices import views, webhook_views

app_name = "notices"
urlpatterns = [
    path("notices/", views.notices, name="notices"),
    path("notices/unread/", views.unread_count, name="unread_count"),
    path("notices/read/", views.mark_read, name="mark_read"),
    path("notices/<int:pk>/", views.open_notice, name="open_notice"),
    path("profile/notices/", views.preferences, name="preferences"),
    path("forgot-password/", views.forgot_password, name="forgot_password"),
    path("teams/<str:name>/webhooks/", webhook_views.webhooks, name="webhooks"),
    path("teams/<str:name>/webhooks/<int:webhook>/", webhook_views.webhook, name="webhook"),
    path("teams/<str:name>/webhooks/<int:webhook>/secret/", webhook_views.renew_secret, name="renew_secret"),
    path("teams/<str:name>/webhooks/<int:webhook>/ping/", webhook_views.ping_webhook, name="ping_webhook"),
    path("teams/<str:name>/webhooks/<int:webhook>/delete/", webhook_views.delete_webhook, name="delete_webhook"),
    path(
        "teams/<str:name>/webhooks/<int:webhook>/deliveries/<int:delivery>/replay/",
        webhook_views.replay_delivery,
        name="replay_delivery",
    ),
]
