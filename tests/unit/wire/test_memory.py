"""Claims about memory for large messages."""

import pytest

from corps.wire.memory import new_memory


@pytest.mark.parametrize("size", [0, 1, 2 * 1024 * 1024 - 1, 2 * 1024 * 1024, 5_000_001])
def test_memory_has_its_size_and_can_be_written(size: int) -> None:
    memory = new_memory(size)
    assert len(memory) == memory.nbytes == size
    memory[size // 2 :] = b"x" * (size - size // 2)
    assert bytes(memory[-1:]) == b"x" * min(1, size)


@pytest.mark.parametrize("size", [2**62, 2**64])
def test_memory_that_is_not_there_is_an_error(size: int) -> None:
    with pytest.raises(MemoryError, match="no memory"):
        new_memory(size)
