"""The hub's own messages as JSON: `schemas/hub/1/announcement.schema.json`."""

import json
from collections.abc import Mapping
from typing import Any

from adapters.codecs import json_text
from adapters.codecs.hub_content import as_context, content
from adapters.codecs.hub_plan import plan_content
from hub.errors import DecodeError
from hub.ports import Announcement, DecodedContext, PlanMessage

MEDIA_TYPE = "application/json"
"""Media type of what is rendered."""

FORMAT = "hub-json"
"""Name of the format."""

_SCHEMAS = ("mmhub.announcement/", "mmhub.plan/")


class HubJsonRenderer:
    """Renders announcements as JSON: implements `hub.ports.Renderer`."""

    media_type = MEDIA_TYPE

    def render(self, announcement: Announcement) -> bytes:
        """Return the message in UTF-8 without spaces; the same announcement gives the same bytes."""
        return json.dumps(content(announcement), ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()

    def render_plan(self, plan: PlanMessage) -> bytes:
        """Return what is said of a request to telescopes, `schemas/hub/1/plan.schema.json`; otherwise as `render`."""
        return json.dumps(plan_content(plan), ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def is_message(message: Mapping[str, Any]) -> bool:
    """Return whether a JSON object is meant to be a message of some hub, of whatever version."""
    named = message.get("schema")
    return isinstance(named, str) and named.startswith(_SCHEMAS)


def decode(message: Mapping[str, Any]) -> DecodedContext:
    """Return what a hub's message is to the hub that receives it.

    Raises
    ------
    DecodeError
        It bears no ivorn.
    """
    return as_context(message, FORMAT)


def read(payload: bytes) -> dict[str, Any]:
    """Return everything that a message says.

    Raises
    ------
    DecodeError
        The bytes are no JSON object, or none of a hub.
    """
    message = json_text.read_object(payload)
    if not is_message(message):
        raise DecodeError("the JSON object is no message of a hub", format=FORMAT)
    return message
