"""What a plan brings against what fastavro brings, and in which directions they may differ."""

from collections.abc import Sequence

import numpy as np

from adapters.codecs.alerts.avro_plan import Fault
from adapters.codecs.alerts.avro_projection import Messages, Projection, Projector, project_plainly

STRICTER = (Fault.VALUE, Fault.BRANCH)
"""Faults of which fastavro may know nothing: any byte is a truth value to it, a branch or a symbol may be numbered below zero, a
branch in several bytes, and a whole number may have more than its bits."""


def assert_same_columns(found: Projection, plain: Projection, rows: Sequence[int]) -> None:
    """Compare some rows of two projections."""
    index = np.array(rows, dtype=np.intp)
    for name, column in plain.integers.items():
        np.testing.assert_array_equal(found.integers[name][index], column[index], err_msg=name)
    for name, values in plain.numbers.items():
        np.testing.assert_array_equal(found.numbers[name][index], values[index], err_msg=name)
    for name in plain.each:
        for row in rows:
            ours, theirs = (one.each[name][one.items[name][row] : one.items[name][row + 1]] for one in (found, plain))
            np.testing.assert_array_equal(ours, theirs, err_msg=name)
    for name in plain.sizes:
        for row in rows:
            assert found.text(name, row) == plain.text(name, row), name


def assert_agree(projector: Projector, payloads: Sequence[bytes]) -> dict[Fault, int]:
    """Compare messages that may be broken, and return how many ended in which fault."""
    messages = Messages.of(payloads)
    found = projector.project(messages)
    plain = project_plainly(projector.schema, projector.wants, messages, to_the_end=projector.to_the_end)
    good = np.flatnonzero(found.faults == Fault.NONE).tolist()
    refused = np.flatnonzero(plain.faults != Fault.NONE)
    assert not set(good) & set(refused.tolist()), "fastavro refuses what was read"
    assert_same_columns(found, plain, good)
    np.testing.assert_array_equal(found.ends[good], plain.ends[good])
    for row in np.flatnonzero((found.faults != Fault.NONE) & (plain.faults == Fault.NONE)).tolist():
        assert Fault(int(found.faults[row])) in STRICTER, (found.sentence(row), payloads[row])
    return {fault: int((found.faults == fault).sum()) for fault in Fault}
