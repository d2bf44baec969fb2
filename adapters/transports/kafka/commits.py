"""Commits whose answers nobody waits for: what is under way, and what became of it."""

from collections.abc import Mapping, Sequence
from threading import Lock

from confluent_kafka import KafkaError, TopicPartition

from adapters.transports.kafka import faults

Place = tuple[str, int]
"""Topic and partition."""


class Commits:
    """The places that were committed and not confirmed yet; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._under_way: dict[Place, int] = {}
        self._has_failed = False
        self._n_refused = 0

    def sent(self, places: Mapping[Place, int]) -> None:
        """Remember places that are being committed: the offset after the last message of each partition."""
        with self._lock:
            self._under_way |= places

    def on_answer(self, error: KafkaError | None, partitions: Sequence[TopicPartition]) -> None:
        """Take the answer to a commit, as the client gives it to its callback ``on_commit``, also to one that was waited for."""
        with self._lock:
            for one in partitions:
                sent = self._under_way.get((one.topic, one.partition))
                fault = error or one.error
                if sent is None:
                    continue
                if fault is not None and fault.code() not in faults.NOT_COMMITTED:
                    self._has_failed = True
                    continue
                self._n_refused += fault is not None
                if sent <= one.offset:
                    del self._under_way[one.topic, one.partition]

    def failed(self) -> bool:
        """Return whether a commit failed since this was asked: what is left should be committed again."""
        with self._lock:
            has_failed, self._has_failed = self._has_failed, False
            return has_failed

    def forget(self) -> dict[Place, int]:
        """Return the places that are not confirmed yet, and think no more of them."""
        with self._lock:
            left, self._under_way = self._under_way, {}
            return left

    def refused(self) -> int:
        """Return how many places were refused since this was asked, because the group was dealt out anew."""
        with self._lock:
            n, self._n_refused = self._n_refused, 0
            return n
