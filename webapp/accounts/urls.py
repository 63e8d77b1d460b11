from django.contrib.auth.views import LogoutView
from django.urls import path

from webapp.accounts import views

app_name = "accounts"
urlpatterns = [
    path("sign-in/", views.SignIn.as_view(), name="sign_in"),
    path("admin/login/", views.admin_sign_in, name="admin_sign_in"),
    path("sign-out/", LogoutView.as_view(), name="sign_out"),
    path("new-password/<str:uidb64>/<str:token>/", views.NewPassword.as_view(), name="new_password"),
    path("sign-up/", views.sign_up, name="sign_up"),
    path("demo-sign-in/", views.demo_sign_in, name="demo_sign_in"),
    path("profile/", views.profile, name="profile"),
    path("profile/password/", views.change_password, name="change_password"),
    path("profile/tokens/", views.create_token, name="create_token"),
    path("profile/tokens/<int:pk>/revoke/", views.revoke_token, name="revoke_token"),
    path("teams/new/", views.create_team, name="create_team"),
    path("teams/<str:name>/", views.team, name="team"),
    path("teams/<str:name>/members/", views.set_member, name="set_member"),
    path("teams/<str:name>/members/<str:username>/password-link/", views.password_link, name="password_link"),
    path("teams/<str:name>/members/<str:username>/remove/", views.remove_member, name="remove_member"),
    path("teams/<str:name>/spending-limit/", views.set_spending_limit, name="set_spending_limit"),
    path("teams/<str:name>/running-limit/", views.set_running_limit, name="set_running_limit"),
    path("teams/<str:name>/invitations/", views.invite, name="invite"),
    path("teams/<str:name>/invitations/<int:pk>/revoke/", views.revoke_invitation, name="revoke_invitation"),
    path("join/<str:secret>/", views.join, name="join"),
    path("teams/<str:name>/audit/", views.audit, name="audit"),
]
