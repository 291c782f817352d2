"""Claims about the life of a process: a table of states says of each what independent flags would say."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corps.membership.place_life import IllegalMoveError, Move, PlaceLife, State


@dataclass(frozen=True)
class Flags:
    """The model: one flag for each thing that can have happened."""

    is_listed: bool = False
    has_joined: bool = False
    is_doomed: bool = False
    is_leaving: bool = False
    was_stopped: bool = False
    is_gone: bool = False
    returns: bool = False

    def after(self, move: Move) -> "Flags | None":
        """None: that cannot happen."""
        is_there = self.has_joined and not self.is_gone and not self.was_stopped
        is_overdue = self.is_gone or self.was_stopped  # its answers may come all the same
        match move:
            case Move.INTRODUCE if (not self.is_listed and not self.has_joined) or self.is_gone:
                return replace(self, is_listed=True)
            case Move.INTRODUCE if self.was_stopped and not self.has_joined:
                return replace(self, is_listed=True)
            case Move.JOIN if (self.is_listed and not self.has_joined) or self.is_gone:
                return self if self.is_gone else replace(self, has_joined=True)
            case Move.JOIN if is_overdue and not self.has_joined:
                return replace(self, has_joined=True)
            case Move.DOOM if is_there and not self.is_doomed and not self.is_leaving:
                return replace(self, is_doomed=True)
            case Move.REMOVE if is_there and not self.is_leaving:
                return replace(self, is_leaving=True)
            case Move.STOP:
                return self if self.is_gone else replace(self, was_stopped=True)
            case Move.DIE_TO_RETURN if not (self.is_gone or self.is_leaving or self.was_stopped):
                return replace(self, is_gone=True, returns=True)
            case Move.DIE if not self.is_gone:
                return replace(self, is_gone=True)
            case Move.GIVE_UP if self.returns:
                return replace(self, returns=False)
        return None


def agree(life: PlaceLife, flags: Flags) -> None:
    lives_on = not (flags.is_gone or flags.was_stopped)
    assert life.is_gone == flags.is_gone
    assert life.is_awaited == (flags.returns or not (flags.is_gone or flags.has_joined))
    assert life.knows_all == (flags.has_joined and not flags.is_gone)
    assert life.hears == (flags.is_listed and lives_on)
    assert life.can_be_removed == (flags.has_joined and lives_on and not flags.is_leaving)
    assert life.is_well == (life.can_be_removed and not flags.is_doomed)
    assert life.was_stopped == (flags.was_stopped and not flags.is_gone)


@given(st.lists(st.sampled_from(Move), max_size=12))
def test_the_table_agrees_with_a_model_of_flags_and_refuses_what_cannot_happen(moves: list[Move]) -> None:
    life, flags = PlaceLife(), Flags()
    for move in moves:
        before, after = life.state, flags.after(move)
        if after is None:
            with pytest.raises(IllegalMoveError, match=f"{move.name} cannot happen .* {before.name}"):
                life.on(move)
            assert life.state is before
        else:
            life.on(move)
            flags = after
        agree(life, flags)


def walked(path: tuple[Move, ...]) -> State | None:
    """None: the last move is refused."""
    life = PlaceLife()
    try:
        for move in path:
            life.on(move)
    except IllegalMoveError:
        return None
    return life.state


def test_every_state_can_be_reached() -> None:
    found: set[State] = set()
    paths: list[tuple[Move, ...]] = [()]
    while paths:
        path = paths.pop()
        state = walked(path)
        if state is not None and state not in found:
            found.add(state)
            paths += [(*path, move) for move in Move]
    assert found == set(State)


@pytest.mark.parametrize("last", [Move.DIE, Move.DIE_TO_RETURN])
def test_a_process_dies_once(last: Move) -> None:
    life = PlaceLife()
    life.on(last)
    for again in (Move.DIE, Move.DIE_TO_RETURN):
        with pytest.raises(IllegalMoveError):
            life.on(again)
