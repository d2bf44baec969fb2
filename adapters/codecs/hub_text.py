"""The hub's announcements as text for people: the first line is a title."""

from collections.abc import Mapping
from typing import Any

from adapters.codecs.hub_content import content
from adapters.codecs.hub_plan import plan_content
from hub.model.joint_rates import CHANCE, CHANCE_BY_TIME, NOISE, NOISE_BY_TIME
from hub.model.notice import Role
from hub.ports import Announcement, PlanMessage

MEDIA_TYPE = "text/plain"
"""Media type of what is rendered."""

MAX_REASONS = 10
"""Reasons that are told; a reader who wants more has the API."""

_TOLD = (("false-alarm rate of noise", NOISE, NOISE_BY_TIME), ("rate of unrelated real events", CHANCE, CHANCE_BY_TIME))
"""What is told, always both: by place and time, else by time."""


class HubTextRenderer:
    """Renders announcements as text: implements `hub.ports.Renderer`."""

    media_type = MEDIA_TYPE

    def render(self, announcement: Announcement) -> bytes:
        """Return the message in UTF-8; the same announcement gives the same bytes."""
        return "\n".join(_lines(content(announcement))).encode()

    def render_plan(self, plan: PlanMessage) -> bytes:
        """Return what is said of a request to telescopes; otherwise as `render`."""
        return "\n".join(_plan_lines(plan_content(plan))).encode()


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
    scores = {one["statistic"]: one for one in said["scores"] if one["value"] is not None}
    for words, *names_of in _TOLD:
        score = next((scores[one] for one in names_of if one in scores), None)
        lines.append(f"{words}: " + ("not known" if score is None else f"{score['value']:g} {score['unit']}"))
    lines += [f"- {' '.join(str(reason).split())}" for reason in said["reasons"][:MAX_REASONS]]
    return [*lines, "", f"{said['ivorn']} (version {said['version']}, {said['issued_at']})"]


def _plan_lines(said: Mapping[str, Any]) -> list[str]:
    lines = [f"Request {said['word']}: {said['target']} of {said['event']['id']} at {said['network']} {said['instrument']}", ""]
    lines += [f"{' '.join(str(said['reason']).split())}", f"Window: {said['window_start']} to {said['window_end']}"]
    for one in said["pointings"][:MAX_REASONS]:
        lines.append(
            f"- {one['status']} RA {one['ra_deg']:.5f}, Dec {one['dec_deg']:+.5f} in {one['band'] or 'no band'} at {one['at']}"
        )
    if (more := len(said["pointings"]) - MAX_REASONS) > 0:
        lines.append(f"- and {more} more")
    return [*lines, "", said["ivorn"]]
