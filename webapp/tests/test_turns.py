"""A few requests are at work, the others wait in order, and nobody waits for those that are stuck."""

from __future__ import annotations

import asyncio

import pytest

from webapp.turns import Turns


def test_a_few_are_at_work_and_the_others_follow_in_order() -> None:
    at_work, most, order = 0, 0, []
    turns = Turns(at_once=3, patience=60)

    async def ask(number: int) -> None:
        nonlocal at_work, most
        async with turns.turn():
            at_work, most = at_work + 1, max(most, at_work + 1)
            order.append(number)
            await asyncio.sleep(0.001)
            at_work -= 1

    async def all_at_once() -> None:
        await asyncio.gather(*(ask(number) for number in range(20)))

    asyncio.run(all_at_once())
    assert (most, order) == (3, list(range(20)))


def test_who_has_waited_for_long_goes_and_takes_no_place() -> None:
    async def stuck() -> list[str]:
        told, released = [], asyncio.Event()
        turns = Turns(at_once=1, patience=0.01)

        async def hold() -> None:
            async with turns.turn():
                await released.wait()
                told.append("held")

        holder = asyncio.create_task(hold())
        await asyncio.sleep(0)
        for _ in range(3):
            async with turns.turn():
                told.append("passed")
        released.set()
        await holder
        async with asyncio.timeout(5), turns.turn():
            told.append("free")
        return told

    assert asyncio.run(stuck()) == ["passed", "passed", "passed", "held", "free"]


def test_an_error_or_a_caller_that_leaves_gives_the_place_back() -> None:
    async def spoilt() -> None:
        turns = Turns(at_once=1, patience=60)
        with pytest.raises(ValueError, match="wrong"):
            async with turns.turn():
                raise ValueError("wrong")

        async def wait() -> None:
            async with turns.turn():
                raise AssertionError("it has left")

        async with turns.turn():
            waiting = asyncio.create_task(wait())
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        async with asyncio.timeout(5), turns.turn():
            pass

    asyncio.run(spoilt())
