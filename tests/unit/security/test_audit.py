"""Claims about the audit: everything is counted, little is logged."""

import pytest

import corps.security.audit as audit_module
from corps.security.audit import Audit, Details


def test_refusals_are_counted_always_and_logged_once_a_second_and_kind(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = [100.0]
    monkeypatch.setattr(audit_module, "now", lambda: time[0])
    audit = Audit("env1")
    for _ in range(1000):
        audit.refused("hello", "planted")
    audit.refused("key", "planted")
    assert len(caplog.records) == 2
    time[0] += 1.0
    audit.refused("hello", "planted")
    assert len(caplog.records) == 3
    assert "env1 refused (hello, 1001 so far)" in caplog.text
    assert audit.counts == {"hello": 1001, "key": 1}


def test_whoever_watches_is_told_of_every_refusal() -> None:
    audit = Audit("env1")
    seen: list[tuple[str, str, Details]] = []
    audit.watch = lambda *what: seen.append(what)
    audit.refused("key", "one")
    audit.refused("rate", "two", Details("bob", "f00", 0.5))
    assert seen == [("key", "one", Details()), ("rate", "two", Details("bob", "f00", 0.5))]
