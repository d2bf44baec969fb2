"""GCN circulars: prose by people, kept as context beside the events."""

import re
from collections.abc import Mapping
from typing import Any

from adapters.codecs.json_fields import Fields
from hub.errors import DecodeError
from hub.model.circular import Circular
from hub.model.instant import Instant
from hub.ports import DecodedContext

FORMAT_JSON = "gcn-circular-json"
FORMAT_TEXT = "gcn-circular-text"

MAX_TEXT_BYTES = 1024 * 1024
"""Longest circular in the old text form; real ones have a few kB."""

_TEXT_FIELD = re.compile(r"^(TITLE|NUMBER|SUBJECT|DATE|FROM):[ \t]*(.*)$", re.MULTILINE)


def is_circular(message: Mapping[str, Any]) -> bool:
    """Return whether a JSON object is a circular."""
    return "subject" in message and "body" in message and ("circularId" in message or "submitter" in message)


def decode_json(message: Mapping[str, Any]) -> DecodedContext:
    """Return the context of a circular in JSON.

    Raises
    ------
    DecodeError
        Subject or body is no text.
    """
    fields = Fields(message)
    subject, body = fields.text("subject"), fields.peek("body")
    if subject is None or not isinstance(body, str):
        raise DecodeError("the circular has no subject or no body", format=FORMAT_JSON)
    number, created = _whole(fields.number("circularId")), _of_unix_ms(fields.number("createdOn"))
    event_name, submitter = fields.text("eventId"), fields.text("submitter")
    circular = None
    if number is not None:
        circular = Circular(
            circular_id=number,
            version=_whole(fields.number("version")) or 1,
            subject=subject,
            body=body,
            submitter=submitter,
            created_at=created,
            event_name=event_name,
            text_format="text/markdown" if fields.text("format") == "text/markdown" else "text/plain",
            bibcode=fields.text("bibcode"),
            edited_by=fields.text("editedBy"),
            edited_at=_of_unix_ms(fields.number("editedOn")),
        )
    summary = {
        "circular_id": number,
        "version": circular.version if circular else None,
        "subject": subject,
        "event_name": event_name,
        "submitter": submitter,
        "created_at": created.to_utc_iso() if created else None,
        "n_characters": len(body),
    }
    return DecodedContext(kind="circular", format=FORMAT_JSON, summary=summary, circular=circular)


def is_text_circular(payload: bytes) -> bool:
    """Return whether bytes look like a circular in the text form that e-mails had."""
    head = payload[:2000].lstrip()
    return head.startswith(b"TITLE:") and b"SUBJECT:" in head and b"NUMBER:" in head


def decode_text(payload: bytes) -> DecodedContext:
    """Return the context of a circular in its old text form.

    Raises
    ------
    DecodeError
        It is too long, or has no number or subject.
    """
    if len(payload) > MAX_TEXT_BYTES:
        raise DecodeError(f"the circular has {len(payload)} bytes, more than the {MAX_TEXT_BYTES} allowed", format=FORMAT_TEXT)
    text = payload.decode("utf-8", "replace").replace("\x00", "").replace("\r\n", "\n")
    head, _, body = text.lstrip().partition("\n\n")
    found = {name: value.strip() for name, value in _TEXT_FIELD.findall(head)}
    number, subject = found.get("NUMBER", ""), found.get("SUBJECT")
    if not number.isascii() or not number.isdigit() or len(number) > 9 or not subject:
        raise DecodeError("the circular has no number or no subject", format=FORMAT_TEXT)
    created = _of_gcn_date(found.get("DATE", ""))
    circular = Circular(
        circular_id=int(number), version=1, subject=subject, body=body, submitter=found.get("FROM"), created_at=created
    )
    summary = {
        "circular_id": circular.circular_id,
        "version": circular.version,
        "subject": subject,
        "event_name": None,
        "submitter": circular.submitter,
        "created_at": created.to_utc_iso() if created else None,
        "n_characters": len(body),
    }
    return DecodedContext(kind="circular", format=FORMAT_TEXT, summary=summary, circular=circular)


def _whole(number: float | None) -> int | None:
    return int(number) if number is not None and 0 <= number < 2**31 else None


def _of_unix_ms(milliseconds: float | None) -> Instant | None:
    if milliseconds is None or not 1e11 < milliseconds < 7e12:  # 1973 to 2191
        return None
    return Instant.from_unix_s(milliseconds / 1000.0)


def _of_gcn_date(text: str) -> Instant | None:
    """Return the UTC time of ``98/04/03 07:10:15 GMT``; two-digit years from 90 on lie in the last century."""
    match = re.fullmatch(r"(\d\d)/(\d\d)/(\d\d) (\d\d:\d\d:\d\d) GMT", text)
    if match is None:
        return None
    century = "19" if int(match[1]) >= 90 else "20"
    try:
        return Instant.from_utc_iso(f"{century}{match[1]}-{match[2]}-{match[3]}T{match[4]}")
    except ValueError:
        return None
