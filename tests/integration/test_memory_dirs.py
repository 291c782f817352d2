"""Dirs of several Envs in one process, which die and come back in any order while workers come and go.

After each step, what was acknowledged is found where it must be, and nothing else is left in the end.
"""

from contextlib import ExitStack
from typing import Any, Final, NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

import corps
from corps.services.dirs.dir_watch import DirWatch
from corps.services.dirs.entries import Query
from corps.services.dirs.finding import find_all_in, register_in, unregister_in
from corps.testing.memory_corps import MemoryEnv, memory_corps

LONG: Final = 30.0
DYING: Final = (2, 3)


class Passing(corps.Conc):
    def number(self) -> int:
        return 1


class Lasting(corps.Conc):
    restart = corps.Restart(max=1000, backoff=(0.0, 0.0))

    def number(self) -> int:
        return 1

    def fall(self) -> None:
        raise corps.Fail("it fell")


class Made(NamedTuple):
    """A worker that is registered, and lives or comes back."""

    name: Any
    tag: str
    env: int
    mgr: int
    lasts: bool


class AnyOrder(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.envs = self.stack.enter_context(memory_corps(3))
        self.made: dict[str, Made] = {}
        self.away: set[str] = set()  # their processes have died, and they come back
        self.numbers = 0

    def env(self, number: int) -> MemoryEnv:
        return self.envs[number - 1]

    def is_there(self, *numbers: int) -> bool:
        return not any(self.env(each).is_dead for each in numbers)

    @rule(mgr=st.integers(1, 3), env=st.integers(1, 3), by=st.integers(1, 3), lasts=st.booleans())
    def create(self, mgr: int, env: int, by: int, lasts: bool) -> None:
        if not self.is_there(mgr, env, by):
            return
        cls: Any = Lasting if lasts else Passing
        name = self.env(mgr).options(env=env).create(cls)
        self.numbers += 1
        tag = f"tag {self.numbers}"
        register_in(self.env(by).env, name, tag=tag, unique=True).result(LONG)
        self.made[tag] = Made(name, tag, env, mgr, lasts)

    def one(self, which: int) -> Made | None:
        """One of those that live now, in Envs that do."""
        living = [each for tag, each in self.made.items() if tag not in self.away]
        return living[which % len(living)] if living else None

    @rule(which=st.integers(0, 20))
    def end(self, which: int) -> None:
        made = self.one(which)
        if made is not None:
            self.env(made.mgr).name(made.name).exit().result(LONG)
            del self.made[made.tag]
            assert made.name not in self.found(made.env)

    @rule(which=st.integers(0, 20))
    def fail(self, which: int) -> None:
        made = self.one(which)
        if made is not None and made.lasts:
            name = self.env(made.mgr).name(made.name)
            with pytest.raises(corps.Fail):
                name.fall().result(LONG)
            self.all_that_lives_is_found()
            assert name.number().result(LONG) == 1

    @rule(which=st.integers(0, 20), by=st.integers(1, 3))
    def unregister(self, which: int, by: int) -> None:
        made = self.one(which)
        if made is not None and self.is_there(by):
            assert unregister_in(self.env(by).env, made.name, tag=made.tag, where="corps").result(LONG)
            del self.made[made.tag]
            for each in self.envs:
                assert each.is_dead or made.name not in self.found(each.id)

    @rule(number=st.sampled_from(DYING), returns=st.sampled_from((True, True, False)))
    def die(self, number: int, returns: bool) -> None:
        env = self.env(number)
        if env.is_dead:
            if env.returns and not returns:
                env.tell_lost("it cannot be started again", returns=False)
                self.forget(lambda made: made.env == number)
            return
        env.die(returns=returns)
        self.forget(lambda made: made.mgr == number)
        self.forget(lambda made: made.env == number and not (returns and made.lasts))
        self.away.update(tag for tag, made in self.made.items() if made.env == number)

    def forget(self, is_gone: Any) -> None:
        self.made = {tag: made for tag, made in self.made.items() if not is_gone(made)}
        self.away.intersection_update(self.made)

    @rule(number=st.sampled_from(DYING))
    def revive(self, number: int) -> None:
        env = self.env(number)
        if env.returns:
            env.revive()
            for made in [made for made in self.made.values() if made.env == number]:
                assert self.env(made.mgr).name(made.name).number().result(LONG) == 1
                self.away.discard(made.tag)

    def found(self, number: int) -> set[Any]:
        return set(find_all_in(self.env(number).env))

    @invariant()
    def all_that_lives_is_found(self) -> None:
        living = {made.name for made in self.made.values()}
        for env in self.envs:
            if not env.is_dead and (not env.former or self.is_complete(env)):
                assert living <= self.found(env.id)

    def is_complete(self, env: MemoryEnv) -> bool:
        """One that came back begins no worker before its Dir is complete."""
        made = self.envs[0].options(env=env.id).create(Passing)
        made.exit().result(LONG)
        return True

    def teardown(self) -> None:
        try:
            for number in DYING:
                self.revive(number)
            for made in self.made.values():
                assert self.env(made.mgr).name(made.name).number().result(LONG) == 1
            living = {made.name for made in self.made.values()}
            for env in self.envs:
                if not env.is_dead:
                    with DirWatch[Any](env.env, Query()) as changes:
                        while self.found(env.id) != living:
                            changes.take(LONG)
        finally:
            self.stack.close()


AnyOrder.TestCase.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, derandomize=True, database=None
)
TestAnyOrder = pytest.mark.timeout(180)(AnyOrder.TestCase)
