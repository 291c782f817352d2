"""What holds for the whole suite."""

import os
import signal

import hypothesis

# How long an example takes says something about the machine, not about the code.
hypothesis.settings.register_profile(
    "corps",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large],
)
hypothesis.settings.load_profile("corps")

# Under it a script writes print(a, b) in pieces, as Python is made, and another process may write in between.
# What the suite reads are whole lines; the test that is about the variable sets it itself.
os.environ.pop("PYTHONUNBUFFERED", None)


def pytest_configure() -> None:
    """Undo what a shell does to a job in the background.

    It, and all that it starts, would ignore Ctrl-C; and a hang-up too, if `nohup` started it.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
