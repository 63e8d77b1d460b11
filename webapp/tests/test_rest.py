"""What REST resources share."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework import serializers

from webapp.accounts.models import Team, User
from webapp.accounts.serializers import TeamField
from webapp.accounts.services import create_team
from webapp.rest import Named, Strict, kept


class Whose(Named):
    def find(self, text: str, asked: Any) -> str:
        if text == "nobody":
            raise serializers.ValidationError("There is nobody.")
        return f"{text} of {self.context['who']}"


class Asked(Strict):
    what = Whose()
    number = serializers.IntegerField(default=1)


class Answered(serializers.Serializer[Any]):
    who = serializers.SerializerMethodField()
    inner = serializers.SerializerMethodField()

    def get_who(self, row: Any) -> str:
        return str(self.context["who"])

    def get_inner(self, row: Any) -> Any:
        """The same serializer while it is at work."""
        if not row:
            return None
        with kept(Answered, {"who": row}) as other:
            assert other is not self
            return other.to_representation("")


def test_a_kept_serializer_holds_nothing_of_the_call_before() -> None:
    with kept(Asked, {"who": "alice"}) as reader:
        assert reader.run_validation({"what": "a", "number": 7}) == {"what": "a of alice", "number": 7}
    with pytest.raises(serializers.ValidationError), kept(Asked, {"who": "alice"}) as reader:
        reader.run_validation({"what": "nobody", "number": "x"})
    with kept(Asked, {"who": "bob"}) as again:
        assert again is reader
        assert again.run_validation({"what": "a"}) == {"what": "a of bob", "number": 1}
    assert again.context == {}


def test_one_that_is_in_use_is_not_lent_again() -> None:
    with kept(Answered, {"who": "outer"}) as writer:
        shown = writer.to_representation("inner")
    assert (shown["who"], shown["inner"]["who"]) == ("outer", "inner")


def test_each_thread_has_its_own() -> None:
    def whose(who: str) -> set[str]:
        answers = set()
        for _ in range(300):
            with kept(Asked, {"who": who}) as reader:
                answers.add(reader.run_validation({"what": "a"})["what"])
        return answers

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(whose, "abcd")) == [{f"a of {who}"} for who in "abcd"]


class Membership(Strict):
    team = TeamField()
    others = serializers.ListField(child=TeamField(), max_length=150)


def test_names_are_asked_for_in_one_trip(alice: User, team: Team, charlie: User) -> None:
    """Wrong ones are refused as if each had been asked for alone; what no name can be never reaches the database."""
    context = {"request": SimpleNamespace(user=alice)}

    def read(*others: Any) -> Any:
        with kept(Membership, dict(context)) as reader, CaptureQueriesContext(connection) as asked:
            values = reader.run_validation({"team": team.name, "others": list(others)})
        return values, len(asked)

    mine = create_team(actor=alice, name="mine", title="Mine")
    foreign = create_team(actor=charlie, name="foreign", title="Foreign")
    assert read("mine", team.name) == ({"team": team, "others": [mine, team]}, 3)
    assert read(f" {team.name} ")[0]["others"] == [team], "blanks around it are cut off"
    for wrong in (foreign.name, "nobody", "no name", "a\0b", "\ud800", 7, None, "x" * 1000):
        with pytest.raises(serializers.ValidationError) as refused:
            read(team.name, wrong)
        assert list(refused.value.detail) == ["others"], wrong
    assert read(*[team.name] * 150)[0]["others"] == [team] * 150
