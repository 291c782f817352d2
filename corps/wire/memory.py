"""Memory for large messages: asked of the system once, and filled as it comes to be used."""

import mmap
from contextlib import suppress
from typing import Final

# From here on memory is mapped. A bytearray of 64 MiB is first filled with zeros, 26 ms in which no other
# thread runs; and to touch it page by page costs 28 ms, to touch it by large pages 10 ms.
_MAPPED: Final = 2 * 1024 * 1024


def new_memory(size: int) -> memoryview:
    """Return memory that can be written, and lives as long as a view of it. Raise MemoryError alone."""
    try:
        if size < _MAPPED:
            return memoryview(bytearray(size))
        mapped = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except (MemoryError, OSError, OverflowError) as error:
        raise MemoryError(f"there is no memory for {size} bytes") from error
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):  # a kernel without large pages
            mapped.madvise(mmap.MADV_HUGEPAGE)
    return memoryview(mapped)
