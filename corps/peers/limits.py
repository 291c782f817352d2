"""What may go to a peer. What no message can hold fails in the caller, and not in silence at the peer."""

from collections.abc import Sequence
from typing import NamedTuple

from corps.errors import PackError
from corps.wire.frames import MAX_FRAMES, MAX_METHOD, Frame


class Limits(NamedTuple):
    """What one peer takes, in each direction."""

    window: tuple[int, int]  # requests and bytes that may be unanswered
    patience: float | None  # seconds that a sender waits for room; None for as long as it takes
    max_frame: int | None  # bytes of the longest frame; None for no limit


def check_frames(frames: Sequence[Frame], max_frame: int | None) -> None:
    """Check all frames of a message but the header. Raise PackError if they cannot be sent."""
    if max_frame is not None and (largest := max(map(len, frames))) > max_frame:
        raise PackError(
            f"{largest} bytes in one piece are more than a frame may have ({max_frame}): send it "
            "in parts, or raise the setting max_message"
        )
    if len(frames) >= MAX_FRAMES:
        raise PackError(
            f"{len(frames) - 1} buffers are more than a message may have ({MAX_FRAMES - 2}): send it in "
            "parts, or raise the setting out_of_band"
        )


def check_method(method: str) -> None:
    """Check the name of a method or attribute. Raise PackError if a header cannot hold it."""
    if method.isascii() and len(method) <= MAX_METHOD:
        return
    try:
        size = len(method.encode())
    except UnicodeEncodeError as error:
        raise PackError(f"the name {method!r:.80} is no text that can be sent: {error.reason}") from error
    if size > MAX_METHOD:
        raise PackError(f"a name of {size} bytes is more than can be sent ({MAX_METHOD})")
