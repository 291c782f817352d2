"""Claims about addresses: each form is read and printed alike, and what cannot be is said in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corps.endpoints import (
    Endpoint,
    TcpEndpoint,
    UnixEndpoint,
    in_turn,
    is_wildcard,
    read_endpoint,
    read_listening,
    read_ports,
)
from corps.errors import ConfigError

ADDRESSES = st.one_of(st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(str))


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("tcp://127.0.0.1:5000", TcpEndpoint("127.0.0.1", 5000)),
        ("tcp://[::1]:7000", TcpEndpoint("::1", 7000)),
        ("tcp://[fe80::1%eth0]:7000", TcpEndpoint("fe80::1%eth0", 7000)),
        ("tcp://build.example.org:1", TcpEndpoint("build.example.org", 1)),
        ("tcp://node_7:65535", TcpEndpoint("node_7", 65535)),
        ("tcp://example.org.:80", TcpEndpoint("example.org.", 80)),
        ("tcp://xn--bcher-kva.example:80", TcpEndpoint("xn--bcher-kva.example", 80)),
        ("unix:/run/user/1000/x y.sock", UnixEndpoint("/run/user/1000/x y.sock")),
    ],
)
def test_what_is_read_is_printed_as_it_was(text: str, endpoint: Endpoint) -> None:
    assert read_endpoint(text) == endpoint
    assert str(endpoint) == text


@pytest.mark.parametrize(
    ("text", "claim"),
    [
        ("index", "has no form of an address; write tcp://HOST:PORT"),
        ("", "has no form of an address"),
        ("http://a:1", "has no form of an address"),
        ("tcp://a", "has no port from 1 to 65535 at its end"),
        ("tcp://a:", "has no port"),
        ("tcp://a:65536", "has no port"),
        ("tcp://a:x", "has no port"),
        ("tcp://a:٣", "has no port"),
        ("tcp://a:0", "has port 0, to which nothing can connect"),
        ("tcp://:5000", "has a host of 0 letters"),
        ("tcp://" + "a" * 254 + ":5000", "has a host of 254 letters"),
        ("tcp://::1:7000", "has an IPv6 address without brackets; write tcp://[::1]:7000"),
        ("tcp://[::1:7000", "has a bracket without the other one"),
        ("tcp://[::g]:7000", "has no IPv6 address that can be: '::g'"),
        ("tcp://[127.0.0.1]:7000", "has no IPv6 address that can be"),
        ("tcp://[fe80::1]:7000", "is an address of one link; name the interface too: fe80::1%eth0"),
        ("tcp://[fe80::1%]:7000", "has '' as its zone"),
        ("tcp://[fe80::1%a/b]:7000", "has 'a/b' as its zone"),
        ("tcp://127.1:5000", "has no IPv4 address that can be: '127.1'; write four numbers"),
        ("tcp://127.0.0.1.:5000", "has no IPv4 address that can be"),
        ("tcp://0x7f.0.0.1:5000", "has no IPv4 address that can be"),
        ("tcp://010.0.0.1:5000", "has no IPv4 address that can be"),
        ("tcp://256.0.0.1:5000", "has no IPv4 address that can be"),
        ("tcp://bücher.example:5000", "has a name with letters that DNS does not have"),
        ("tcp://a b:5000", "has 'a b' as its host"),
        ("tcp://user@a:5000", "has 'user@a' as its host"),
        ("tcp://a/b:5000", "has 'a/b' as its host"),
        ("tcp://-a:5000", "has '-a' as its host"),
        ("tcp://a..b:5000", "has 'a..b' as its host"),
        ("tcp://*:5000", "means every interface of a machine"),
        ("tcp://[::]:5000", "means every interface of a machine"),
        ("tcp://0:5000", "means every interface of a machine"),
        ("unix:x.sock", "has no path that begins with /"),
        ("unix:/a\0b", "has no path that begins with /"),
    ],
)
def test_what_is_no_address_is_refused_in_words(text: str, claim: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_endpoint(text, "corps.connect")
    assert str(refused.value).startswith(f"corps.connect = {text!r:.200}: {claim}")


@given(ADDRESSES, st.integers(1, 65535))
def test_each_address_comes_back_as_the_same(host: str, port: int) -> None:
    text = str(TcpEndpoint(host, port))
    try:
        endpoint = read_endpoint(text)
    except ConfigError:
        assert is_wildcard(host) or host.startswith("fe")
        return
    assert isinstance(endpoint, TcpEndpoint)
    assert endpoint.address == TcpEndpoint(host, port).address is not None
    assert read_endpoint(str(endpoint)) == endpoint


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    for each in (text, f"tcp://{text}:1", f"tcp://[{text}]:1", f"unix:{text}"):
        try:
            endpoint = read_endpoint(each)
        except ConfigError:
            continue
        assert read_endpoint(str(endpoint)) == endpoint


@pytest.mark.parametrize(
    ("address", "ports", "advertise", "bound", "advertised"),
    [
        ("127.0.0.1", "0", None, TcpEndpoint("127.0.0.1", 41000), "tcp://127.0.0.1:41000"),
        ("[::1]", "5000-5010", None, TcpEndpoint("::1", 5003), "tcp://[::1]:5003"),
        ("10.0.0.7", "5000-5010", "example.org", TcpEndpoint("10.0.0.7", 5003), "tcp://example.org:5003"),
        ("10.0.0.7", "5000", "example.org:443", TcpEndpoint("10.0.0.7", 5000), "tcp://example.org:443"),
        ("10.0.0.7", "5000", "2001:db8::7", TcpEndpoint("10.0.0.7", 5000), "tcp://[2001:db8::7]:5000"),
        ("10.0.0.7", "5000", "[2001:db8::7]:9", TcpEndpoint("10.0.0.7", 5000), "tcp://[2001:db8::7]:9"),
        (
            "10.0.0.7",
            "5000",
            "tcp://[2001:db8::7]",
            TcpEndpoint("10.0.0.7", 5000),
            "tcp://[2001:db8::7]:5000",
        ),
    ],
)
def test_what_is_bound_and_what_others_connect_to_may_differ(
    address: str, ports: str, advertise: str | None, bound: TcpEndpoint, advertised: str
) -> None:
    listening = read_listening(address, ports, advertise, where="listen")
    assert listening.ports == read_ports(ports)
    assert str(listening.advertise(bound)) == advertised


@pytest.mark.parametrize("host", ["*", "0.0.0.0", "::", "[::]", "0", "0x0", "::ffff:0.0.0.0"])
def test_every_interface_is_listened_on_only_when_asked_for(host: str) -> None:
    with pytest.raises(ConfigError, match=r"listen.address = .* set listen.allow_wildcard to true"):
        read_listening(host, where="listen")
    with pytest.raises(ConfigError, match=r"could connect to; name one in listen.advertise"):
        read_listening(host, allow_wildcard=True, where="listen")
    listening = read_listening(host, "0", "example.org", allow_wildcard=True, where="listen")
    assert is_wildcard(listening.host)
    assert listening.advertised_host == "example.org"


@pytest.mark.parametrize(
    ("ports", "advertise", "problem"),
    [
        ("5000-5010", "a:1", "listen.advertise = 'a:1': names one port, and listen.ports has 11"),
        ("0", "a:1", "listen.advertise = 'a:1': names a port, and listen.ports leaves it open"),
        ("5000", "a:0", "listen.advertise = 'a:0': has port 0"),
        ("5000", "*", "listen.advertise = '*': is no address that others could connect to"),
        ("5000", "::", "listen.advertise = '::': is no address that others could connect to"),
        ("5000", "a:b:1", "listen.advertise = 'a:b:1': has an IPv6 address without brackets"),
        ("5010-5000", None, "listen.ports = '5010-5000': is a range that ends before it begins"),
        ("0-5", None, "listen.ports = '0-5': is no port and no range"),
        ("-5", None, "listen.ports = '-5': is no port and no range"),
        ("70000", None, "listen.ports = '70000': must name ports from 1 to 65535"),
    ],
)
def test_what_does_not_fit_together_is_refused(ports: str, advertise: str | None, problem: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_listening("10.0.0.7", ports, advertise, where="listen")
    assert str(refused.value).startswith(problem)


def test_the_families_are_tried_by_turns() -> None:
    found = ["::1", "::2", "::1", "127.0.0.1", "::3", "127.0.0.2", "127.0.0.1"]
    assert in_turn(found) == ["::1", "127.0.0.1", "::2", "127.0.0.2", "::3"]
    assert in_turn(["1.1.1.1", "::1"]) == ["1.1.1.1", "::1"]
    assert in_turn([]) == []
