"""Refuses to run in a sub-interpreter of a process. What is public is imported behind it."""

import _thread

if not getattr(_thread, "_is_main_interpreter", lambda: True)():
    raise ImportError(
        "corps cannot run in a sub-interpreter: signals, forks and the libraries below it belong to a "
        "process as a whole; import it in the main interpreter, or start a process"
    )
