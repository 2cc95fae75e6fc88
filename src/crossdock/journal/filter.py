"""
A Bloom filter over many runs at once, bit-sliced: one look-up tells which of 64 runs may hold an id.

A bank is an array of 64-bit cells. A mark of the run in slot `i` sets bit `i` of six cells that its digest
names; a digest may be in run `i` if bit `i` is set in all six. So an id that is new costs four reads, seldom
six, for 64 runs together: about a microsecond, and no SQL.

With 131,072 marks to a run and 2,097,152 cells, a run's filter is 31 % full and one look-up in 1,000 for it
is in vain; over 38 runs (5 million marks) 3.6 % of new ids cost a vain point query. A bank takes 16 MiB for
up to 8.4 million marks: 2 MB a million.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from struct import Struct
from typing import Final

SLOTS_A_BANK: Final = 64
SLOTS_A_PLANE: Final = 8
_WORDS: Final = Struct("<IIII").unpack
_WORD_BITS: Final = 32
_LOW: Final = 0x7FF


class RunFilter:
    """Which runs may hold a digest of 16 bytes; never says no to one that does."""

    def __init__(self, cells: int) -> None:
        if cells & (cells - 1) or not 1 << 8 <= cells <= 1 << 21:
            raise ValueError(f"cells must be a power of two from {1 << 8} to {1 << 21}, not {cells}")
        self._cells = cells
        self._mask = cells - 1
        self._shift = _WORD_BITS - (cells.bit_length() - 1)
        self._banks: list[array[int]] = []
        self._live: list[int] = []

    @property
    def size_bytes(self) -> int:
        """Memory taken."""
        return len(self._banks) * self._cells * 8

    def __call__(self, digest: bytes) -> int:
        """Give the live slots that may hold `digest`, as bits of an integer."""
        a, b, c, d = _WORDS(digest)
        shift, mask = self._shift, self._mask
        found = 0
        for bank, cells in enumerate(self._banks):
            bits = cells[a >> shift] & cells[b >> shift] & cells[c >> shift] & cells[d >> shift]
            bits &= self._live[bank]
            if bits:
                # Two more cells, from the bits the four leave unused; most new ids never get here.
                bits &= (
                    cells[((a & _LOW) << 10 ^ b & _LOW) & mask] & cells[((c & _LOW) << 10 ^ d & _LOW) & mask]
                )
                found |= bits << (bank * SLOTS_A_BANK)
        return found

    def add(self, slot: int, digests: Iterable[bytes]) -> None:
        """Enter digests into a slot; they show once the slot is `live`."""
        bank, bit = divmod(slot, SLOTS_A_BANK)
        cells, one, shift, mask = self._banks[bank], 1 << bit, self._shift, self._mask
        for digest in digests:
            a, b, c, d = _WORDS(digest)
            cells[a >> shift] |= one
            cells[b >> shift] |= one
            cells[c >> shift] |= one
            cells[d >> shift] |= one
            cells[((a & _LOW) << 10 ^ b & _LOW) & mask] |= one
            cells[((c & _LOW) << 10 ^ d & _LOW) & mask] |= one

    def live(self, slot: int, alive: bool) -> None:
        """Let a slot show in answers, or no longer."""
        bank, bit = divmod(slot, SLOTS_A_BANK)
        self._live[bank] = self._live[bank] | 1 << bit if alive else self._live[bank] & ~(1 << bit)

    def make_room(self, slot: int) -> None:
        """Make the bank of a slot if it is the first there."""
        while len(self._banks) <= slot // SLOTS_A_BANK:
            self._banks.append(array("Q", bytes(self._cells * 8)))
            self._live.append(0)

    def clear(self, slot: int) -> None:
        """Empty a slot, to be used for another run."""
        self.make_room(slot)
        self.live(slot, alive=False)
        bit = slot % SLOTS_A_BANK
        keep = ~(1 << bit % SLOTS_A_PLANE) & 0xFF
        self.set_plane(
            slot // SLOTS_A_PLANE, self.plane(slot).translate(bytes(value & keep for value in range(256)))
        )

    def plane(self, slot: int) -> bytes:
        """Give the plane a slot lies in, one byte a cell, to be stored."""
        bank, bit = divmod(slot, SLOTS_A_BANK)
        return bytes(self._octets(bank)[bit // SLOTS_A_PLANE :: SLOTS_A_PLANE])

    def set_plane(self, plane: int, stored: bytes) -> None:
        """Put a stored plane back; its bank must be there (`make_room`)."""
        bank, byte = divmod(plane, SLOTS_A_BANK // SLOTS_A_PLANE)
        self._octets(bank)[byte::SLOTS_A_PLANE] = stored

    def _octets(self, bank: int) -> memoryview:
        return memoryview(self._banks[bank]).cast("B")


def slots(bits: int) -> Iterator[int]:
    """Give the places of the bits set in an answer of the filter, lowest first."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest
