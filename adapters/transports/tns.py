"""The Transient Name Server, polled: the table of each hour, or the objects that became public one by one.

Every request names the hub's own bot (TNS refuses others) and keeps its distance from the one before. Told 429, the source waits
as long as TNS says. Addresses and forms are those of TNS's own examples as its users describe them; untested against TNS itself.
"""

import json
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from adapters.credentials import secret_of
from adapters.http import Answer, HttpClient, HttpOptions
from hub.errors import ConfigError, Permanent, Transient
from hub.model.envelope import Envelope, Trust
from hub.model.instant import Instant
from hub.ports import Clock, Health, PartContext, Position

KIND = "tns"
"""Name in the settings."""

BASE_URL = "https://www.wis-tns.org"
"""TNS itself."""

TOPIC = "tns"
"""What envelopes name as their topic."""

HOUR_S = 3600.0
"""A table holds what changed in one hour of UTC."""

READY_S = 600.0
"""A table is asked for this long after the end of its hour."""

TABLES_BACK = 23
"""Hours for which TNS keeps tables, the running one left out: each name comes again after a day."""

OVERLAP_S = 2 * HOUR_S
"""Objects are asked for from this long before the last question: an entry may become public late."""

SHORTEST_PARK_S, LONGEST_PARK_S = 60.0, 86_400.0
"""Limits of a pause after 429 or a fault."""

_NOT_FOUND = 404
_TOO_MANY = 429
_REFUSED = (401, 403)


class Options(BaseModel):
    """How to ask TNS."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    bot_id: int = Field(ge=1, description="Number of the bot at TNS")
    bot_name: str = Field(pattern=r"^[\w .-]{1,80}$", description="Name of the bot at TNS")
    api_secret: SecretStr = Field(SecretStr(""), description="API key of the bot; in the environment or in api_secret_file")
    api_secret_file: str = Field("", description="File that holds the API key and nothing else")
    what: Literal["tables", "objects"] = Field(
        "tables", description="tables: one of each hour, with all changes; objects: new public objects one by one"
    )
    pause_s: float = Field(5.0, ge=0, le=3600, description="Least time between two requests, seconds")
    poll_s: float = Field(600.0, ge=1, le=86_400, description="Time between two questions for new objects, seconds")
    lookback_h: int = Field(TABLES_BACK, ge=1, le=TABLES_BACK, description="Hours that are made good after a start")
    base_url: str = Field(BASE_URL, description="Another server, for tests")
    ca_file: str = Field("", description="Certificates that are believed instead of the usual ones, PEM; for tests")
    allow_loopback: bool = Field(False, description="Also ask a server on this machine; for tests")


class TnsSource:
    """A poller as a pull source: what is told twice does no harm, so that it needs no place to remember."""

    def __init__(self, options: Options, client: HttpClient, api_key: str, clock: Clock) -> None:
        self._options = options
        self._client = client
        self._key = api_key
        self._clock = clock
        self._waiting: deque[_Question] = deque()
        self._next_ask = clock()
        self._next_look = clock()
        self._since = _whole_hour(clock()).plus_s(-options.lookback_h * HOUR_S)
        self._park_s = 0.0
        self._health = Health(state="waiting")
        self._asked_at: Instant | None = None

    def take(self, limit: int, timeout_s: float) -> list[Envelope]:
        """Return the next table or object, if it is time to ask for one; else wait, at most the time-out.

        Raises
        ------
        Permanent
            TNS refuses the bot or its key.
        """
        now = self._clock()
        self._look_ahead(now)
        if not self._waiting or now < self._next_ask:
            due = self._next_ask if self._waiting else max(self._next_ask, self._next_look)
            time.sleep(max(0.0, min(timeout_s, due.minus(now))))
            return []
        question = self._waiting[0]
        self._next_ask = now.plus_s(self._options.pause_s)
        try:
            answer = self._ask(question)
        except Transient as error:
            self._park(now, None, str(error))
            return []
        if answer.status == _TOO_MANY:
            self._park(now, answer.headers, "TNS was asked too often")
            return []
        if answer.status in _REFUSED:
            raise Permanent(
                f"TNS refuses the bot {self._options.bot_name} ({answer.status}): check bot_id, bot_name and the API key"
            )
        if answer.status >= 500:
            self._park(now, answer.headers, f"TNS answered {answer.status}")
            return []
        self._waiting.popleft()
        self._park_s = 0.0
        self._asked_at = now
        self._health = Health(state="listening", facts=self._facts())
        if answer.status == _NOT_FOUND:  # no table of an hour in which nothing changed, an object that was withdrawn
            return []
        answer.demand_success()
        return self._read(question, answer, now)

    def ask_once(self) -> int:
        """Ask for what became public this moment, which is next to nothing, and return the status of the answer.

        Raises
        ------
        Transient, Permanent
            There is none.
        """
        return self._ask(_Search(since=self._clock())).status

    def acknowledge(self) -> None:
        """Do nothing: what was not stored is asked for again after a start."""

    def positions(self) -> Sequence[Position]:
        """Return nothing: TNS has no places to remember."""
        return ()

    def health(self) -> Health:
        """Return how the subscription is; callable from any thread."""
        return self._health

    def _look_ahead(self, now: Instant) -> None:
        """Put the next questions into the queue once it is time for them."""
        if self._waiting or now < self._next_look:
            return
        if self._options.what == "objects":
            self._waiting.append(_Search(since=self._since))
            self._since = now.plus_s(-OVERLAP_S)
            self._next_look = now.plus_s(self._options.poll_s)
            return
        while self._since.plus_s(HOUR_S + READY_S) <= now:
            if self._since.plus_s((TABLES_BACK + 1) * HOUR_S) > now:  # an older one's name is that of a newer table already
                self._waiting.append(_Table(hour=int(self._since.to_utc_iso()[11:13])))
            self._since = self._since.plus_s(HOUR_S)
        self._next_look = self._since.plus_s(HOUR_S + READY_S)

    def _ask(self, question: "_Question") -> Answer:
        base = self._options.base_url.rstrip("/")
        marker = json.dumps({"tns_id": self._options.bot_id, "type": "bot", "name": self._options.bot_name})
        form = {"api_key": self._key}
        if question.data is not None:
            form["data"] = json.dumps(question.data)
        return self._client.post(
            base + question.path,
            urlencode(form).encode(),
            media_type="application/x-www-form-urlencoded",
            headers={"User-Agent": f"tns_marker{marker}"},
        )

    def _read(self, question: "_Question", answer: Answer, now: Instant) -> list[Envelope]:
        if isinstance(question, _Search):
            self._waiting.extend(_Object(name=name) for name in _names_of(answer.body))
            return []
        return [Envelope(payload=answer.body, source=KIND, received_at=now, topic=TOPIC, trust=Trust.TRUSTED, position=None)]

    def _park(self, now: Instant, headers: Mapping[str, str] | None, reason: str) -> None:
        """Ask nothing for as long as TNS says, else for twice as long as the last time."""
        self._park_s = min(LONGEST_PARK_S, max(SHORTEST_PARK_S, 2 * self._park_s))
        pause_s = _stated_pause_s(headers or {}) or self._park_s
        until = now.plus_s(min(LONGEST_PARK_S, pause_s))
        self._next_ask = until
        facts = self._facts() | {"parked_until": until.to_utc_iso()}
        self._health = Health(state="parked", alarms=(f"{reason}; nothing is asked until {until.to_utc_iso()}",), facts=facts)

    def _facts(self) -> dict[str, Any]:
        return {
            "waiting": len(self._waiting),
            "last_answer": self._asked_at.to_utc_iso() if self._asked_at else None,
        }


class _Table:
    """A question for the table of an hour."""

    def __init__(self, *, hour: int) -> None:
        self.path = f"/system/files/tns_public_objects/tns_public_objects_{hour:02d}.csv.zip"
        self.data: dict[str, Any] | None = None


class _Search:
    """A question for the names of what became public since a moment."""

    def __init__(self, *, since: Instant) -> None:
        self.path = "/api/get/search"
        self.data: dict[str, Any] | None = {"public_timestamp": since.to_utc_iso()[:19].replace("T", " ")}


class _Object:
    """A question for one object."""

    def __init__(self, *, name: str) -> None:
        self.path = "/api/get/object"
        self.data: dict[str, Any] | None = {"objname": name, "photometry": "0", "spectra": "0"}


_Question = _Table | _Search | _Object


def check(options: Options, context: PartContext) -> list[str]:
    """Ask TNS one small question and return what is wrong, in sentences."""
    source = _source(options, context)
    try:
        status = source.ask_once()
    except (Transient, Permanent) as error:
        return [f"TNS cannot be asked: {error}: are base_url, the name server and the firewall right?"]
    if status in _REFUSED:
        return [f"TNS refuses the bot {options.bot_name} ({status}): check bot_id, bot_name and the API key."]
    if status >= 500:
        return [f"{options.base_url} answers {status}: TNS has a fault; try again later."]
    return []


@contextmanager
def open_source(options: Options, context: PartContext) -> Iterator[TnsSource]:
    """Give a poller of TNS.

    Raises
    ------
    ConfigError
        There is no API key, or the address is none.
    """
    yield _source(options, context)


def _source(options: Options, context: PartContext) -> TnsSource:
    where = f"sources.{context.name}"
    key = secret_of(options.api_secret, options.api_secret_file, f"{where}.api_secret_file", context.data_dir)
    if not key:
        raise ConfigError(f"{where}: api_secret (in the environment) or api_secret_file is missing")
    host = urlsplit(options.base_url).hostname
    if host is None:
        raise ConfigError(f"{where}.base_url is no address of a server")
    limits = HttpOptions(
        hosts=(host,),
        ca_file=context.data_dir / options.ca_file if options.ca_file else None,
        allow_loopback=options.allow_loopback,
    )
    return TnsSource(options, HttpClient(limits), key, context.clock)


def _names_of(body: bytes) -> list[str]:
    """Return the names in an answer to a search; none where it cannot be read."""
    try:
        data = json.loads(body).get("data", [])
    except (ValueError, AttributeError, RecursionError) as error:
        raise Permanent("the answer of TNS to a search is not the JSON that was agreed upon") from error
    reply = data.get("reply", []) if isinstance(data, dict) else data
    found = [one.get("objname") for one in reply if isinstance(one, dict)] if isinstance(reply, list) else []
    return [name for name in dict.fromkeys(found) if isinstance(name, str) and 0 < len(name) < 60]


def _stated_pause_s(headers: Mapping[str, str]) -> float | None:
    """Return the pause that an answer demands, seconds: ``Retry-After``, else TNS's own field; None where it states none."""
    for name in ("retry-after", "x-rate-limit-reset"):
        written = headers.get(name, "")
        if written.isascii() and written.isdigit() and len(written) < 9 and int(written) > 0:
            return float(written)
    return None


def _whole_hour(moment: Instant) -> Instant:
    return Instant.from_utc_iso(moment.to_utc_iso()[:13] + ":00:00Z")
