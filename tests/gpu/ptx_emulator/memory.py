"""Global and shared memory of the emulated device, and the shadow that check mode keeps of them."""

from __future__ import annotations

import bisect
import weakref

import numpy as np

ALIGNMENT = 256
GUARD = 1024  # bytes before and behind every allocation that belong to no array
POISON = 0xFF  # NaN in every floating type


class EmulatorError(RuntimeError):
    """What a device would have reported, or silently got wrong."""


class Allocation:
    """One block of global memory, poisoned, at a 256-byte boundary between guard zones."""

    def __init__(self, size: int, address: int | None = None) -> None:
        raw = np.full(size + ALIGNMENT + 2 * GUARD, POISON, np.uint8)
        start = GUARD + -(raw.ctypes.data + GUARD) % ALIGNMENT
        self.bytes = raw[start : start + align_up(size, 8)]
        self.size = size
        self.address = self.bytes.ctypes.data if address is None else address
        self.written = np.zeros(size, bool)
        self.writer: np.ndarray | None = None  # thread that wrote a byte during this launch

    def __len__(self) -> int:
        return self.size


def align_up(size: int, to: int) -> int:
    return -(-size // to) * to


class GlobalMemory:
    """All live allocations, found by address."""

    def __init__(self, check: bool) -> None:
        self.check = check
        self.starts: list[int] = []
        self.allocations: list[weakref.ref[Allocation]] = []

    def allocate(self, size: int, address: int | None = None) -> Allocation:
        allocation = Allocation(size, address)
        at = bisect.bisect(self.starts, allocation.address)
        self.starts.insert(at, allocation.address)
        self.allocations.insert(at, weakref.ref(allocation))
        weakref.finalize(allocation, self.release, allocation.address)
        return allocation

    def release(self, address: int) -> None:
        at = bisect.bisect_left(self.starts, address)
        del self.starts[at], self.allocations[at]

    def begin_launch(self) -> None:
        for reference in self.allocations:
            allocation = reference()
            if allocation is not None:
                allocation.writer = None

    def split(self, addresses: np.ndarray, size: int):
        """(allocation, which of the addresses lie in it, byte offsets), for each allocation hit."""
        left = np.ones(addresses.shape, bool)
        while True:
            rest = addresses[left]
            if not rest.size:
                return
            at = bisect.bisect(self.starts, int(rest[0])) - 1
            allocation = self.allocations[at]() if at >= 0 else None
            if allocation is None or rest[0] + size > allocation.address + len(allocation):
                raise EmulatorError(f"global access of {size} bytes outside every array")
            low, high = allocation.address, allocation.address + len(allocation) - size
            if rest.size == addresses.size and rest.min() >= low and rest.max() <= high:
                yield allocation, slice(None), addresses - low
                return
            inside = left & (addresses >= low) & (addresses <= high)
            yield allocation, inside, addresses[inside] - low
            left &= ~inside

    def load(self, addresses: np.ndarray, dtype: np.dtype, lanes: np.ndarray) -> np.ndarray:
        values = np.empty(addresses.shape, dtype)
        for allocation, where, offsets in self.split(addresses, dtype.itemsize):
            if self.check:
                cells = offsets[:, None] + np.arange(dtype.itemsize)
                if not allocation.written[cells].all():
                    raise EmulatorError("read of uninitialised global memory")
                if allocation.writer is not None:
                    others = allocation.writer[offsets]
                    if ((others != 0) & (others != lanes[where] + 1)).any():
                        raise EmulatorError("global memory race: read after another thread's write")
            values[where] = allocation.bytes.view(dtype)[offsets // dtype.itemsize]
        return values

    def store(self, addresses: np.ndarray, values: np.ndarray, lanes: np.ndarray) -> None:
        size = values.dtype.itemsize
        for allocation, where, offsets in self.split(addresses, size):
            if self.check:
                if allocation.writer is None:
                    allocation.writer = np.zeros(len(allocation), np.int64)
                cells = (offsets[:, None] + np.arange(size)).reshape(-1)
                threads = np.repeat(lanes[where] + 1, size)
                before = allocation.writer[cells]
                allocation.writer[cells] = threads
                raced = (before != 0) & (before != threads) | (allocation.writer[cells] != threads)
                if raced.any():
                    raise EmulatorError("global memory race: two threads write one element")
                allocation.written[cells] = True
            allocation.bytes.view(values.dtype)[offsets // size] = values[where]


class SharedMemory:
    """The shared memory of a batch of blocks, one after the other.

    The shadow has one entry per two bytes: who wrote it and who read it last, and between which
    barriers. Two accesses by different threads between the same two barriers, one of them a
    write, are a race, in whatever order they happened to run here.
    """

    CELL = 2

    def __init__(self, blocks: int, size: int, check: bool) -> None:
        self.size = align_up(size, 16)
        self.limit = size
        self.bytes = np.full(blocks * self.size, POISON, np.uint8)
        self.check = check
        if check:
            cells = len(self.bytes) // self.CELL
            self.writer, self.reader = np.zeros(cells, np.int64), np.zeros(cells, np.int64)
            self.write_epoch, self.read_epoch = np.full(cells, -1), np.full(cells, -1)
            self.several = np.zeros(cells, bool)  # more than one reader since the barrier
            self.epoch = np.zeros(blocks, np.int64)

    def offsets(self, addresses: np.ndarray, size: int, blocks: np.ndarray) -> np.ndarray:
        if addresses.size and (addresses.min() < 0 or addresses.max() + size > self.limit):
            raise EmulatorError(f"shared access of {size} bytes outside {self.limit} bytes")
        return addresses + blocks * self.size

    def load(self, addresses, dtype, lanes, blocks) -> np.ndarray:
        offsets = self.offsets(addresses, dtype.itemsize, blocks)
        if self.check:
            cells, threads, epoch = self._cells(offsets, dtype.itemsize, lanes, blocks)
            if (self.writer[cells] == 0).any():
                raise EmulatorError("read of uninitialised shared memory")
            self._no_write_by_others(cells, threads, epoch, "read after write")
            fresh = self.read_epoch[cells] != epoch
            others = ~fresh & (self.reader[cells] != threads)
            self.several[cells] = np.where(fresh, False, self.several[cells] | others)
            self.reader[cells] = threads
            self.several[cells] |= self.reader[cells] != threads
            self.read_epoch[cells] = epoch
        return self.bytes.view(dtype)[offsets // dtype.itemsize]

    def store(self, addresses, values, lanes, blocks) -> None:
        size = values.dtype.itemsize
        offsets = self.offsets(addresses, size, blocks)
        if self.check:
            cells, threads, epoch = self._cells(offsets, size, lanes, blocks)
            self._no_write_by_others(cells, threads, epoch, "write after write")
            readers = self.several[cells] | (self.reader[cells] != threads)
            if ((self.read_epoch[cells] == epoch) & readers).any():
                raise EmulatorError("shared memory race: write after read")
            self.writer[cells] = threads
            if (self.writer[cells] != threads).any():
                raise EmulatorError("shared memory race: two threads write one element")
            self.write_epoch[cells] = epoch
        self.bytes.view(values.dtype)[offsets // size] = values

    def _cells(self, offsets, size, lanes, blocks):
        count = max(1, size // self.CELL)
        cells = (offsets[:, None] // self.CELL + np.arange(count)).reshape(-1)
        threads = np.repeat(lanes + 1, count)
        return cells, threads, np.repeat(self.epoch[blocks], count)

    def _no_write_by_others(self, cells, threads, epoch, what) -> None:
        others = (self.writer[cells] != 0) & (self.writer[cells] != threads)
        if (others & (self.write_epoch[cells] == epoch)).any():
            raise EmulatorError(f"shared memory race: {what}")
