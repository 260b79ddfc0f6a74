# mypy: ignore-errors
# ruff: noqa: E402 - Django wants its settings before it is imported any further
"""
An API of numbered pages by Django REST framework: its `PageNumberPagination` over rows of a database.

Run as `python rest_framework_server.py SETTINGS`, in the framework's own environment. SETTINGS is JSON: `port`, `database`,
the path of a file, and `rows`, how many items there are. DELETE of an item removes it.
"""

import json
import sys
from pathlib import Path
from wsgiref.simple_server import make_server

import django
from django.conf import settings

SETTINGS = json.loads(Path(sys.argv[1]).read_text())
settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": SETTINGS["database"]}},
    ROOT_URLCONF=__name__,
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "UNAUTHENTICATED_USER": None,
    },
)
django.setup()

from django.core.wsgi import get_wsgi_application
from django.db import connection, models
from rest_framework.pagination import PageNumberPagination
from rest_framework.routers import SimpleRouter
from rest_framework.serializers import ModelSerializer
from rest_framework.viewsets import ModelViewSet


class Item(models.Model):
    """A row."""

    name = models.TextField()

    class Meta:
        """It is of no application."""

        app_label = "items"

    def __str__(self):
        return self.name


class Pages(PageNumberPagination):
    """At most three a page, two where nothing is asked."""

    page_size = 2
    page_size_query_param = "page_size"
    max_page_size = 3


class Items(ModelViewSet):
    """The rows, in the order of their ids."""

    queryset = Item.objects.order_by("id")
    pagination_class = Pages

    class serializer_class(ModelSerializer):  # noqa: N801 - the framework's name
        """A row as JSON."""

        class Meta:
            """All of the row."""

            model = Item
            fields = ("id", "name")


router = SimpleRouter()
router.register("items", Items)
urlpatterns = router.urls

with connection.schema_editor() as editor:
    editor.create_model(Item)
Item.objects.bulk_create(Item(name=f"item {n}") for n in range(1, SETTINGS["rows"] + 1))
make_server("127.0.0.1", SETTINGS["port"], get_wsgi_application()).serve_forever()
