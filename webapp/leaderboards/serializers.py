"""How boards look in REST."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from webapp.accounts.serializers import NameField, TeamField, VisibilityField
from webapp.catalog.serializers import OWNED, OwnedOut, SuiteReference
from webapp.leaderboards.badges import BADGES
from webapp.leaderboards.models import Leaderboard
from webapp.leaderboards.ordering import ORDERS
from webapp.leaderboards.selectors import leaderboards
from webapp.rest import Named, Strict
from webapp.results.serializers import AnalysisIn


class LeaderboardOut(OwnedOut):
    """version grows with each change that a viewer can see."""

    suite = serializers.CharField(source="suite.name")
    parameters = serializers.DictField(help_text="Of the analysis that orders the board.")

    class Meta:
        model = Leaderboard
        fields = [*OWNED, "suite", "order", "parameters", "verdict", "version", "refreshed_at"]


class OrderField(serializers.ChoiceField):
    """The analysis that orders a board, by its key."""

    def __init__(self, **more: Any) -> None:
        super().__init__(choices=[(key, analysis.title) for key, analysis in ORDERS.items()], **more)


class LeaderboardIn(Strict):
    team = TeamField()
    name = NameField()
    title = serializers.CharField(max_length=120)
    suite = SuiteReference()
    description = serializers.CharField(max_length=4000, required=False, allow_blank=True)
    order = OrderField(required=False)
    visibility = VisibilityField(required=False)


class LeaderboardChange(Strict):
    title = serializers.CharField(max_length=120, required=False)
    description = serializers.CharField(max_length=4000, required=False, allow_blank=True)
    visibility = VisibilityField(required=False)
    order = OrderField(required=False)
    parameters = serializers.DictField(required=False, help_text="Of the order: see `/analyses/`.")


class BoardReference(Named):
    def __init__(self, **more: Any) -> None:
        super().__init__(max_length=130, help_text="`team/name`.", **more)

    def find(self, text: str, asked: Any) -> Leaderboard:
        team, _, name = text.partition("/")
        found = leaderboards(self.context["request"].user).filter(team__name=team, name=name).first()
        if found is None:
            raise serializers.ValidationError(f"There is no leaderboard {text}. Write team/name.")
        return found


class ReportIn(AnalysisIn):
    """An analysis of a board, a suite, a benchmark (of the contenders that have all their results now), or of runs."""

    SOURCES = ("leaderboard", *AnalysisIn.SOURCES)

    leaderboard = BoardReference(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        ignored = sorted({"team", "contenders", "noise"} & set(attrs)) if "leaderboard" in attrs else []
        if ignored:
            raise serializers.ValidationError({name: ["A board says this itself."] for name in ignored})
        return super().validate(attrs)


class CellOut(serializers.Serializer[Any]):
    """One contender on one benchmark. mean: the result when `state` is `done`, the mean so far when `running`.

    other: made by another version of the harness or of its task than most of the column.
    """

    benchmark = serializers.CharField()
    state = serializers.CharField(help_text="A run's state, or `none` where nothing was asked for.")
    run = serializers.IntegerField(allow_null=True)
    mean = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    done = serializers.IntegerField()
    total = serializers.IntegerField(allow_null=True)
    other = serializers.BooleanField()


class StandingOut(serializers.Serializer[Any]):
    """A row of the board. Ranks are null while a result is missing: missing is never zero."""

    contender = serializers.CharField(source="name")
    tags = serializers.ListField(child=serializers.CharField(), source="standing.tags")
    position = serializers.IntegerField(source="standing.position", allow_null=True)
    rank_low = serializers.IntegerField(source="standing.rank_low", allow_null=True)
    rank_high = serializers.IntegerField(source="standing.rank_high", allow_null=True)
    value = serializers.FloatField(source="standing.value", allow_null=True)
    error = serializers.FloatField(source="standing.error", allow_null=True)
    comparable = serializers.BooleanField(help_text="No result of another harness than most of its column.")
    signed_off = serializers.IntegerField(
        source="standing.signed_off", allow_null=True, help_text="Id of the published review of these results."
    )
    sign_off = serializers.ChoiceField(
        choices=["current", "stale", ""], help_text="`stale`: the results are no longer those that were signed off."
    )
    badges = serializers.SerializerMethodField(help_text="What the board says beside the name.")
    cells = serializers.SerializerMethodField()

    @extend_schema_field(serializers.ListField(child=serializers.ChoiceField(choices=list(BADGES))))
    def get_badges(self, row: Any) -> list[str]:
        return [badge.key for badge in self.context["board"].badges(row)]

    @extend_schema_field(CellOut(many=True))
    def get_cells(self, row: Any) -> list[dict[str, Any]]:
        """Plain dictionaries: a board may have 50,000 cells."""
        names = self.context["benchmarks"]
        return [{"benchmark": name, **cell._asdict()} for name, cell in zip(names, row.cells, strict=True)]


class ColumnOut(serializers.Serializer[Any]):
    benchmark = serializers.CharField(source="name")
    version = serializers.IntegerField(source="version.number")
    metric = serializers.CharField(source="version.metric")
    higher_is_better = serializers.BooleanField(source="version.higher_is_better")
    samples = serializers.IntegerField(source="version.samples", allow_null=True)
    chance = serializers.FloatField(source="version.chance", allow_null=True)


class BoardOut(LeaderboardOut):
    """A board with its columns and the standings that the view asks for."""

    columns = ColumnOut(many=True, source="shown.columns")
    standings = StandingOut(many=True, source="shown.rows")

    class Meta(LeaderboardOut.Meta):
        fields = [*LeaderboardOut.Meta.fields, "columns", "standings"]
