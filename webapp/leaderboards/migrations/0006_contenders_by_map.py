"""Runs with different maps of bits shared one contender: each map gets its own.

The first map keeps the row, and with it the identity of its runs, by which an equal run is reused. Boards that showed
the shared contender are stale, so that the sweep brings them up to date.
"""

from collections.abc import Mapping
from typing import Any

from django.db import migrations
from django.db.models.functions import Now

from evaluation import bit_maps

SCHEME = "evopress_map"


def split(apps: Any, schema_editor: Any) -> None:
    contenders = apps.get_model("catalog", "Contender").objects
    for shared in contenders.filter(scheme=SCHEME, variant="").order_by("pk"):
        apps.get_model("leaderboards", "Leaderboard").objects.filter(standings__contender=shared).update(
            stale_since=Now()
        )
        owners: dict[str, Any] = {}
        for kind in (apps.get_model("jobs", "Run"), apps.get_model("results", "Measurement")):
            _hand_over(kind.objects.filter(contender=shared), contenders, shared, owners)


def _hand_over(rows: Any, contenders: Any, shared: Any, owners: dict[str, Any]) -> None:
    """owners: by map; it grows."""
    for pk, settings in list(rows.order_by("pk").values_list("pk", "settings")):
        variant = _variant(settings)
        if variant and variant not in owners:
            owners[variant] = _owner(contenders, shared, variant, first=not owners)
        if variant:
            rows.model.objects.filter(pk=pk).update(contender=owners[variant])


def _variant(settings: Mapping[str, Any]) -> str:
    """The hash of its map; "" without one, as results from elsewhere are."""
    return bit_maps.read(settings["bits"]).hash if settings.get("bits") else ""


def _owner(contenders: Any, shared: Any, variant: str, *, first: bool) -> Any:
    named = {"variant": variant, "name": f"{shared.name}.{variant[:8]}"}
    there = contenders.filter(version_id=shared.version_id, scheme=shared.scheme, variant=variant).first()
    if there is not None:
        return there
    if first:
        contenders.filter(pk=shared.pk).update(**named)
        return shared
    return contenders.create(version_id=shared.version_id, scheme=shared.scheme, **named)


class Migration(migrations.Migration):
    dependencies = [
        ("leaderboards", "0005_signed_off"),
        ("catalog", "0008_contenders_of_variants"),
        ("jobs", "0006_queues_by_resource"),
        ("results", "0005_measurements"),
    ]

    operations = [migrations.RunPython(split, migrations.RunPython.noop)]
