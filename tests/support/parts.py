"""Contexts for sources and destinations that are opened without a hub."""

from collections.abc import Mapping
from pathlib import Path

from hub.model.instant import Instant
from hub.ports import Clock, Incident, PartContext, Place

T0 = Instant.from_utc_iso("2026-03-01T00:00:00Z")
"""What the clock of `part_context` says where none is given."""


def part_context(
    data_dir: Path,
    name: str = "part",
    *,
    clock: Clock = lambda: T0,
    incidents: list[Incident] | None = None,
    places: Mapping[tuple[str, int], Place] | None = None,
) -> PartContext:
    """Return a context whose incidents go into a list; the hub's own places are none unless given."""
    found = [] if incidents is None else incidents
    return PartContext(
        name=name,
        authority="example.org/mmhub",
        data_dir=data_dir,
        clock=clock,
        report=found.append,
        places=lambda: {} if places is None else dict(places),
    )
