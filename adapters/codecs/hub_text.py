"""The hub's announcements as text for people: the first line is a title."""

from collections.abc import Mapping
from typing import Any

from adapters.codecs.hub_content import content
from hub.model.notice import Role
from hub.ports import Announcement

MEDIA_TYPE = "text/plain"
"""Media type of what is rendered."""

MAX_REASONS = 10
"""Reasons that are told; a reader who wants more has the API."""

_TOLD = ("joint_far", "random_association")
"""Statistics that are told, always both: the rate of noise is nothing without that of unrelated real events."""


class HubTextRenderer:
    """Renders announcements as text: implements `hub.ports.Renderer`."""

    media_type = MEDIA_TYPE

    def render(self, announcement: Announcement) -> bytes:
        """Return the message in UTF-8; the same announcement gives the same bytes."""
        return "\n".join(_lines(content(announcement))).encode()


def _lines(said: Mapping[str, Any]) -> list[str]:
    names = " and ".join(str(member["id"]) for member in said["members"])
    is_retraction = said["subject"] == "retraction"
    test = "" if said["role"] == Role.OBSERVATION else f"{str(said['role']).upper()}: "
    lines = [f"{test}{'Retracted: ' if is_retraction else ''}{said['kind']} {names}", ""]
    if is_retraction:
        lines += ["What was announced about them no longer holds.", ""]
    for member in said["members"]:
        facts = [member[key] for key in ("messenger", "mission", "survey", "t0") if member[key] is not None]
        lines.append(f"{member['id']}: {', '.join(map(str, facts))}")
    if (place := said["position"]) is not None:
        radius = "" if place["radius_deg"] is None else f", {place['radius_deg']:.3g} deg at 90 %"
        lines.append(f"Place: RA {place['ra_deg']:.5f}, Dec {place['dec_deg']:+.5f}{radius}")
    for name in _TOLD:
        score = next((one for one in said["scores"] if one["statistic"] == name), None)
        value = "not known" if score is None or score["value"] is None else f"{score['value']:.3g} {score['unit']}"
        lines.append(f"{name.replace('_', ' ')}: {value}")
    lines += [f"- {' '.join(str(reason).split())}" for reason in said["reasons"][:MAX_REASONS]]
    return [*lines, "", f"{said['ivorn']} (version {said['version']}, {said['issued_at']})"]
