"""Places: who waits for what, and in which order outcomes leave."""

from __future__ import annotations

import threading
import time

import pytest

from mitools.annotate.outlet import Outlet, Place
from mitools.annotate.protocol import Answered


def answered(number: int) -> Answered:
    return Answered({"id": number}, None, 1, 0)


def take(outlet: Outlet) -> Place:
    place = outlet.take_place()
    assert place is not None
    return place


def ids(outlet: Outlet) -> list[int]:
    found = outlet.next_batch()
    assert all(isinstance(outcome, Answered) for outcome in found)
    return [outcome.record["id"] for outcome in found if isinstance(outcome, Answered)]


def test_in_order_an_early_one_waits_for_those_before_it() -> None:
    outlet = Outlet(4, is_ordered=True)
    places = [take(outlet) for _ in range(4)]
    for number in (0, 2, 3):
        outlet.fill(places[number], answered(number))
    assert ids(outlet) == [0]
    outlet.fill(places[1], answered(1))
    assert ids(outlet) == [1, 2, 3]


def test_out_of_order_each_leaves_as_it_comes() -> None:
    outlet = Outlet(4, is_ordered=False)
    places = [take(outlet) for _ in range(4)]
    for number in (3, 0):
        outlet.fill(places[number], answered(number))
    assert ids(outlet) == [3, 0]
    outlet.fill(places[2], answered(2))
    assert ids(outlet) == [2]


@pytest.mark.parametrize("is_ordered", [True, False])
def test_it_ends_when_all_places_have_been_emptied(is_ordered: bool) -> None:
    outlet = Outlet(4, is_ordered=is_ordered)
    first, last = take(outlet), take(outlet)
    outlet.give_back(last)
    outlet.end()
    threading.Timer(0.1, outlet.fill, (first, answered(0))).start()
    assert ids(outlet) == [0]
    assert ids(outlet) == []


def test_a_place_is_free_again_only_after_release() -> None:
    outlet = Outlet(1, is_ordered=True)
    outlet.fill(take(outlet), answered(0))
    got: list[float] = []
    waiting = threading.Thread(target=lambda: (outlet.take_place(), got.append(time.monotonic())))
    waiting.start()
    assert ids(outlet) == [0]
    time.sleep(0.1)
    assert not got
    outlet.release(1)
    waiting.join(5)
    assert got


def test_closing_wakes_who_waits_for_a_place() -> None:
    outlet = Outlet(0, is_ordered=True)
    got: list[Place | None] = []
    waiting = threading.Thread(target=lambda: got.append(outlet.take_place()))
    waiting.start()
    outlet.close()
    waiting.join(5)
    assert got == [None]


def test_many_threads_lose_nothing() -> None:
    outlet = Outlet(8, is_ordered=True)
    taken: list[tuple[int, Place]] = []

    def read() -> None:
        for number in range(2000):
            taken.append((number, take(outlet)))
        outlet.end()

    def answer() -> None:
        while len(done) < 2000:
            if taken:
                number, place = taken.pop()  # the newest first
                outlet.fill(place, answered(number))

    done: list[int] = []
    threads = [threading.Thread(target=run, daemon=True) for run in (read, answer)]
    for thread in threads:
        thread.start()
    while batch := ids(outlet):
        done += batch
        outlet.release(len(batch))
    assert done == list(range(2000))
