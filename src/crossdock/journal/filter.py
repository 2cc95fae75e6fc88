"""
A Bloom filter over many runs at once, bit-sliced: one look-up tells which of 64 runs may hold an id.

A bank is an array of 64-bit cells. A mark of the run in slot `i` sets bit `i` of five cells that its digest
names; a digest may be in run `i` if bit `i` is set in all five. So an id that is new costs five reads and
four ANDs for 64 runs together, about a microsecond, and no SQL.

With 131,072 marks to a run and 2,097,152 cells, a run's filter is 27 % full and one look-up in 700 for it
is in vain; over 40 runs (5 million marks) 5.5 % of new ids cost a vain point query. A bank takes 16 MiB for
up to 8.4 million marks: 2 MB a million.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from struct import Struct
from typing import Final

SLOTS_A_BANK: Final = 64
SLOTS_A_PLANE: Final = 8
_WORDS: Final = Struct("<QQ").unpack


class RunFilter:
    """Which runs may hold a digest of 16 bytes; never says no to one that does."""

    def __init__(self, cells: int) -> None:
        if cells & (cells - 1) or cells > 1 << 21:
            raise ValueError(f"cells must be a power of two up to {1 << 21}, not {cells}")
        self._cells = cells
        self._mask = cells - 1
        self._bytes: list[bytearray] = []
        self._banks: list[memoryview] = []
        self._live: list[int] = []

    @property
    def size_bytes(self) -> int:
        """Memory taken."""
        return sum(map(len, self._bytes))

    def __call__(self, digest: bytes) -> int:
        """Give the live slots that may hold `digest`, as bits of an integer."""
        low, high = _WORDS(digest)
        mask = self._mask
        a, b, c, d = low & mask, low >> 21 & mask, low >> 42 & mask, high & mask
        found = 0
        for bank, cells in enumerate(self._banks):
            bits = cells[a] & cells[b] & cells[c] & cells[d] & self._live[bank]
            if bits:
                bits &= cells[high >> 21 & mask]
                found |= bits << (bank * SLOTS_A_BANK)
        return found

    def add(self, slot: int, digests: Iterable[bytes]) -> None:
        """Enter digests into a slot; they show once the slot is `live`."""
        bank, bit = divmod(slot, SLOTS_A_BANK)
        cells, one, mask = self._banks[bank], 1 << bit, self._mask
        for digest in digests:
            low, high = _WORDS(digest)
            cells[low & mask] |= one
            cells[low >> 21 & mask] |= one
            cells[low >> 42 & mask] |= one
            cells[high & mask] |= one
            cells[high >> 21 & mask] |= one

    def live(self, slot: int, alive: bool) -> None:
        """Let a slot show in answers, or no longer."""
        bank, bit = divmod(slot, SLOTS_A_BANK)
        self._live[bank] = self._live[bank] | 1 << bit if alive else self._live[bank] & ~(1 << bit)

    def clear(self, slot: int) -> None:
        """Empty a slot, to be used for another run; makes its bank if it is the first there."""
        bank, bit = divmod(slot, SLOTS_A_BANK)
        while len(self._banks) <= bank:
            room = bytearray(self._cells * 8)
            self._bytes.append(room)
            self._banks.append(memoryview(room).cast("Q"))
            self._live.append(0)
        self.live(slot, alive=False)
        keep = ~(1 << bit % SLOTS_A_PLANE) & 0xFF
        self.set_plane(
            slot // SLOTS_A_PLANE, self.plane(slot).translate(bytes(value & keep for value in range(256)))
        )

    def plane(self, slot: int) -> bytes:
        """Give the plane a slot lies in, one byte a cell, to be stored."""
        bank, bit = divmod(slot, SLOTS_A_BANK)
        return bytes(self._bytes[bank][bit // SLOTS_A_PLANE :: SLOTS_A_PLANE])

    def set_plane(self, plane: int, stored: bytes) -> None:
        """Put a stored plane back; its bank must be there (`clear`)."""
        bank, byte = divmod(plane, SLOTS_A_BANK // SLOTS_A_PLANE)
        self._bytes[bank][byte::SLOTS_A_PLANE] = stored


def slots(bits: int) -> Iterator[int]:
    """Give the places of the bits set in an answer of the filter, lowest first."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest
