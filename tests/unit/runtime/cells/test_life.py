"""Claims about the tables of a worker's life: no request is left behind, and no two threads run one cell."""

from collections.abc import Callable
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from corps.errors import InternalError
from corps.runtime.cells import life
from corps.runtime.cells.life import (
    ABANDONED,
    ALL_TURNS,
    DOORS,
    LIVING,
    NEW,
    OPEN,
    OVER,
    STAGES,
    TURNS,
    Door,
    Move,
    Stage,
    Turn,
    TurnEvent,
    TurnName,
)

TO_ITS_END = ("closed", "drained", "stilled")


class LifeOfACell(RuleBasedStateMachine):
    """The table against a model with flags: who has the cell, what the pool has, and what waits."""

    def __init__(self) -> None:
        super().__init__()
        self.turn: Turn = NEW
        self.waiting = 0
        self.coroutines = 0
        self.holder: str | None = None
        self.in_queue = 0
        self.is_halted = False
        self.notified = 0

    def follow(self, move: Move) -> Move:
        self.turn = move.to
        self.in_queue += move.submits
        return move

    def offer(self) -> Move:
        """What the cell does when a request waits: while a coroutine is under way, none may begin."""
        return self.follow(self.turn.blocked if self.coroutines else self.turn.offered)

    @rule()
    def a_request_comes(self) -> None:
        self.waiting += 1
        move = self.offer()
        assert move.notifies == (self.holder == "own")
        assert not move.claims

    @precondition(lambda self: self.in_queue)
    @rule()
    def the_pool_calls(self) -> None:
        self.in_queue -= 1
        is_due = self.turn.name == "ready"
        assert self.follow(self.turn.called).claims == is_due
        if is_due:
            assert self.holder is None
            self.holder = "pool"

    @rule()
    def a_waiting_caller_helps(self) -> None:
        is_due = self.turn.name == "ready"
        assert self.follow(self.turn.helped).claims == is_due
        if is_due:
            assert self.holder is None
            self.holder = "caller"

    @precondition(lambda self: self.turn.name in {"idle", "ready", "running"})
    @rule()
    def the_creator_would_construct_it(self) -> None:
        is_free = self.holder is None
        assert self.follow(self.turn.entered).claims == is_free
        if is_free:
            self.holder = "creator"

    @precondition(lambda self: self.holder not in (None, "own") and self.waiting)
    @rule(becomes_coroutine=st.booleans())
    def a_request_is_run(self, becomes_coroutine: bool) -> None:
        if not self.coroutines:
            self.waiting -= 1
            self.coroutines += becomes_coroutine

    @precondition(lambda self: self.holder not in (None, "own"))
    @rule()
    def the_thread_gives_it_up(self) -> None:
        self.holder = None
        self.follow(self.turn.released)
        if self.waiting:
            self.offer()

    @precondition(lambda self: self.coroutines)
    @rule()
    def a_coroutine_ends(self) -> None:
        self.coroutines -= 1
        if self.turn.is_held and self.waiting and not self.coroutines:
            self.offer()

    @precondition(lambda self: self.holder not in (None, "own"))
    @rule()
    def it_gets_a_thread_of_its_own(self) -> None:
        self.follow(self.turn.owned)
        self.holder = "own"

    @precondition(lambda self: self.holder is not None)
    @rule()
    def its_incarnation_ends(self) -> None:
        self.follow(self.turn.halted)
        self.holder, self.is_halted = None, True

    @precondition(lambda self: self.is_halted)
    @rule()
    def the_next_incarnation_begins(self) -> None:
        self.is_halted = False
        self.follow(self.turn.woken)
        self.waiting += 1
        self.offer()

    @invariant()
    def the_pool_has_it_once(self) -> None:
        assert self.in_queue == self.turn.is_queued <= 1

    @invariant()
    def the_state_says_who_has_it(self) -> None:
        assert self.turn.is_busy == (self.holder is not None)
        assert (self.turn.name == "own") == (self.holder == "own")
        assert self.turn.is_halted == self.is_halted

    @invariant()
    def what_may_begin_gets_a_thread(self) -> None:
        if self.waiting and self.holder is None and not self.is_halted:
            assert self.turn.name == ("held" if self.coroutines else "ready")

    @invariant()
    def an_idle_cell_costs_no_thread(self) -> None:
        if not self.waiting and self.holder is None and not self.is_halted:
            assert self.turn.name == "idle"


TestLifeOfACell = LifeOfACell.TestCase


@pytest.mark.parametrize("turn", ALL_TURNS.values(), ids=str)
@pytest.mark.parametrize("event", get_args(TurnEvent))
def test_a_move_that_is_not_in_the_table_is_refused(turn: Turn, event: TurnEvent) -> None:
    move: Move = getattr(turn, event)
    known = TURNS[turn.name].get(event)
    if known is not None and (event != "called" or turn.is_queued):
        assert move.to.name == known
        return
    with pytest.raises(InternalError, match=rf"^a cell that is {turn.name}.* cannot be {event}$"):
        _ = move.to


def test_the_table_has_all_states() -> None:
    assert set(TURNS) == set(get_args(TurnName))
    assert {turn.name for turn in ALL_TURNS.values()} == set(TURNS)
    assert all(turn.is_queued for turn in ALL_TURNS.values() if turn.name == "ready")


@given(st.lists(st.sampled_from(TO_ITS_END)))
def test_a_door_goes_one_way(events: list[str]) -> None:
    """The model: a list of what it may still become, in order."""
    door, order = OPEN, ["open", "still", "draining", "closed"]
    for event in events:
        wanted = {"stilled": "still", "drained": "draining", "closed": "closed"}[event]
        to: Door | None = getattr(door, event)
        is_allowed = order.index(wanted) > order.index(door.name) and not (
            event == "stilled" and door is not OPEN
        )
        assert (to is not None) == is_allowed
        if to is not None:
            assert to.name == wanted
            door = to
    assert door.takes == (door.name == "open")
    assert door.takes_late == (door.name == "still")
    assert door.takes_first == (door.name in {"open", "draining"})


@given(st.lists(st.sampled_from(["stilled", "asked", "finished", "left"])))
def test_an_end_goes_one_way(events: list[str]) -> None:
    """The model has one flag for each thing that can have happened."""
    stage: Stage = LIVING
    was_wanted = was_finished = has_left = False
    for event in events:
        to: Stage | None = getattr(stage, event)
        assert (to is None) == ((event == "asked" and has_left) or (event == "finished" and was_finished))
        was_wanted = was_wanted or (event in {"stilled", "asked"} and not has_left)
        was_finished = was_finished or event == "finished"
        has_left = has_left or event == "left"
        stage = to or stage
        assert (stage.is_finishing, stage.is_over) == (was_finished, has_left)
        assert has_left or stage.is_wanted == was_wanted
    assert (stage is ABANDONED) == (has_left and not was_finished)
    assert (stage is OVER) == (has_left and was_finished)


@pytest.mark.parametrize("table", [DOORS, STAGES])
def test_each_state_of_a_table_knows_each_event(table: dict[object, dict[str, object]]) -> None:
    events = {event for moves in table.values() for event in moves}
    assert all(set(moves) == events for moves in table.values())
    reached = {to for moves in table.values() for to in moves.values() if to is not None}
    assert reached | {OPEN, LIVING} >= set(table)
    assert reached <= set(table)


def test_the_tables_import_no_thread_and_no_clock() -> None:
    known: dict[str, Callable[..., object]] = vars(life)
    assert {"threading", "now", "Lock"}.isdisjoint(known)
