"""Files that are read as a whole take no more memory than what is in them."""

from __future__ import annotations

import io

import pytest

from exporter.whole_file import read_up_to

MIB = 1024**2


class Remembering(io.BytesIO):
    """Remembers for how many bytes it was asked at most."""

    most = 0

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        assert size >= 0, "asked for all that there is"
        self.most = max(self.most, size)
        return super().read(size)


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 100_000])
def test_all_is_read_up_to_the_limit_and_nothing_of_what_is_longer(size: int) -> None:
    content = bytes(range(256)) * 391

    assert content[:size] == read_up_to(io.BytesIO(content[:size]), 100_000)
    assert content[:size] == read_up_to(io.BytesIO(content[:size]), size)
    assert read_up_to(io.BytesIO(content[:size] + b"x"), size) is None


def test_it_is_read_in_pieces_so_that_what_might_be_there_takes_no_memory() -> None:
    file = Remembering(b"x")

    assert read_up_to(file, 4 * MIB) == b"x"
    assert file.most < 128 * 1024, "what is larger the C library maps, and then keeps"


def test_a_file_without_an_end_is_read_no_further_than_that_can_be_seen() -> None:
    with open("/dev/zero", "rb") as endless:  # noqa: PTH123
        assert read_up_to(endless, MIB) is None
