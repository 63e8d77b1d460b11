from django.urls import path

from webapp.reviews import sample_views, views

app_name = "reviews"
urlpatterns = [
    path("reviews/", views.reviews, name="reviews"),
    path("reviews/inbox/", views.inbox_count, name="inbox_count"),
    path("reviews/new/", views.request_review, name="request_review"),
    path("reviews/<int:pk>/", views.review, name="review"),
    path("reviews/<int:pk>/state/", views.review_state, name="review_state"),
    path("reviews/<int:pk>/send/", views.send_review, name="send_review"),
    path("reviews/<int:pk>/answer/", views.answer_comment, name="answer_comment"),
    path("reviews/<int:pk>/resolve/", views.resolve_comment, name="resolve_comment"),
    path("reviews/<int:pk>/freeze/", views.freeze_again, name="freeze_again"),
    path("reviews/<int:pk>/dismiss/", views.dismiss_verdict, name="dismiss_verdict"),
    path("reviews/<int:pk>/withdraw/", views.withdraw_review, name="withdraw_review"),
    path("reviews/<int:pk>/publish/", views.publish_review, name="publish_review"),
    path("reviews/<int:pk>/sign-off/", views.sign_off, name="sign_off"),
    path("reviews/<int:pk>/sign-off.json", views.sign_off_json, name="sign_off_json"),
    path("samples/<int:version>/<int:index>/comments/", sample_views.sample_comments, name="sample_comments"),
    path("samples/comments/<int:pk>/remove/", sample_views.remove_sample_comment, name="remove_sample_comment"),
]
