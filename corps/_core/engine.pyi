"""What Python code sees of the native core; the rest of it is seen as the classes of the engine."""

from threading import Lock as Lock

def know(**parts: object) -> None: ...
