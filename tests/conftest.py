"""What holds for the whole suite."""

import signal


def pytest_configure() -> None:
    """Undo what a shell does to a job in the background: it, and all that it starts, would ignore Ctrl-C."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
