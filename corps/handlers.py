"""Exceptions from handlers of signals. They are for the program, not for what its main thread was doing.

Thread-safe.
"""

from opcode import opmap
from typing import Final

_OPTIMIZED: Final = 0x1  # inspect.CO_OPTIMIZED: a function
_VARARGS: Final = 0x4  # inspect.CO_VARARGS
_RAISING: Final = frozenset({opmap["RAISE_VARARGS"], opmap["RERAISE"]})


def came_from_a_handler(error: BaseException) -> bool:
    """Return whether the handler of a signal has raised an exception, by its traceback.

    A handler gets the frame that it has interrupted. For Python that frame is its caller. No other function
    gets the frame of its caller. Python's own handler for Ctrl-C has no frame: its KeyboardInterrupt begins
    where nothing raises.
    """
    last = error.__traceback__
    # Not in the frame that has caught it: a look at its variables would tie the exception to itself.
    step = last.tb_next if last is not None else None
    while step is not None:
        frame = step.tb_frame
        code = frame.f_code
        caller = frame.f_back
        if caller is not None and code.co_flags & _OPTIMIZED:
            count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & _VARARGS)
            for name in code.co_varnames[:count]:
                value = frame.f_locals.get(name)
                if value is caller or (type(value) is tuple and any(each is caller for each in value)):
                    return True
        last, step = step, step.tb_next
    if last is None or not isinstance(error, KeyboardInterrupt):
        return False
    return last.tb_frame.f_code.co_code[last.tb_lasti] not in _RAISING
