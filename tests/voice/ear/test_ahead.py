"""What is made ahead comes in its order, and no further ahead than by one."""

from __future__ import annotations

import threading
from collections.abc import Generator

import pytest

from engine.voice.ear.ahead import ahead


class Counting:
    """Makes 0, 1, … and tells when each is asked for, and when no more is."""

    def __init__(self, fails_at: int = 99) -> None:
        self.fails_at = fails_at
        self.asked: list[int] = []
        self.next = threading.Semaphore(0)
        self.closed = False

    def items(self) -> Generator[int, None, None]:
        try:
            for number in range(4):
                self.asked.append(number)
                self.next.release()
                if number == self.fails_at:
                    raise ValueError("the third")
                yield number
        finally:
            self.closed = True


def test_the_next_is_made_while_one_is_used_and_no_other() -> None:
    counting = Counting()
    made = []
    for item in ahead(counting.items()):
        made.append(item)
        if item < 3:  # this one was asked for, too
            assert all(counting.next.acquire(timeout=30) for _ in range(1 if item else 2))
            assert counting.asked == [*range(item + 2)]
    assert made == [0, 1, 2, 3]
    assert counting.closed


def test_a_failure_comes_in_its_turn() -> None:
    items = ahead(Counting(fails_at=2).items())
    assert [next(items), next(items)] == [0, 1]
    with pytest.raises(ValueError, match="the third"):
        next(items)


def test_who_stops_ends_what_makes_them() -> None:
    counting = Counting()
    before = threading.active_count()
    items = ahead(counting.items())
    assert next(items) == 0
    items.close()
    assert counting.closed
    assert threading.active_count() == before
