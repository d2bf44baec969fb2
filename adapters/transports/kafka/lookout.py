"""A look at the brokers from beside: whether they are there, and whether each topic is still the one that it was.

The source's own client says such things only to whoever polls it, which nobody does while messages are stored or a place is
committed; and that a topic was deleted and made anew it does not say at all.
"""

import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, wait
from threading import Event, Lock, Thread
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from adapters.transports.kafka.link import Link

LOOK_EVERY_S = 2.0
"""Pause between two looks at the topics, seconds."""

ANSWER_S = 3.0
"""A look that is not answered for so long has failed, seconds; a second one is an alarm, for a link may be full."""

POLL_S = 0.5
"""Longest time until a closing lookout notices, seconds."""

_NO_ID = "A" * 22
"""The id of a topic whose broker has none (before Kafka 2.8): sixteen zeros in base 64."""

_NO_ANSWER = frozenset(
    {
        KafkaError._TIMED_OUT,  # noqa: SLF001 - public constants of the client, named so
        KafkaError._TRANSPORT,  # noqa: SLF001 - as above
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001 - as above
    }
)


class Lookout:
    """A client of its own and the thread that uses it.

    Parameters
    ----------
    make
        Makes the client.
    settings
        Of the connection, for librdkafka.
    link
        Is told whether the brokers are there.
    """

    def __init__(self, make: Callable[[dict[str, Any]], AdminClient], settings: Mapping[str, Any], link: Link) -> None:
        self._link = link
        self._lock = Lock()
        self._topics: frozenset[str] = frozenset()
        self._ids: dict[str, str] = {}
        self._n_failed = 0
        self._stop = Event()
        self._admin: AdminClient | None = make({**settings, "error_cb": self._on_error})

    def start(self) -> None:
        """Begin to look."""
        Thread(target=self._run, args=(self._admin,), name="kafka-lookout", daemon=True).start()

    def close(self) -> None:
        """Look no more. The thread ends by itself and takes the client with it, which may wait for a token endpoint."""
        self._stop.set()
        self._admin = None

    def watch(self, topics: Collection[str]) -> None:
        """Look at these topics from now on."""
        with self._lock:
            self._topics = frozenset(topics)

    def ids(self) -> Mapping[str, str]:
        """Return the ids of topics as they were last seen."""
        with self._lock:
            return dict(self._ids)

    def look(self, topics: Collection[str], timeout_s: float) -> dict[str, str]:
        """Return the ids of topics as they are now; one that is not there, not shown or has no id is left out.

        Raises
        ------
        KafkaException
            No broker answers.
        """
        return self._look(self._admin, topics, timeout_s) if self._admin is not None and topics else {}

    def _look(self, admin: AdminClient, topics: Collection[str], timeout_s: float) -> dict[str, str]:
        asked = admin.describe_topics(TopicCollection(sorted(topics)), request_timeout=timeout_s)
        wait(asked.values(), timeout_s + POLL_S)
        found = {name: topic_id for name, answer in asked.items() if (topic_id := _id_in(answer)) is not None}
        with self._lock:
            self._ids |= found
        return found

    def _run(self, admin: AdminClient) -> None:
        next_at = time.monotonic()
        while not self._stop.is_set():
            admin.poll(POLL_S)  # what is wrong is said to the callback, and that runs here
            with self._lock:
                topics = self._topics
            if not topics or time.monotonic() < next_at:
                continue
            try:
                self._ask(admin, topics)
            except KafkaException:
                self._n_failed += 1
                if self._n_failed > 1:
                    self._link.note_brokers(are_there=False)
            else:
                self._n_failed = 0
                self._link.note_brokers(are_there=True)
            next_at = time.monotonic() + LOOK_EVERY_S

    def _ask(self, admin: AdminClient, topics: Collection[str]) -> None:
        try:
            self._look(admin, topics, ANSWER_S)
        except KafkaException:  # ids come from brokers that know their controller; whether they are there any may say
            admin.list_topics(min(topics), timeout=ANSWER_S)

    def _on_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - a public constant, named so
            self._link.note_brokers(are_there=False)


def _id_in(answer: "Future[Any]") -> str | None:
    if not answer.done():
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001 - a public constant, named so
    error = answer.exception()
    if error is None:
        topic_id = str(answer.result().topic_id)
        return topic_id if topic_id != _NO_ID else None
    if isinstance(error, KafkaException) and error.args[0].code() in _NO_ANSWER:
        raise error
    return None
