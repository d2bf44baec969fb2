"""Messages that end where the readable memory ends. Run with a number; reading a byte too many ends the process."""

import ctypes
import mmap
import random
import sys

import numpy as np

from adapters.codecs.alerts import avro_kernel
from adapters.codecs.alerts.avro_plan import MISSING
from adapters.codecs.alerts.lsst_schemas import by_id, known_ids
from tests.support import lsst_packets

PAGE = mmap.PAGESIZE
ROOM = 4 * PAGE


def guarded() -> tuple[mmap.mmap, int]:
    """Return memory of which the last page cannot be read, and the address of that page."""
    memory = mmap.mmap(-1, ROOM + PAGE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mprotect(ctypes.c_void_p(start + ROOM), ctypes.c_size_t(PAGE), 0) != 0:
        raise OSError(ctypes.get_errno(), "mprotect")
    return memory, start + ROOM


def spoilt(dice: random.Random, body: bytes) -> bytes:
    """Return a body cut off somewhere, most often with a byte changed before."""
    data = bytearray(body[: dice.randint(0, len(body))])
    if data and dice.random() < 0.7:
        data[dice.randrange(len(data))] = dice.choice((0, 1, 2, 4, 0x7F, 0x80, 0xFE, 0xFF))
    return bytes(data)


def walk(schema_id: int, address: int, length: int) -> int:
    """Return what the kernel finds wrong with the bytes at an address."""
    plan = by_id(schema_id).projector.plan
    integers, numbers = np.full((plan.n_integers, 1), MISSING), np.full((len(plan.within), 1), np.nan)
    faults, places, ends = (np.zeros(1, dtype=np.int64) for _ in range(3))
    program = (plan.code, plan.table, plan.within, plan.depth, True)
    each, items = np.full((len(plan.each), 1024), np.nan), np.zeros((len(plan.arrays), 2), dtype=np.int64)
    found = integers, numbers, faults, places, ends, 0, each, items
    assert avro_kernel.walk(np.array([address]), np.array([length]), *program, *found) == 1
    assert 0 <= ends[0] <= length
    return int(faults[0])


def main(n_messages: int) -> None:
    memory, end = guarded()
    dice = random.Random("pages")
    seeds = [
        (schema_id, lsst_packets.framed(version, lsst_packets.record(version, history_mjd=(61_233.5,)))[5:])
        for schema_id, version in known_ids().items()
    ]
    n_good = 0
    for n in range(n_messages):
        schema_id, body = seeds[n % len(seeds)]
        data = spoilt(dice, body) if n >= len(seeds) else body
        memory[ROOM - len(data) : ROOM] = data
        n_good += walk(schema_id, end - len(data), len(data)) == 0
    assert len(seeds) <= n_good < n_messages / 2
    print(n_messages)
    if "beyond" in sys.argv:  # the guard is one: this must not return
        walk(seeds[0][0], end - 20, 40)


if __name__ == "__main__":
    main(int(sys.argv[1]))
