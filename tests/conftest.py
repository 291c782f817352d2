"""What holds for the whole suite."""

import gc
import os
import signal
import tempfile
from collections.abc import Iterator

import hypothesis
import pytest

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
    """Undo what a shell does to a job in the background; and let no garbage be sought among the tests.

    Such a job, and all that it starts, would ignore Ctrl-C; and a hang-up too, if `nohup` started it.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    gc.disable()


def pytest_collection_finish() -> None:
    """Let the collection of garbage look at what tests make only: the tests themselves live until the end."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_xdist_auto_num_workers() -> int:
    """Two for each core: a test waits about as long for processes and timers as it computes."""
    return 2 * len(os.sched_getaffinity(0))


@pytest.fixture(scope="session", autouse=True)
def own_directory_for_temporary_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Where the runtime directories of this process of the suite are, and nobody else's.

    So the leak check, which looks there, sees what these tests leave behind, and not what other Corps of the
    machine do meanwhile.
    """
    tmp_path_factory.getbasetemp()  # it stays where pytest keeps the last ones
    # Short, since the paths of sockets are.
    with tempfile.TemporaryDirectory(prefix="t") as path, pytest.MonkeyPatch.context() as patch:
        os.chmod(path, 0o711)  # tests of another user: it must get as far as the directory of a Corps
        patch.delenv("XDG_RUNTIME_DIR", raising=False)
        patch.setenv("TMPDIR", path)
        patch.setattr(tempfile, "tempdir", path)
        yield
