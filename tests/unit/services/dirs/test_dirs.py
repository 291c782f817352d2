"""Claims about Dirs in one Env, and in Envs that a test lets die and come back, all in one process."""

import asyncio
import gc
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import corps
from corps.services.dirs.dir_copy import DirCopy
from corps.services.dirs.dir_watch import DirWatch
from corps.services.dirs.entries import Query
from corps.services.dirs.finding import find_all_in, find_in, register_in, unregister_in
from corps.testing.memory_corps import MemoryEnv, memory_corps
from tests.depths import at_each_depth

LIMIT = 30.0


class Index(corps.Conc):
    def number(self) -> int:
        return 1


class Lasting(corps.Conc):
    restart = corps.Restart(backoff=(0.0, 0.0))

    def number(self) -> int:
        return 1

    def fall(self) -> None:
        raise corps.Fail("it fell")

    def leave(self) -> None:
        self.my_name().exit()


class Parent(corps.Conc):
    restart = corps.Restart(backoff=(0.0, 0.0))

    def make(self, env: int, cls: type[Any]) -> Any:
        name = corps.options(env=env).create(cls)
        corps.register(name, tag="child")
        return name

    def fall(self) -> None:
        raise corps.Fail("it fell")


class Own(Index):
    def __init__(self) -> None:
        corps.register(self.my_name(), tag="of itself")


class Other(corps.Conc):
    pass


@pytest.fixture
def env() -> Iterator[corps.LocalEnv]:
    with corps.env() as env:
        yield env


@pytest.fixture
def three() -> Iterator[list[MemoryEnv]]:
    with memory_corps(3) as envs:
        yield envs


def register(env: MemoryEnv, name: Any, tag: str = "", *, unique: bool = False, **properties: Any) -> None:
    register_in(env.env, name, tag=tag, unique=unique, **properties).result(LIMIT)


def found(env: MemoryEnv, what: Any = None) -> list[Any]:
    return find_all_in(env.env, what)


def soon(env: MemoryEnv, what: Any, wanted: list[Any]) -> bool:
    """Wait until an Env finds just these workers."""
    with DirWatch[Any](env.env, Query()) as changes:
        while found(env, what) != wanted:
            changes.take(LIMIT)
    return True


# Looking up


def test_a_worker_is_found_by_its_tag_its_class_and_both(env: corps.LocalEnv) -> None:
    index, other = env.create(Index), env.create(Other)
    corps.register(index, tag="a")
    corps.register(other, tag="a")
    assert corps.find("a") == index
    assert corps.find(Index) == index
    assert corps.find(Other) == other
    assert corps.find(Other, tag="a") == other
    assert corps.find_all("a") == [index, other]
    assert corps.find_all(Other) == [other]
    assert corps.find_all() == [index, other]
    assert corps.find("a").number().ret == 1


def test_a_worker_without_a_tag_is_found_by_its_class(env: corps.LocalEnv) -> None:
    index = env.create(Index)
    corps.register(index)
    assert corps.find(Index) == index
    assert corps.find_all("") == [index]


def test_properties_choose(env: corps.LocalEnv) -> None:
    one, two = env.create(Index), env.create(Index)
    corps.register(one, tag="index", zone="a", size=3)
    corps.register(two, tag="index", zone="b")
    assert corps.find("index", zone="b") == two
    assert corps.find(Index, size=...) == one
    assert corps.find("index", match=lambda properties: properties["zone"] > "a") == two
    assert corps.find_all("index", zone="c") == []


def test_what_a_function_of_the_properties_raises_is_the_callers(env: corps.LocalEnv) -> None:
    corps.register(env.create(Index), tag="index")
    with pytest.raises(KeyError):
        corps.find("index", match=lambda properties: properties["zone"])


def test_nothing_is_found_with_a_list_of_near_misses(env: corps.LocalEnv) -> None:
    corps.register(env.create(Index), tag="index")
    with pytest.raises(
        LookupError, match="the tag 'indx' is registered in the Dirs; there is 'index'"
    ) as caught:
        corps.find("indx")
    assert isinstance(caught.value, corps.NotFound)


def test_who_gave_a_tag_and_did_not_register_is_told(env: corps.LocalEnv) -> None:
    corps.options(tag="index").create(Index)
    with pytest.raises(corps.NotFound, match="alone registers nothing: it takes register=True"):
        corps.find("index")


def test_to_find_gives_one_name_again_and_again(env: corps.LocalEnv) -> None:
    corps.register(env.create(Index), tag="index")
    assert corps.find("index") is corps.find("index")


def test_a_dir_of_the_env_is_asked_first(env: corps.LocalEnv) -> None:
    one, two = env.create(Index), env.create(Index)
    corps.register(one, tag="index")
    corps.register(two, tag="index", where="env")
    assert corps.find("index") == two
    assert corps.find("index", where="corps") == one
    assert corps.find_all("index", where="env") == [two]
    corps.unregister(two, where="env")
    assert corps.find("index") == one
    with pytest.raises(corps.NotFound, match="the Dir of env0"):
        corps.find("index", where="env")


def test_a_generic_class_is_found_as_what_it_is_of(env: corps.LocalEnv) -> None:
    corps.register(env.create(Index))
    with pytest.raises(corps.ConfigError, match="wants a tag, or a class of workers"):
        corps.find(int)
    with pytest.raises(corps.ConfigError, match="the tag is given twice"):
        corps.find("a", tag="b")


# Registering


def test_to_register_again_changes_the_properties(env: corps.LocalEnv) -> None:
    index = env.create(Index)
    corps.register(index, tag="index", size=1)
    corps.register(index, tag="index", size=2)
    corps.register(index, tag="other")
    assert corps.find_all("index", size=1) == []
    assert corps.find("index", size=2) == index
    assert corps.find_all() == [index]


def test_near_the_end_of_the_stack_a_dir_changes_wholly_or_not_at_all(env: corps.LocalEnv) -> None:
    name = env.create(Index)
    outcomes = set()
    for was_done in at_each_depth(lambda: corps.register(name, tag="deep")):
        there = bool(corps.find_all("deep"))
        assert there >= was_done  # it may be there, and the wait for it have had no room
        assert corps.unregister(name) is there
        assert corps.find_all("deep") == []
        outcomes.add(was_done)
    assert outcomes == {True, False}


def test_a_name_that_is_taken_names_the_holder(env: corps.LocalEnv) -> None:
    one, two = env.create(Index), env.create(Index)
    corps.register(one, tag="index", unique=True)
    corps.register(one, tag="index", unique=True, size=1)
    for unique in (True, False):
        with pytest.raises(corps.NameTaken, match="the tag 'index'") as caught:
            corps.register(two, tag="index", unique=unique)
        assert caught.value.holder == one
    one.exit().result(LIMIT)
    corps.register(two, tag="index", unique=True)


def test_a_group_keeps_a_unique_worker_out(env: corps.LocalEnv) -> None:
    one, two = env.create(Index), env.create(Index)
    corps.register(one, tag="index")
    with pytest.raises(corps.NameTaken):
        corps.register(two, tag="index", unique=True)


def test_options_register_what_they_create(env: corps.LocalEnv) -> None:
    made = corps.options(tag="index", register=True, properties={"zone": "a"}).create_many(2, Index)
    assert corps.find_all("index", zone="a") == made
    one = corps.options(tag="one", register="unique").create(Index)
    with pytest.raises(corps.NameTaken) as caught:
        corps.options(tag="one", register="unique").create(Index)
    assert caught.value.holder == one
    assert corps.find_all("one") == [one]
    assert env.options(tag="x", register=True).create(Index) == env.find("x")


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({"zone": []}, "wants data that nobody can change"),
        ({"zone": ([],)}, "wants data that nobody can change"),
        ({"zone": object()}, "wants data that nobody can change"),
        ({"zone": "\ud800"}, "wants data that nobody can change"),
        ({"zone": "x" * 2**20}, "4096 is the most"),
        ({"tag": "a"}, "cannot be named 'tag'"),
        ({"not a name": 1}, "cannot be named 'not a name'"),
    ],
)
def test_a_property_that_cannot_be_has_its_error(env: corps.LocalEnv, properties: Any, words: str) -> None:
    with pytest.raises(corps.PropertyError, match=words):
        corps.options(tag="index", register=True, properties=properties)
    assert corps.find_all() == []


def test_what_is_no_worker_has_its_error(env: corps.LocalEnv) -> None:
    index = env.create(Index)
    with pytest.raises(corps.ConfigError, match="wants the Name of a worker"):
        corps.register(5)  # type: ignore[arg-type]
    with pytest.raises(corps.ConfigError, match="where='there'"):
        corps.register(index, where="there")  # type: ignore[arg-type]
    with pytest.raises(corps.ConfigError, match="tag=5"):
        corps.register(index, tag=5)  # type: ignore[arg-type]
    index.exit().result(LIMIT)
    with pytest.raises(corps.WorkerGone, match="cannot be registered"):
        corps.register(index)


def test_a_worker_is_taken_out_by_its_tag_or_as_a_whole(env: corps.LocalEnv) -> None:
    index = env.create(Index)
    for tag in ("a", "b", ""):
        corps.register(index, tag=tag)
    assert corps.unregister(index, tag="a")
    assert not corps.unregister(index, tag="a")
    assert corps.find_all("a") == []
    assert corps.find("b") == index
    assert corps.unregister(index)
    assert corps.find_all() == []


# Ends


def test_an_entry_goes_with_its_worker(env: corps.LocalEnv) -> None:
    index = env.create(Index)
    corps.register(index, tag="a")
    corps.register(index, tag="a", where="env")
    index.exit().result(LIMIT)
    assert corps.find_all() == []


def test_a_worker_that_comes_back_is_found_all_the_time(env: corps.LocalEnv) -> None:
    name = env.create(Lasting)
    corps.register(name, tag="a")
    seen: list[Any] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            seen.append(env.find("a"))

    looking = threading.Thread(target=look)
    looking.start()
    for _ in range(3):
        with pytest.raises(corps.Fail):
            name.fall().result(LIMIT)
        assert name.number().ret == 1
    stop.set()
    looking.join()
    assert set(seen) == {name}


def test_a_name_that_is_found_after_a_return_means_the_new_incarnation(three: list[MemoryEnv]) -> None:
    name = three[0].options(env=2).create(Lasting)
    register(three[0], name, "a", size=1)
    register_in(three[0].env, name, tag="a", where="env").result(LIMIT)
    with DirWatch[Any](three[2].env, Query()) as changes:
        changes.take(LIMIT)
        with pytest.raises(corps.Fail):
            name.fall().result(LIMIT)
        assert name.number().result(LIMIT) == 1
        register(three[1], name, "b")  # whatever was said before it has arrived
        for env in three:
            [again] = found(env, "a")
            assert again.pinned.number().result(LIMIT) == 1
            assert again == name
        assert changes.take(LIMIT).tag == "b"  # to come back is no change
    with pytest.raises(corps.WorkerGone):
        name.pinned.number().result(LIMIT)


def test_a_worker_that_ends_of_itself_and_comes_back_keeps_its_entry(three: list[MemoryEnv]) -> None:
    name = three[0].options(env=2).create(Lasting)
    register(three[0], name, "a")
    name.leave().result(LIMIT)
    for _ in range(20):
        assert [found(env, "a") for env in three] == [[name]] * 3
        assert name.number().result(LIMIT) == 1


class Looking(corps.Conc):
    def __init__(self, seen: list[Any]) -> None:
        self._seen = seen

    def cleanup(self) -> None:
        self._seen += corps.find_all("index")


def test_while_an_env_ends_its_dirs_stay_as_they_are() -> None:
    seen: list[Any] = []
    with corps.env() as env:
        env.create(Looking, seen)
        made = corps.options(tag="index", register=True).create_many(2, Index)  # which end before it
    assert seen == made


# Waiting and watching


def test_to_find_may_wait(env: corps.LocalEnv) -> None:
    index = env.create(Index)
    waiting: list[Any] = []
    thread = threading.Thread(target=lambda: waiting.append(env.find("index", timeout=LIMIT)))
    thread.start()
    corps.register(index, tag="index")
    thread.join()
    assert waiting == [index]


def test_to_wait_in_vain_ends_as_not_found(env: corps.LocalEnv) -> None:
    with pytest.raises(corps.NotFound, match=r"none has come within 0\.01 s"):
        corps.find("index", timeout=0.01)


class Seeking(corps.Conc):
    async def seek(self, timeout: float | None) -> Any:
        return await corps.afind("index", timeout=timeout)

    async def block(self) -> Any:
        return corps.find("index", timeout=1.0)

    async def enter(self) -> None:
        await corps.aregister(self.my_name(), tag="seeking")
        assert corps.find("seeking") == self.my_name()
        assert await corps.aunregister(self.my_name())
        assert not await corps.aunregister(self.my_name())


def test_coroutines_find_and_register_without_blocking(env: corps.LocalEnv) -> None:
    seeking, index = env.create(Seeking), env.create(Index)
    with pytest.raises(corps.NotFound):
        seeking.seek(None).result(LIMIT)
    with pytest.raises(corps.LoopBlocked):
        seeking.block().result(LIMIT)
    later = seeking.seek(LIMIT)
    corps.register(index, tag="index")
    assert later.ret == index
    seeking.enter().result(LIMIT)


def test_a_watch_gives_what_there_is_and_then_what_changes(env: corps.LocalEnv) -> None:
    one, two = env.create(Index), env.create(Index)
    corps.register(one, tag="index", size=1)
    with corps.watch_dir("index") as changes:
        first = changes.take(LIMIT)
        assert isinstance(first, corps.Entered)
        assert (first.name, first.tag, dict(first.properties)) == (one, "index", {"size": 1})
        corps.register(one, tag="index", size=2)
        assert isinstance(changed := changes.take(LIMIT), corps.Changed)
        assert dict(changed.properties) == {"size": 2}
        corps.register(two, tag="other")
        corps.register(two, tag="index")
        assert isinstance(entered := changes.take(LIMIT), corps.Entered)
        assert entered.name == two
        one.exit().result(LIMIT)
        assert isinstance(left := changes.take(LIMIT), corps.Left)
        assert left.name == one
        with pytest.raises(corps.WaitTimeout):
            changes.take(0.01)
    assert list(changes) == []


def test_what_comes_and_goes_before_it_is_looked_at_is_not_told(env: corps.LocalEnv) -> None:
    index = env.create(Index)
    changes = corps.watch_dir("index")
    corps.register(index, tag="index")
    corps.unregister(index)
    corps.register(index, tag="index", size=1)
    corps.register(index, tag="index", size=2)
    assert [dict(changes.take(LIMIT).properties)] == [{"size": 2}]
    changes.close()


def test_an_entry_that_fits_no_longer_has_left_for_the_one_who_asked(env: corps.LocalEnv) -> None:
    index = env.create(Index)
    corps.register(index, tag="index", zone="a")
    with corps.watch_dir("index", zone="a") as changes:
        changes.take(LIMIT)
        corps.register(index, tag="index", zone="b")
        assert isinstance(changes.take(LIMIT), corps.Left)
        corps.register(index, tag="index", zone="a")
        assert isinstance(changes.take(LIMIT), corps.Entered)


def test_a_watch_is_iterated_in_coroutines_too(env: corps.LocalEnv) -> None:
    index = env.create(Index)

    async def watch() -> list[Any]:
        seen: list[Any] = []
        async with env.watch_dir("index") as changes:
            await env.aregister(index, tag="index")
            async for change in changes:
                seen.append(change)
                if isinstance(change, corps.Left):
                    return seen
                await env.aunregister(index)
        return seen

    assert [type(each) for each in asyncio.run(watch())] == [corps.Entered, corps.Left]


def test_a_watch_that_is_garbage_hears_nothing_more(env: corps.LocalEnv) -> None:
    copy = env._env.parts.get(DirCopy)
    changes: Any = corps.watch_dir("index")
    assert len(copy._loose_watchers) == 1
    del changes
    gc.collect()
    corps.register(env.create(Index), tag="index")
    assert len(copy._loose_watchers) == 0


def test_interfaces_of_what_has_gone_are_forgotten(env: corps.LocalEnv) -> None:
    copy = env._env.parts.get(DirCopy)
    for number in range(150):
        made = env.create(type(f"Made{number}", (corps.Conc,), {}))
        corps.register(made)
        corps.unregister(made)
    assert len(copy._interfaces) <= 101


class Watching(corps.Conc):
    def __init__(self) -> None:
        self.seen: list[Any] = []
        self._changes = corps.watch_dir("index")

    def on_dir_change(self, event: Any) -> None:
        self.seen.append((type(event).__name__, event.name))

    def stop(self) -> None:
        self._changes.close()

    def wrongly(self) -> Any:
        return self._changes.take()


def test_the_hook_of_a_worker_is_called_like_a_request(env: corps.LocalEnv) -> None:
    index = env.create(Index)
    watching = env.create(Watching)
    corps.register(index, tag="index")
    assert watching.seen.ret == [("Entered", index)]
    index.exit().result(LIMIT)
    assert watching.seen.ret == [("Entered", index), ("Left", index)]
    watching.stop().result(LIMIT)
    corps.register(env.create(Index), tag="index")
    assert len(watching.seen.ret) == 2
    with pytest.raises(corps.ContextError, match="on_dir_change"):
        watching.wrongly().result(LIMIT)


# Dirs of one's own


def test_a_dir_of_ones_own_keeps_its_entries_apart_and_takes_them_with_it(env: corps.LocalEnv) -> None:
    mine, yours = env.create(corps.Dir), env.create(corps.Dir)
    index = env.create(Index)
    mine.register(index, tag="index", zone="a").result(LIMIT)
    assert mine.find("index").ret == index
    assert mine.find_all(Index, zone="a").ret == [index]
    with pytest.raises(corps.NotFound):
        yours.find("index").result(LIMIT)
    assert corps.find_all() == []
    later = yours.find("index", timeout=LIMIT)
    yours.register(index, tag="index", unique=True).result(LIMIT)
    assert later.ret == index
    with pytest.raises(corps.NameTaken) as caught:
        yours.register(env.create(Index), tag="index").result(LIMIT)
    assert caught.value.holder == index
    assert yours.unregister(index).ret
    mine.exit().result(LIMIT)
    assert not env._env.parts.get(DirCopy).corps.entries


class Asking(corps.Conc):
    def ask(self) -> Any:
        return self.my_dir().find("index").ret


def test_the_dir_of_a_worker_is_that_of_its_env(env: corps.LocalEnv) -> None:
    index = env.create(Index)
    corps.register(index, tag="index")
    asking = env.create(Asking)
    assert asking.ask().ret == index
    with pytest.raises(corps.NoSuchMethod):
        asking.my_dir().ret.take.send()


# Several Envs


def test_all_envs_find_what_is_registered_at_once(three: list[MemoryEnv]) -> None:
    name = three[0].options(env=2).create(Index)
    for at, env in enumerate(three):
        register(env, name, f"tag {at}")
        assert [found(each, f"tag {at}") for each in three] == [[name]] * 3


def test_a_worker_of_the_own_env_is_preferred(three: list[MemoryEnv]) -> None:
    names = [three[0].options(env=each.id).create(Index) for each in three]
    for name in names:
        register(three[0], name, "index")
    assert [find_in(env.env, "index") for env in three] == names


def test_a_worker_that_ends_is_gone_everywhere(three: list[MemoryEnv]) -> None:
    name = three[0].options(env=2).create(Index)
    register(three[2], name, "index")
    name.exit().result(LIMIT)
    assert found(three[1], "index") == []
    for env in three:
        assert soon(env, "index", [])


def test_one_name_is_unique_in_all_envs(three: list[MemoryEnv]) -> None:
    one, two = (three[0].options(env=each).create(Index) for each in (2, 3))
    register(three[1], one, "index", unique=True)
    with pytest.raises(corps.NameTaken) as caught:
        register(three[2], two, "index", unique=True)
    assert caught.value.holder == one


def test_the_entries_of_a_dead_env_go_at_once(three: list[MemoryEnv]) -> None:
    theirs, mine = three[1].options(env=2).create(Index), three[0].options(env=1).create(Index)
    orphan = three[1].options(env=3).create(Index)
    for name in (theirs, mine, orphan):
        register(three[0], name, "index")
    three[1].die()
    for env in (three[0], three[2]):
        assert found(env, "index") == [mine]
    register(three[2], mine, "again")  # which waits for no Env that is dead
    assert found(three[2], "again") == [mine]


def test_a_worker_that_its_mgr_brings_back_is_found_all_the_time(three: list[MemoryEnv]) -> None:
    name = three[0].options(env=2).create(Lasting)
    register(three[0], name, "index", zone="a")
    three[1].die(returns=True)
    assert found(three[0], "index") == found(three[2], "index") == [name]
    three[1].revive()
    assert three[1].name(name).number().result(LIMIT) == 1
    assert [found(env, "index") for env in three] == [[name]] * 3
    register(three[1], name, "index", zone="b")
    assert [found(env, "index") for env in three] == [[name]] * 3


def test_a_worker_that_is_not_brought_back_goes_when_its_mgr_says_so(three: list[MemoryEnv]) -> None:
    name = three[2].options(env=2).create(Index)
    register(three[0], name, "index")
    three[1].die(returns=True)
    for env in (three[0], three[2]):
        assert soon(env, "index", [])


def test_a_mgr_that_ends_while_its_child_is_away_takes_its_entry_with_it(three: list[MemoryEnv]) -> None:
    parent = three[0].options(env=3).create(Parent)
    child = parent.make(2, Lasting).result(LIMIT)
    assert found(three[0], "child") == [child]
    three[1].die(returns=True)
    assert found(three[0], "child") == [child]
    ended = parent.exit()
    three[1].revive()
    ended.result(LIMIT)
    for env in three:
        assert soon(env, "child", [])


def test_an_env_that_comes_back_has_the_full_listing_before_a_worker_begins_there(
    three: list[MemoryEnv],
) -> None:
    names = [three[0].options(env=1).create(Index) for _ in range(3)]
    for name in names[:2]:
        register(three[0], name, "index")
    three[2].die(returns=True)
    register(three[0], names[2], "index")
    three[2].revive()
    assert three[0].options(env=3).create(Asking).ask().result(LIMIT) == names[0]
    assert found(three[2], "index") == names
    register(three[1], names[0], "after")
    assert found(three[2], "after") == [names[0]]


def test_a_worker_may_register_itself_in_its_constructor(three: list[MemoryEnv]) -> None:
    name = three[0].options(env=2).create(Own)
    assert [found(env, "of itself") for env in three] == [[name]] * 3


def test_a_dir_of_an_env_is_not_seen_by_others(three: list[MemoryEnv]) -> None:
    name = three[0].options(env=2).create(Index)
    register_in(three[0].env, name, tag="here", where="env").result(LIMIT)
    assert [found(env, "here") for env in three] == [[], [name], []]
    assert unregister_in(three[0].env, name, tag="here").result(LIMIT)
    assert found(three[1], "here") == []


def test_a_dir_of_ones_own_is_used_from_all_envs(three: list[MemoryEnv]) -> None:
    mine = three[0].options(env=2).create(corps.Dir)
    name = three[0].options(env=3).create(Index)
    mine.register(name, tag="index").result(LIMIT)
    assert three[2].name(mine).find("index").result(LIMIT) == name
    three[1].die()
    assert not three[0].env.parts.get(DirCopy).corps.entries
    assert not three[2].env.parts.get(DirCopy).corps.entries
