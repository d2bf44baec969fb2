"""How the connection to the brokers is, from what librdkafka says in the background.

Without this a mistyped secret looks like a quiet night: the client says such things only to its error callback.
"""

import json
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

from confluent_kafka import KafkaError

from adapters.transports.kafka import faults

REFUSED_S = 60.0
"""Credentials that worked once and are refused for so long need a person, seconds: a broker that comes back from an outage may
refuse for a moment."""

SLOW_CONNECT_S = 15.0
"""A connection that takes longer than this to come up is an alarm, seconds: with TLS and a token it takes about one, and a token
endpoint that answers 500 is asked again by the client without a word."""


class Link:
    """Remembers faults until there is a sign of life; used by librdkafka's callbacks and by whoever asks for the health."""

    def __init__(self, monotonic: Callable[[], float], mask: Callable[[str], str], *, has_token: bool = False) -> None:
        self._monotonic = monotonic
        self._mask = mask
        self._has_token = has_token
        self._lock = Lock()
        self._opened_at = monotonic()
        self._was_up = False
        self._is_up = False
        self._brokers: dict[str, str] = {}
        self._faults: dict[int, str] = {}
        self._refused_at: float | None = None
        self._refusal: str | None = None
        self._last_error: str | None = None
        self._partitions: dict[tuple[str, int], int] = {}
        self._is_away = False

    def on_error(self, error: KafkaError) -> None:
        """Take what librdkafka's error callback says."""
        said = self._mask(faults.sentence(error, has_token=self._has_token))
        with self._lock:
            self._last_error = said
            if faults.is_refusal(error) or error.fatal():
                self._refusal = said
                if self._refused_at is None:
                    self._refused_at = self._monotonic()
                if error.fatal():
                    self._was_up = False
            if error.code() in _TELLING:
                self._faults[error.code()] = said

    def on_stats(self, text: str) -> None:
        """Take librdkafka's statistics: which brokers are up, and where each partition ends."""
        stats = json.loads(text)
        brokers = {
            broker["nodename"] or broker["name"]: broker["state"]
            for broker in stats.get("brokers", {}).values()
            if broker.get("source") != "logical"
        }
        ends = {
            (topic["topic"], part["partition"]): part["hi_offset"]
            for topic in stats.get("topics", {}).values()
            for part in topic.get("partitions", {}).values()
            if part["partition"] >= 0 and part.get("hi_offset", -1) >= 0
        }
        with self._lock:
            self._brokers = brokers
            self._partitions.update(ends)
            self._is_up = "UP" in brokers.values()
        if self._is_up:
            self.on_life()

    def on_life(self) -> None:
        """Forget the faults: something came through."""
        with self._lock:
            self._was_up = self._is_up = True
            self._faults.clear()
            self._refusal = self._refused_at = None

    def note_brokers(self, *, are_there: bool) -> None:
        """Take what the lookout sees. What comes out of the memory of the client is no sign against it."""
        with self._lock:
            self._is_away = not are_there

    def refusal(self) -> str | None:
        """Return the sentence of a refusal that only a person can lift, None where there is none."""
        with self._lock:
            if self._refusal is None or self._refused_at is None:
                return None
            is_lasting = not self._was_up or self._monotonic() - self._refused_at >= REFUSED_S
            return self._refusal if is_lasting else None

    def is_up(self) -> bool:
        """Return whether a broker answers."""
        with self._lock:
            return self._is_up and not self._faults and not self._is_away

    def alarms(self) -> list[str]:
        """Return what is wrong with the connection."""
        with self._lock:
            said = [self._refusal] if self._refusal else []
            said += [fault for fault in self._faults.values() if fault not in said]
            if not said and self._is_away:
                said.append(faults.AWAY)
            waited = self._monotonic() - self._opened_at
            if not said and not self._was_up and waited > SLOW_CONNECT_S:
                said.append(f"no broker has answered since the start, {waited:.0f} s ago")
            return said

    def note_ends(self, ends: Mapping[tuple[str, int], int]) -> None:
        """Take high watermarks that were asked for."""
        with self._lock:
            self._partitions.update(ends)

    def ends(self) -> dict[tuple[str, int], int]:
        """Return the high watermark of each partition that is listened to, as far as it is known."""
        with self._lock:
            return dict(self._partitions)

    def facts(self) -> dict[str, Any]:
        """Return how many brokers are up and down, and the last error."""
        with self._lock:
            up = sorted(name for name, state in self._brokers.items() if state == "UP")
            down = sorted(name for name, state in self._brokers.items() if state in _DOWN)
            return {"brokers_up": up, "brokers_down": down, "last_error": self._last_error}


_TELLING = frozenset(
    {
        *faults.REFUSED,
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001 - public constants of the client, named so
        KafkaError._RESOLVE,  # noqa: SLF001 - as above
        KafkaError._SSL,  # noqa: SLF001 - as above
        KafkaError._CRIT_SYS_RESOURCE,  # noqa: SLF001 - as above
    }
)
"""Errors that mean that nothing comes; the rest (one broker of many is away) is a fact only."""

_DOWN = frozenset({"DOWN", "TRY_CONNECT", "CONNECT", "SSL_HANDSHAKE", "AUTH_LEGACY", "AUTH_HANDSHAKE", "AUTH_REQ"})
