"""Circulars: prose by people about events, numbered, and corrected at times under the same number."""

import hashlib
from dataclasses import dataclass

from hub.model.instant import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Circular:
    """One version of one circular, as it was sent."""

    circular_id: int
    """Number in the archive."""

    version: int
    """1, 2 ...: each correction is published again under the same number. 1 where the message does not say."""

    subject: str
    body: str
    submitter: str | None = None
    created_at: Instant | None = None
    """When it was first published."""

    event_name: str | None = None
    """Name of the event as the archive derived it from the subject."""

    text_format: str = "text/plain"
    """``text/plain`` or ``text/markdown``."""

    bibcode: str | None = None
    edited_by: str | None = None
    edited_at: Instant | None = None
    """When this version was published, where it is a correction."""

    @property
    def content(self) -> str:
        """Digest of subject and body, line ends and blanks aside: equal for the same text in another wrapping (JSON, e-mail)."""
        words = "\n".join(" ".join(part.split()) for part in (self.subject, self.body))
        return hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCircular:
    """A circular with what the hub knows about its arrival."""

    circular: Circular
    digest: str
    """SHA-256 of its raw bytes."""

    received_at: Instant
    is_trusted: bool
    names: tuple[str, ...] = ()
    """Keys of the events that it is about, see `hub.science.event_names.name_key`."""

    is_latest: bool = True
    """Whether it is the newest version of its number."""
