"""Times that a person writes as options."""

from hub.errors import InvalidRequest
from hub.model.instant import Instant


def read_moment(option: str, text: str | None) -> Instant | None:
    """Return the instant of ISO 8601 UTC text, None where the option was not given.

    Raises
    ------
    InvalidRequest
        It is no such text; the sentence names the option.
    """
    if text is None:
        return None
    try:
        return Instant.from_utc_iso(text)
    except (ValueError, OverflowError) as error:
        raise InvalidRequest(f"{option} is a UTC time such as 2017-08-17T12:41:04: {error}", field=option) from error
