"""Sky maps that a person names on the command line."""

from pathlib import Path
from typing import TYPE_CHECKING

from hub.cli.files import read_up_to
from hub.errors import InvalidRequest

if TYPE_CHECKING:
    from hub.config import Settings
    from hub.model.notice import Notice
    from hub.model.sky import Skymap


def read_map(path: Path, settings: "Settings") -> "Skymap":
    """Return the map of a file: a sky map, a notice that carries one, or one that states a position; raises as `read_place`."""
    return read_place(path, settings)[0]


def read_place(path: Path, settings: "Settings") -> "tuple[Skymap, Notice | None]":
    """Return the map of a file, as `read_map` does, with the notice that brought it where it is one.

    Raises
    ------
    InvalidRequest
        It is none of these, or cannot be read.
    SkymapRefused
        The map breaks a rule of the validator.
    """
    from hub.bootstrap import open_skymap_reader
    from hub.errors import SkymapRefused
    from hub.resources import read_text
    from hub.science.localization_table import load_localization_table

    try:
        data = read_up_to(path, settings.intake.max_message_bytes)
    except OSError as error:
        raise InvalidRequest(f"the sky map {path} cannot be read: {error.strerror}") from error
    if data is None:
        raise InvalidRequest(
            f"the sky map {path} is larger than intake.max_message_bytes, {settings.intake.max_message_bytes} bytes"
        )
    notice = None
    if not data.startswith((b"SIMPLE", b"\x1f\x8b")):
        notice = _notice(data, path, settings)
        table = load_localization_table(read_text("conf/localizations.toml"))
        drawn = table.place_of(notice) if notice.skymap is None or table.prefers_position(notice) else None
        if drawn is not None:
            if (odd := notice.properties.get("odd_containment")) is not None:
                raise InvalidRequest(f"{path} states a containment of {odd}, which is no probability between 0 and 1")
            return drawn.skymap, notice
        if notice.skymap is None:
            raise InvalidRequest(f"{path} is a notice that carries no sky map and states no position with an error")
        data = notice.skymap
    with open_skymap_reader(settings) as reader:
        try:
            return reader.read(data)[0], notice
        except SkymapRefused as error:
            raise SkymapRefused(f"the sky map {path} cannot be used: {error}") from error


def _notice(data: bytes, path: Path, settings: "Settings") -> "Notice":
    from datetime import UTC, datetime

    from hub.bootstrap import open_decoder
    from hub.errors import DecodeError
    from hub.model.envelope import Envelope
    from hub.model.instant import Instant
    from hub.ports import DecodedNotice

    try:
        decoded = open_decoder(settings).decode(
            Envelope(payload=data, source="file", received_at=Instant.from_datetime(datetime.now(UTC)))
        )
    except DecodeError as error:
        raise InvalidRequest(f"{path} is no sky map: {error.reason}") from error
    if isinstance(decoded, DecodedNotice):
        return decoded.notice
    raise InvalidRequest(f"{path} is neither a sky map nor a notice that carries one")
