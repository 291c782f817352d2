import os
import resource
import subprocess

from corps.launchers.local.core_files import turn_off_core_files


def in_a_process_of_ours(look: str) -> str:
    """What a shell says in a process that is protected. The tests' own one stays as it is."""

    def protect() -> None:
        _, hard = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
        turn_off_core_files()
        turn_off_core_files()

    run = subprocess.run(["/bin/sh", "-c", look], preexec_fn=protect, capture_output=True, check=True)
    return run.stdout.decode().strip()


def test_no_core_file_is_written_and_one_that_were_would_hold_nothing() -> None:
    assert in_a_process_of_ours("ulimit -S -c; cat /proc/self/coredump_filter").split() == ["0", "00000000"]


def test_the_limit_can_be_raised_again() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    expected = "unlimited" if hard == resource.RLIM_INFINITY else str(hard // 512)
    assert in_a_process_of_ours("ulimit -H -c") == expected


def test_a_debugger_of_this_user_can_still_attach() -> None:
    """What belongs to a process that is not dumpable belongs to root, and is closed to its own user."""
    assert in_a_process_of_ours("stat -c %u /proc/self/environ") == str(os.getuid())
