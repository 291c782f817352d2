"""A handler of `logging` that publishes records by ZeroMQ, as PyZMQ's own does."""

import logging
from typing import Final

import zmq
from zmq.log.handlers import PUBHandler

_LINGER: Final = 500  # milliseconds for the last records


class LogPublisher(PUBHandler):
    """PyZMQ's handler, with the Env of each record as its root topic: ``env1.WARNING``."""

    def __init__(self, address: str) -> None:
        """Bind a PUB socket to an address; an OSError if that cannot be."""
        self._own_context = zmq.Context()
        socket: zmq.Socket[bytes] = self._own_context.socket(zmq.PUB)
        try:
            socket.bind(address)
        except zmq.ZMQError as error:
            socket.close(0)
            self._own_context.term()
            raise OSError(error.errno, str(error)) from error
        super().__init__(socket)

    def format(self, record: logging.LogRecord) -> str:
        """Format a record, by the form of the level below if its own level has none."""
        if record.levelno in self.formatters:
            return super().format(record)
        below = max((level for level in self.formatters if level < record.levelno), default=logging.DEBUG)
        form = self.formatters[below]
        return record.getMessage() if form is None else form.format(record)

    def emit(self, record: logging.LogRecord) -> None:
        """Publish a record."""
        self.root_topic = getattr(record, "env", "")
        super().emit(record)

    def close(self) -> None:
        """Close the socket, when the last records have gone, or after a moment. Idempotent."""
        if not self.socket.closed:
            self.socket.close(_LINGER)
            self._own_context.term()
        super().close()
