"""The platform, and beside it the least that a call which writes can be: a bare DRF view that inserts one row."""

from __future__ import annotations

from webapp.asgi import application  # it loads the apps, which the imports below need

__all__ = ["application"]

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from webapp import urls
from webapp.accounts.services import record


class Bare(APIView):
    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()

    def post(self, request: Request) -> Response:
        record(actor=None, verb="posted", target="nothing", after={"seed": request.data["seed"]})
        return Response({"seed": request.data["seed"]}, status=202)


urls.urlpatterns.append(path("bare/", Bare.as_view()))
