"""An exception at each point of the runtime, and of `threading`, where the handler of a signal may run.

Python runs a handler when a function begins, at a jump back, and after a call of C: nowhere else.
"""

import dis
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final

import corps

_STRUCK: Final = str(Path(corps.__file__).parent), threading.__file__
_STEPS: Final = ("CALL", "CALL_FUNCTION_EX", "CALL_KW", "RESUME", "JUMP_BACKWARD")
_POINTS: Final = frozenset(dis.opmap[name] for name in _STEPS if name in dis.opmap)


def strike(point: int, act: Callable[[], object], error: type[BaseException]) -> bool | None:
    """Raise at the n-th point of the runtime in this thread.

    Returns:
        Whether it came out of the act; None if there were fewer points.
    """
    left = point
    former: dict[FrameType, int] = {}

    def step(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        if event == "opcode":
            before, former[frame] = former.get(frame), frame.f_code.co_code[frame.f_lasti]
            if before in _POINTS:
                left -= 1
                if left == 0:
                    raise error
        return step

    def enter(frame: FrameType, event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.startswith(_STRUCK):
            return None
        frame.f_trace = step  # first, or Python 3.13 shows no opcodes of this call
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return step

    sys._getframe().f_trace_opcodes = True  # or Python 3.12 shows no opcodes to the first trace function
    sys.settrace(enter)
    try:
        act()
    except error:
        return True
    finally:
        sys.settrace(None)
    return False if left <= 0 else None
