import contextvars
from threading import Thread
from typing import Any, cast

from corps.runtime.context import Block, current


def test_blocks_that_are_left_in_the_other_order_restore_none_that_was_left() -> None:
    outer = Block(cast("Any", "outer"))
    inner = Block(cast("Any", "inner"))
    outer.leave()
    assert current.get() is inner
    inner.leave()
    assert current.get() is None


def test_a_block_that_is_left_in_order_restores_the_outer_one() -> None:
    outer = Block(cast("Any", "outer"))
    Block(cast("Any", "inner")).leave()
    assert current.get() is outer
    outer.leave()
    outer.leave()
    assert current.get() is None


def test_a_block_may_be_left_in_another_thread_and_context() -> None:
    contexts = [contextvars.Context(), contextvars.Context()]
    block = contexts[0].run(Block, cast("Any", "env"))
    contexts[1].run(block.leave)
    thread = Thread(target=block.leave)
    thread.start()
    thread.join()
    assert contexts[0].run(current.get) is block
    outer = contexts[0].run(Block, cast("Any", "inner"))
    contexts[0].run(outer.leave)
    assert contexts[0].run(current.get) is None
    assert block.is_left
