"""Envs that hang: a thread finds them because they give no sign of life any more, and ends them.

A process that will never go on looks like one that is only slow, so there are two steps. A process that is
silent for a while is *suspect*: the log says so, and requests to it wait. A process that stays silent is
given up: it writes the stacks of its threads, if it can, and is killed. The rest is as after every death, but
for the reason, which is ``"hung"``.
"""

import logging
from threading import Event, Lock, Thread, current_thread
from typing import Final

from corps.addresses import env_label
from corps.clock import now
from corps.launchers.launcher import MAIN, READING, LaunchedEnv
from corps.supervision.vitals import Judge, Verdict

_log = logging.getLogger("corps.managers")

_LAST_WORDS: Final = 2.0  # seconds that a process has to write its stacks, and to end by that

_KINDS: Final = ("main thread", "reading thread")  # the threads that give the signs, by MAIN and READING


class Vitals:
    """Watches processes, in a thread of its own. Thread-safe."""

    def __init__(self, every: float, suspect: float, dead: float | None) -> None:
        """Watch no process yet. All are seconds; if `dead` is None, none is ever watched."""
        self._every = every
        self._dead = dead
        self._lock = Lock()  # protects everything below; nothing is logged, and no signal sent, under it
        self._judge: Judge[LaunchedEnv] = Judge(every, suspect, dead if dead is not None else suspect)
        self._watched: set[LaunchedEnv] = set()
        self._hung: dict[LaunchedEnv, tuple[str, float]] = {}  # given up: why, and when it is killed
        self._closes = Event()
        self._thread: Thread | None = None

    def watch(self, process: LaunchedEnv) -> None:
        """Watch the process of an Env that has joined: it gives signs of life already."""
        if self._dead is None:
            return
        with self._lock:
            if self._closes.is_set() or process.wait(0) is not None:  # or it is forgotten later
                return
            self._watched.add(process)
            self._judge.add(process)
            if self._thread is None:
                self._thread = Thread(target=self._run, name="corps-vitals", daemon=True)
                self._thread.start()

    def forget(self, process: LaunchedEnv) -> str | None:
        """Watch a process no more, which has ended. Return why it was given up, as a clause, if it was."""
        with self._lock:
            self._watched.discard(process)
            self._judge.remove(process)
            why, _ = self._hung.pop(process, (None, 0.0))
        return why

    def close(self) -> None:
        """Give up no process any more. Idempotent."""
        with self._lock:
            self._closes.set()
            thread = self._thread
        if thread is not None and thread is not current_thread():
            thread.join()

    # --- the thread ---

    def _run(self) -> None:
        while not self._closes.wait(self._every):
            try:
                self._look()
            except BaseException:  # what hangs later must be found too
                _log.exception("the signs of life could not be judged; please report it")

    def _look(self) -> None:
        at = now()
        with self._lock:
            verdicts = self._judge.look(at, {each: each.signs() for each in self._watched})
            for verdict in verdicts:
                if verdict.state == "dead":
                    self._hung[verdict.of] = _in_words(verdict, self._every), at + _LAST_WORDS
            due = [process for process, (_, kill_at) in self._hung.items() if kill_at <= at]
        for verdict in verdicts:
            self._tell(verdict)
        for process in due:
            process.kill()  # again and again, for the template may have been too busy to take it

    def _tell(self, verdict: Verdict[LaunchedEnv]) -> None:
        process = verdict.of
        label = env_label(process.env_id)
        if verdict.state == "well":
            _log.warning("%s gives signs of life again, after %.3g s", label, max(verdict.silences))
            return
        words = _in_words(verdict, self._every)
        if verdict.state == "suspect":
            _log.warning("%s may hang: %s. Requests to it wait", label, words)
        elif process.is_stopped():
            _log.error("%s hangs: %s. It is stopped, so it cannot write its stacks; killed", label, words)
            process.kill()
        else:
            _log.error("%s hangs: %s. It writes its stacks, and is killed", label, words)
            process.end_with_stacks()


def _in_words(verdict: Verdict[LaunchedEnv], every: float) -> str:
    # The main thread asks the other one for its signs: if it is silent itself, that one may be well.
    which = MAIN if verdict.silences[MAIN] > 2 * every else READING
    return f"no sign of life of its {_KINDS[which]} for {verdict.silences[which]:.3g} s"
