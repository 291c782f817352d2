"""Claims about who may connect: nobody, unless there is a reason."""

import pytest

from corps.security.admission import Admission

KEY = "k" * 40


def test_over_ipc_the_own_user_is_admitted_and_no_other() -> None:
    admission = Admission(1000)
    assert admission.judge_local("localhost:1000:100:4242").admitted
    refused = admission.judge_local("localhost:1001:100:4242")
    assert not refused.admitted
    assert "4242 belongs to user 1001" in refused.reason


@pytest.mark.parametrize(
    "address", ["", "127.0.0.1", "localhost", "localhost::0:1", "localhost:-1:0:1", "a:²:c:d"]
)
def test_an_address_that_does_not_tell_the_user_is_refused(address: str) -> None:
    assert not Admission(0).judge_local(address).admitted


def test_over_tcp_a_known_key_speaks_for_its_incarnation() -> None:
    admission = Admission(1000, {KEY: "incarnation"})
    verdict = admission.judge_key(KEY)
    assert (verdict.admitted, verdict.user) == (True, "incarnation")


def test_over_tcp_an_unknown_key_is_refused_and_not_shown_whole() -> None:
    verdict = Admission(1000).judge_key(KEY)
    assert not verdict.admitted
    assert KEY not in verdict.reason
