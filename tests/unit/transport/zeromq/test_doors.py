"""Claims about where an Env listens for other Corps, and which of that it says to whom."""

from threading import Thread

import pytest

from corps.endpoints import Listening, TcpEndpoint
from corps.errors import BrokenError, EnvStartError
from corps.transport.zeromq.doors import Door, Doors, source_towards, tcp_address


def door(host: str, port: int, advertised: str | None = None) -> Door:
    return Door(TcpEndpoint(host, port), TcpEndpoint(advertised or host, port))


def doors(*each: Door) -> Doors:
    made = Doors()
    for one in each:
        made.add(one)
    return made


def test_a_peer_hears_of_the_interface_by_which_it_is_reached() -> None:
    both = doors(door("10.255.0.1", 1), door("127.0.0.1", 2), door("::1", 3))
    assert both.said_to("tcp://127.0.0.1:7000") == "tcp://127.0.0.1:2"
    assert both.said_to("tcp://[::1]:7000") == "tcp://[::1]:3"


def test_a_wildcard_stands_for_each_interface_and_says_what_is_advertised() -> None:
    assert (
        doors(door("*", 1, "index.example.org")).said_to("tcp://127.0.0.1:7") == "tcp://index.example.org:1"
    )


def test_an_interface_without_a_door_is_no_reason_to_say_nothing() -> None:
    assert doors(door("10.255.0.1", 1)).said_to("tcp://127.0.0.1:7000") == "tcp://10.255.0.1:1"


def test_the_loopback_is_reached_from_the_loopback() -> None:
    assert source_towards("tcp://127.0.0.1:7000") == "127.0.0.1"
    assert source_towards("tcp://[::1]:7000") == "::1"


@pytest.mark.parametrize("endpoint", ["unix:/run/x.sock", "tcp://name.example:7", "tcp://127.0.0.1:0", "x"])
def test_what_libzmq_would_look_up_or_open_is_no_address(endpoint: str) -> None:
    with pytest.raises(BrokenError):
        tcp_address(endpoint)


def test_the_thread_that_reads_listens_where_another_one_wants_it() -> None:
    known = doors(door("127.0.0.1", 1))
    known.await_towards("tcp://127.0.0.1:7000", 0.0, lambda: None)  # it does already

    def open_door(listening: Listening) -> None:
        known.add(door(listening.host, 2))

    readers: list[Thread] = []

    def interrupt() -> None:
        readers.append(Thread(target=known.open_wanted, args=(open_door,)))
        readers[-1].start()

    known.await_towards("tcp://[::1]:7000", 20.0, interrupt)
    assert known.outside() == ("tcp://127.0.0.1:1", "tcp://[::1]:2")
    for each in readers:
        each.join()


def test_a_door_that_cannot_be_opened_is_the_error_of_those_who_want_it() -> None:
    known = doors(door("127.0.0.1", 1))

    def fail(listening: Listening) -> None:
        raise EnvStartError(f"{listening.host} is taken")

    with pytest.raises(BrokenError, match="::1 is taken"):
        known.await_towards("tcp://[::1]:7000", 20.0, lambda: known.open_wanted(fail))
