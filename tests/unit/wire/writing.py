"""Every header as a frame: also those that nothing in corps writes."""

from corps.wire import frames, link_frames
from corps.wire.frames import FLAGS, REQUEST, Header, Hello, RequestHeader, pack
from corps.wire.link_frames import LinkHeader


def written(header: Header | LinkHeader) -> bytes:
    if isinstance(header, Hello):
        return header.header()
    if isinstance(header, LinkHeader):
        return link_frames.frame_of(header)
    if not isinstance(header, RequestHeader):
        return frames.frame_of(header)
    flags, present = 0, []
    for flag, field in zip(FLAGS, header.optional or (), strict=False):
        if field is not None:
            flags |= flag
            present.append(field)
    return pack((REQUEST, *header[:-1], flags, *present))
