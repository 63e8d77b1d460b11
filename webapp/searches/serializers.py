"""How searches look in REST."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from webapp.accounts.serializers import TeamField, VisibilityField
from webapp.catalog.serializers import BenchmarkReference, EntryReference, SuiteReference
from webapp.jobs.serializers import EstimateOut
from webapp.rest import Strict
from webapp.searches import selectors
from webapp.searches.knowledge import Found
from webapp.searches.models import Search


class SearchIn(Strict):
    """Entries x schemes on the benchmarks of a suite, or on benchmarks named one by one, and what may be spent."""

    goal = serializers.ChoiceField(choices=Search.Goal.choices)
    team = TeamField()
    entries = serializers.ListField(child=EntryReference(), allow_empty=False, max_length=200)
    schemes = serializers.ListField(child=serializers.CharField(max_length=40), allow_empty=False, max_length=50)
    suite = SuiteReference(required=False)
    benchmarks = serializers.ListField(child=BenchmarkReference(), required=False, allow_empty=False, max_length=500)
    budget = serializers.IntegerField(required=False, min_value=1, max_value=2**31 - 1, help_text="In samples.")
    share = serializers.FloatField(
        required=False, min_value=0.000001, max_value=1, help_text="The budget as a share of contenders x samples."
    )
    method = serializers.ChoiceField(
        required=False, choices=Search.Method.choices, help_text="ucb-e finds the best; the others estimate."
    )
    batch = serializers.IntegerField(required=False, min_value=1, max_value=100_000, help_text="Samples per decision.")
    seed = serializers.IntegerField(required=False, min_value=0, max_value=2**31 - 1)
    exploration = serializers.FloatField(required=False, min_value=0.0001, max_value=1000, help_text="UCB-E’s a.")
    stop_error = serializers.FloatField(
        required=False, min_value=0, max_value=0.5, help_text="Error rate at which the best is found; 0: spend all."
    )
    floor = serializers.FloatField(required=False, min_value=0.1, max_value=1, help_text="LURE: even share of draws.")
    half_width = serializers.FloatField(
        required=False, min_value=0, max_value=0.5, help_text="Stop an estimate at ± this; 0: spend all."
    )
    batch_size = serializers.IntegerField(required=False, min_value=1, max_value=4096, help_text="On the device.")
    title = serializers.CharField(max_length=160, required=False, allow_blank=True)
    priority = serializers.IntegerField(
        required=False, min_value=-10, max_value=10, help_text="Of the team's runs, higher goes first."
    )
    visibility = VisibilityField(required=False)
    dry_run = serializers.BooleanField(default=False, help_text="Answer with the plan and start nothing.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("suite" in attrs) == ("benchmarks" in attrs):
            raise serializers.ValidationError({"suite": ["Give either a suite or benchmarks."]})
        if ("budget" in attrs) == ("share" in attrs):
            raise serializers.ValidationError({"budget": ["Give either a budget or a share."]})
        return attrs


class StopIn(Strict):
    cancel = serializers.BooleanField(default=False, help_text="Stop the runs under way, too, instead of waiting.")


class SearchPlanOut(serializers.Serializer[Any]):
    """What a search may take at most; `expected` as if its budget were spent evenly."""

    samples = serializers.IntegerField(source="budget")
    cells = serializers.IntegerField(help_text="Contender x sample pairs in all.")
    batches = serializers.IntegerField()
    expected = EstimateOut()


class KnownOut(serializers.Serializer[Any]):
    """What is known of a contender by `count` samples. bound: UCB-E's; null before its first and after its last one."""

    contender = serializers.CharField(source="name")
    count = serializers.IntegerField()
    mean = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    bound = serializers.FloatField(allow_null=True)
    given_up = serializers.CharField(help_text="Why it is not asked any more; empty while it is.")


class StepOut(serializers.Serializer[Any]):
    """An estimate after n samples. usual: half the interval that n random ones would be expected to give."""

    n = serializers.IntegerField()
    value = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()
    usual = serializers.FloatField()


class FoundOut(serializers.Serializer[Any]):
    """spent: samples evaluated for this search. chance_wrong: about how probable it is that another one is better."""

    spent = serializers.IntegerField()
    leader = serializers.SerializerMethodField()
    chance_wrong = serializers.FloatField(allow_null=True)
    sure = serializers.BooleanField(help_text="Whether the stopping rule has fired.")
    usual_samples = serializers.IntegerField(allow_null=True, help_text="Random samples for the same interval.")
    known = KnownOut(many=True)
    steps = StepOut(many=True)

    def get_leader(self, found: Found) -> str | None:
        best = selectors.leader(found)
        return best.name if best else None


class SearchOut(serializers.ModelSerializer[Search]):
    url = serializers.SerializerMethodField()
    team = serializers.CharField(source="team.name")
    created_by = serializers.CharField(source="created_by.username")
    job = serializers.IntegerField(source="job_id", help_text="The job that its runs belong to.")

    class Meta:
        model = Search
        fields = [
            "id", "url", "team", "title", "goal", "method", "state", "reason", "job", "size", "budget", "batch", "seed",
            "exploration", "stop_error", "floor", "half_width", "visibility", "created_by", "created_at", "finished_at",
        ]  # fmt: skip

    def get_url(self, search: Search) -> str:
        return reverse("api:search", [search.pk], request=self.context["request"])


class SearchDetailOut(SearchOut):
    """A search with what is known by now; `found` is null before anybody has looked."""

    found = serializers.SerializerMethodField()
    verdict = serializers.SerializerMethodField()

    class Meta(SearchOut.Meta):
        fields = [*SearchOut.Meta.fields, "found", "verdict"]

    @extend_schema_field(FoundOut(allow_null=True))
    def get_found(self, search: Search) -> dict[str, Any] | None:
        found = Found.from_json(search.found)
        return None if found is None else FoundOut(found).data

    def get_verdict(self, search: Search) -> str:
        return selectors.verdict(search, Found.from_json(search.found))
