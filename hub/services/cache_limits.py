"""What the caches of one process may take, all in one place: the memory of a worker is what it is without them, and this."""

from dataclasses import dataclass

MIB = 1 << 20
"""Bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheLimits:
    """Bytes; each cache forgets what was not asked for longest beyond its limit.

    Not among them are the snapshots of the sky (`hub.services.live_sky.BUDGET_BYTES`, the latest however large it is) and the
    footers of files (`hub.archive.segments.KEPT_BYTES`).
    """

    source_ids: int = 32 * MIB
    """16 bytes each, of the detection and of its version: two million, in the cells that were written lately. Those of others are
    read from the files again."""

    recent_rows: int = 16 * MIB
    """Of files that are not merged yet."""

    candidate_maps: int = 32 * MIB
    """What judging candidates needs of maps where the rows that live matching has do not suffice: 0.5 MB of one of 20,000 tiles,
    sixty of them."""

    whole_maps: int = 32 * MIB
    """2 MB of one of 20,000 tiles, for pairs of events; a worker needs none."""


CACHES = CacheLimits()
"""Of every process of the hub."""
