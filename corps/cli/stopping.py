"""`corps stop`: the end of an external Corps of this user."""

import select
import signal
from typing import Final

from corps.cli.reporting import APPLICATION_ERROR, BY_SIGNAL, OK, complain, report
from corps.errors import CorpsError, NotFound
from corps.federation.claims import Claim
from corps.federation.end_news import EndListener, EndNews
from corps.federation.processes import HeldProcess, hold, holding_family, wait_ended
from corps.federation.registry import Registry, registry_of_user

_PATIENCE: Final = 5.0  # seconds for processes that end by themselves once the Corps is over


def stop_corps(tag: str, *, at_once: bool) -> int:
    """End the Corps with a tag, wait until nothing is left of it, and return the exit status."""
    try:
        return _stop(registry_of_user(), tag, at_once=at_once)
    except CorpsError as error:
        return report(error)
    except PermissionError as error:
        return complain(f"the process of {tag} may not be ended: {error}", APPLICATION_ERROR)
    except KeyboardInterrupt:
        complain(f"{tag} goes on to end; this command does not wait for it", OK)
        return BY_SIGNAL + signal.SIGINT


def _stop(registry: Registry, tag: str, *, at_once: bool) -> int:
    entry = registry.entry(tag)
    if entry.claim is None:
        raise entry.problem or CorpsError(f"nothing is known of {tag}")
    claim = entry.claim
    if claim.state != "stale" and not claim.is_near:
        return complain(
            f"{tag} runs in another container, where process {claim.pid} is another one: stop it there",
            APPLICATION_ERROR,
        )
    booting = hold(claim.pid, claim.started)
    if booting is None:
        registry.withdraw(tag, claim.corps)
        _say(f"{tag}: it had died before; its tag is free")
        return OK
    try:
        # Whom the family is made of is seen while the booting process lives.
        with holding_family(claim.pid, claim.template) as family:
            if at_once:
                return _kill(registry, claim, booting, family)
            return _end_in_order(registry, claim, booting, family)
    finally:
        booting.close()


def _end_in_order(registry: Registry, claim: Claim, booting: HeldProcess, family: list[HeldProcess]) -> int:
    """Ask for the end as SIGTERM does, and show its phases."""

    def terminate() -> None:
        booting.send(signal.SIGTERM)
        booting.send(signal.SIGCONT)  # one that is stopped hears nothing

    with EndListener(registry.path, claim.tag) as listener:
        try:
            if not registry.begin_end(claim.tag, claim.corps, terminate):
                _say(f"{claim.tag}: it is ending already")
            last = _hear(listener, booting, claim.tag)
        except NotFound:  # it has ended since it was looked up
            last = EndNews("")
    if last is None and not registry.is_claimed(claim.tag, claim.corps):
        last = EndNews("")  # it had given its tag back before it ended, and so ended in order
    wait_ended(family, None if last is not None else _PATIENCE)
    if last is None:
        return _died(registry, claim, family)
    if last.problem:
        return complain(f"{claim.tag} has ended, and failed: {last.problem}", APPLICATION_ERROR)
    if not wait_ended([booting], _PATIENCE):
        _say(f"{claim.tag}: ended; the program that booted it goes on (process {claim.pid})")
        return OK
    _say(f"{claim.tag}: ended")
    return OK


def _hear(listener: EndListener, booting: HeldProcess, tag: str) -> EndNews | None:
    """Show the phases as they come; return the last news, or None if the process has ended without any."""
    poll = select.poll()
    poll.register(booting.fd, select.POLLIN)
    poll.register(listener.fd, select.POLLIN)
    while True:
        ready = {fd for fd, _ in poll.poll()}
        while (news := listener.take()) is not None:
            if not news.phase:
                return news
            _say(f"{tag}: {news.phase}")
        if booting.fd in ready:
            return None


def _died(registry: Registry, claim: Claim, family: list[HeldProcess]) -> int:
    """Say that there was no orderly end, and see to it that nothing is left."""
    _end_rest(family)
    registry.withdraw(claim.tag, claim.corps)
    return complain(
        f"{claim.tag} has ended at once, and not in order: its program does not handle SIGTERM, or died",
        APPLICATION_ERROR,
    )


def _kill(registry: Registry, claim: Claim, booting: HeldProcess, family: list[HeldProcess]) -> int:
    """End it at once. The template ends the Envs, and clears up, as soon as the booting process is gone."""
    booting.send(signal.SIGKILL)
    for each in family:
        each.send(signal.SIGCONT)
    wait_ended([booting], None)
    _end_rest(family)
    registry.withdraw(claim.tag, claim.corps)
    _say(f"{claim.tag}: killed")
    return OK


def _end_rest(family: list[HeldProcess]) -> None:
    if not wait_ended(family, _PATIENCE):
        for each in family:
            each.send(signal.SIGKILL)
        wait_ended(family, None)


def _say(text: str) -> None:
    print(text, flush=True)
