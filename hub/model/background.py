"""What was measured of the background of an event, and what it was measured from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub.model.instant import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class BackgroundVersion:
    """The background of one event under one hypothesis in one survey, as it was computed once; never edited."""

    event_id: str
    hypothesis: str
    survey: str
    version: int
    computed_at: Instant
    content: Mapping[str, Any]
    """``background``, a `hub.science.chance.Background`, as JSON values, with all it follows from: ``localization_id``, ``t0``,
    ``begin``, ``until``, ``seed``, ``off_maps`` (shifts and counts)."""
