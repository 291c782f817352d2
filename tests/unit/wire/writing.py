"""Every header as a frame: also those that nothing in corps writes."""

from corps.wire import frames, link_frames
from corps.wire.frames import FLAGS, OPTIONAL_FIELDS, REQUEST, Header, Hello, RequestHeader, pack
from corps.wire.link_frames import LinkHeader


def written(header: Header | LinkHeader) -> bytes:
    if isinstance(header, Hello):
        return header.header()
    if isinstance(header, LinkHeader):
        return link_frames.frame_of(header)
    if not isinstance(header, RequestHeader):
        return frames.frame_of(header)
    optional = header.optional or {}
    flags = sum(flag for flag, name in zip(FLAGS, OPTIONAL_FIELDS, strict=True) if name in optional)
    present = [optional[name] for name in OPTIONAL_FIELDS if name in optional]
    return pack((REQUEST, *header[:-1], flags, *present))
