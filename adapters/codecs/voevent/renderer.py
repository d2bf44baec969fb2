"""Announcements as VOEvent 2.0: the door to `adapters.codecs.voevent.writer`, whose library takes half a second to import."""

from hub.ports import Announcement, PlanMessage

MEDIA_TYPE = "application/xml"
"""Media type of what is rendered."""


class VoeventRenderer:
    """Renders announcements as VOEvent 2.0: implements `hub.ports.Renderer`."""

    media_type = MEDIA_TYPE

    def render(self, announcement: Announcement) -> bytes:
        """Return the packet; the same announcement gives the same bytes.

        Raises
        ------
        ValueError
            A retraction cites nothing that it retracts, or the packet would not be valid (an identifier that is no URI).
        """
        from adapters.codecs.voevent.writer import render  # noqa: PLC0415 - half a second that a process without announcements saves

        return render(announcement)

    def render_plan(self, plan: PlanMessage) -> bytes:
        """Return the packet about a request to telescopes; otherwise as `render`."""
        from adapters.codecs.voevent.plan_writer import render  # noqa: PLC0415 - as above

        return render(plan)
