"""Answers the questions libzmq asks about every new connection, in the thread that reads for the Env.

pyzmq's own authenticator runs in a thread of its own, admits everybody without CURVE, and lets all in
once it has stopped. This one stops when the reading does, and then nobody is let in.
"""

from threading import Lock
from typing import Final

import zmq
from zmq.utils import z85

from corps.security.admission import Admission, Verdict
from corps.security.audit import Audit

_ENDPOINT: Final = "inproc://zeromq.zap.01"


class ZapHandler:
    """The ZAP handler of one context (https://rfc.zeromq.org/spec/27/). Who reads calls `answer`."""

    def __init__(
        self, context: "zmq.Context[zmq.Socket[bytes]]", admission: Admission, lock: Lock, audit: Audit
    ) -> None:
        """Bind the handler; must come before any socket of the context is bound."""
        self._admission = admission
        self._lock = lock
        self._audit = audit
        self.socket = context.socket(zmq.REP)
        self.socket.linger = 0
        self.socket.bind(_ENDPOINT)

    def answer(self) -> None:
        """Answer one question that has arrived."""
        version, request, _, address, _, mechanism, *credentials = self.socket.recv_multipart()
        try:
            verdict = self._judge(version, address, mechanism, credentials)
        except Exception as error:  # a REP socket that does not answer is never asked again
            verdict = Verdict(False, "", f"it could not be judged: {error}")
        if verdict.admitted:
            self._audit.admitted(verdict.reason)
        else:
            self._audit.refused("connection", verdict.reason)
        code, text = (b"200", b"OK") if verdict.admitted else (b"400", b"refused")
        self.socket.send_multipart([b"1.0", request, code, text, verdict.user.encode(), b""])

    def _judge(self, version: bytes, address: bytes, mechanism: bytes, credentials: list[bytes]) -> Verdict:
        if version != b"1.0":
            return Verdict(False, "", f"ZAP version {version!r} is not known")
        if mechanism == b"NULL":
            return self._admission.judge_local(address.decode("utf-8", "replace"))
        if mechanism == b"CURVE" and len(credentials) == 1 and len(credentials[0]) == 32:
            with self._lock:
                return self._admission.judge_key(z85.encode(credentials[0]).decode())
        return Verdict(False, "", f"mechanism {mechanism!r} is not allowed")
