"""What pyright knows beyond mypy: of a request in a lambda, also the type of a generator and of a Name."""

from collections.abc import AsyncGenerator, Generator
from typing import assert_type

import corps


class Source(corps.Conc):
    def numbers(self) -> Generator[int, None, str]:
        yield 1
        return "end"

    async def letters(self) -> AsyncGenerator[str, None]:
        yield "a"

    def me(self) -> "corps.Name[Source]":
        return self.my_name()


def requests_are_typed_as_they_are_written(name: corps.Name[Source]) -> None:
    assert_type(corps.ask(name, lambda s: s.numbers()), corps.Future[corps.RemoteIterator[int]])
    assert_type(corps.ask(name, lambda s: s.letters()), corps.Future[corps.RemoteIterator[str]])
    assert_type(corps.ask(name, lambda s: s.me()), corps.Future[corps.Name[Source]])
