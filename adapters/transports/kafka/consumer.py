"""A consumer group member that loses nothing and skips nothing in silence.

* The hub's own books count beside the group's place, which a broker forgets: the lower of the two is where it goes on.
* A place is committed for exactly what `take` returned, when the hub says so, never for what the client merely fetched.
* Before anything is taken from a partition, its place is compared with the oldest message that the broker still has: what is
  missing is reported, durably, and only then the hub goes on.
* An outage is an alarm, never a reason to give up: the client reconnects by itself for as long as it takes.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from threading import Event, Lock, Thread
from typing import Any, TypeVar

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from adapters.contained import contained, is_schema
from adapters.transports.kafka import faults, trial
from adapters.transports.kafka import options as settings_of
from adapters.transports.kafka.commits import Commits, Place
from adapters.transports.kafka.heartbeat import Heartbeat
from adapters.transports.kafka.link import Link
from adapters.transports.kafka.lookout import Lookout
from adapters.transports.kafka.options import KafkaOptions
from adapters.transports.kafka.packets import Arrived, Room, columns, gathered
from adapters.transports.kafka.places import NOTHING, Bounds, Start, starts
from adapters.transports.kafka.topics import TopicNames, topic_names
from hub.errors import ConfigError, Permanent, Transient
from hub.model.envelope import Envelope, Trust
from hub.model.instant import Instant
from hub.model.packets import PacketBatch
from hub.ports import Health, PartContext, Position

KIND = "kafka"
"""Name in the settings."""

Options = KafkaOptions

LOOK_S = 5.0
"""Longest wait for a broker's answer about places and topics, seconds."""

CLOSE_S = 5.0
"""Longest wait for a client to end, seconds."""

STUCK_S = 10.0
"""Places that cannot be looked up for so long are an alarm, seconds: a group's very first use has no coordinator yet."""

SLICE_S = 0.2
"""Longest single wait for a message, seconds."""

HAND_OVER_S = 60.0
"""Longest wait for what is being stored before partitions are given up, seconds; the group waits for five minutes."""

LOOK_AGAIN_S = 30.0
"""The topics of the cluster are compared with those expected so often while some are missing, seconds."""

OLDEST, NEWEST = -2, -1
"""Times that the protocol gives a meaning of its own: the offsets of the oldest message and behind the newest (ListOffsets)."""

_NOT_THERE = "the topic {topic} does not exist, or this user may not see it"
_NOT_ALLOWED = "this user may not read the topic {topic}"

T = TypeVar("T")


class KafkaSource:
    """An open subscription; implements `hub.ports.MessageSource`."""

    def __init__(
        self,
        make: Callable[[dict[str, Any]], Consumer],
        settings: Mapping[str, Any],
        *,
        make_admin: Callable[[dict[str, Any]], AdminClient],
        context: PartContext,
        topics: TopicNames,
        trust: Trust,
        alert_stream: str | None = None,
        heartbeat: Heartbeat | None = None,
        advice: str = "",
        empty_family: str | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._context = context
        self._advice = f": {advice}" if advice else ""
        self._empty_family = empty_family
        self._topics = topics
        self._trust = trust
        self._alert_stream = alert_stream
        self._heartbeat = heartbeat
        self._monotonic = monotonic
        self._link = Link(
            monotonic, lambda text: settings_of.without_secrets(text, dict(settings)), has_token=settings_of.has_token(settings)
        )
        self._lock = Lock()
        self._waiting: list[TopicPartition] | None = None
        self._next: dict[Place, int] = {}
        self._taken: dict[Place, int] = {}
        self._stamps: dict[Place, float] = {}
        self._unread: dict[Place, Instant] = {}
        self._positions: tuple[Position, ...] = ()
        self._early: list[Message] = []
        self._is_paused = False
        self._storing: Event | None = None
        self._n_revoked = 0
        self._is_joined = False
        self._fatal: str | None = None
        self._topic_faults: dict[str, str] = {}
        self._seen: tuple[str, ...] | None = None
        self._looked_at: float | None = None
        self._expired: dict[Place, int] = {}
        self._stuck: tuple[str, float] | None = None
        self._last_message_at: str | None = None
        self._counts = dict.fromkeys(("messages", "tombstones", "heartbeats", "gaps", "commits_refused", "rebalances"), 0)
        callbacks = {"error_cb": self._link.on_error, "stats_cb": self._link.on_stats, "on_commit": self._on_commit}
        self._commits = Commits()
        self._ids: dict[str, str] = {}
        self._consumer = make({**settings, **callbacks})
        self._lookout = Lookout(make_admin, settings_of.without_group(settings), self._link)

    def subscribe(self) -> None:
        """Join the group."""
        self._lookout.start()
        self._consumer.subscribe(
            self._topics.subscription(), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    def close(self) -> None:
        """Leave the group without committing anything that was not acknowledged.

        A client that cannot end, e.g. because it waits for a token endpoint, is left behind: the group misses it soon enough.
        """
        self._lookout.close()
        ending = Thread(target=self._end, name="kafka-close", daemon=True)
        ending.start()
        ending.join(CLOSE_S)

    def _end(self) -> None:
        self._finish_commits()
        self._consumer.close()

    def take(self, limit: int, timeout_s: float) -> list[Envelope]:
        """Return what has arrived, waiting at most the time-out for the first message.

        While no broker can be reached it returns nothing and `health` says so.

        Raises
        ------
        Permanent
            Credentials or rights are refused: a person must look.
        Transient
            The connection has gone deaf: a new one may hear.
        """
        return self._taking(lambda wait_s: self._accepted(self._fetched(limit, wait_s)), timeout_s) or []

    def _taking(self, fetch: Callable[[float], T | None], timeout_s: float) -> T | None:
        """Return what is fetched, given the longest wait for the first message; None or nothing where nothing has come."""
        self._raise_refusal()
        if self._heartbeat is not None and self._heartbeat.is_deaf() and self._link.is_up():
            raise Transient(f"{self._context.name}: the brokers answer and no heartbeat comes: a new connection may hear more")
        deadline = self._monotonic() + timeout_s
        self._positions = ()
        self._look_at_ids()
        self._settle()
        self._go_on()
        with self._listening():
            while True:
                # In slices: the group's answer comes inside `poll`, which would then go on waiting for a message.
                left_s = max(deadline - self._monotonic(), 0.0)
                found = fetch(min(left_s, SLICE_S))
                if found or self._waiting is not None or self._monotonic() >= deadline:
                    break
        self._look_at_topics()
        if not found:
            self._raise_refusal()
        return found

    def stay(self, finished: Event) -> None:
        """Keep the place in the group while what was taken is being stored; nothing more is fetched until the next take.

        To be called every second or so where that takes long: a group gives the partitions of a member that does not ask for
        messages to others. Where the group is dealt out anew meanwhile, it waits a while for what is being stored: two members
        would store the same packets at the same time.
        """
        if not self._is_paused:
            try:
                self._consumer.pause(self._consumer.assignment())
            except KafkaException as error:  # dealt out anew just now; what comes then is kept for the next take
                self._link.on_error(error.args[0])
            self._is_paused = True
        self._storing = finished
        try:
            message = self._consumer.poll(0)
        finally:
            self._storing = None
        if message is not None:
            self._early.append(message)

    def _go_on(self) -> None:
        if self._is_paused:
            try:
                self._consumer.resume(self._consumer.assignment())
            except KafkaException as error:
                raise Transient(f"{self._context.name}: {faults.sentence(error.args[0])}") from error
            self._is_paused = False

    def positions(self) -> Sequence[Position]:
        """Return where the messages of the last `take` stood, those without content included; heartbeats have no place."""
        return self._positions

    def acknowledge(self) -> None:
        """Commit the place behind everything that `take` has returned; called once the hub has stored it.

        Where the group is being dealt out anew nothing is committed: the messages come again, as duplicates.

        Raises
        ------
        Transient
            The broker does not answer; the same call may succeed later.
        """
        with self._lock:
            taken = dict(self._taken)
        self._commit(taken)
        with self._lock:
            for place in taken:
                self._taken.pop(place, None)

    def health(self) -> Health:
        """Return how the subscription is; callable from any thread."""
        alarms = self._link.alarms()
        with self._lock:
            self._counts["commits_refused"] += self._commits.refused()
            if self._stuck is not None and self._monotonic() - self._stuck[1] >= STUCK_S:
                alarms.append(self._stuck[0])
            alarms += [self._topic_faults[name] for name in sorted(self._topic_faults)]
            families = self._topics.found(self._seen) if self._seen is not None else None
            if self._empty_family is not None and families is not None:
                alarms += [self._empty_family.format(family=name) for name, number in families.items() if not number]
            lag, assigned = self._lag(), sorted(self._next)
            behind_s = self._behind_s(lag)
            facts = {
                "topics_expected": list(self._topics.exact),
                "topics_missing": sorted(self._topic_faults),
                "families": families,
                "topics_assigned": sorted({topic for topic, _ in assigned}),
                "partitions_assigned": len(assigned),
                "lag": sum(lag.values()),
                "lag_of": {f"{topic}/{partition}": behind for (topic, partition), behind in lag.items() if behind},
                "lag_s": None if None in behind_s.values() else max((s for s in behind_s.values() if s is not None), default=0.0),
                "lag_s_of": {f"{topic}/{partition}": age for (topic, partition), age in behind_s.items()},
                "expired_before_first_start": {f"{topic}/{part}": n for (topic, part), n in self._expired.items() if n},
                "last_message_at": self._last_message_at,
                "unacknowledged_partitions": len(self._taken),
                **self._counts,
                **self._link.facts(),
            }
            is_joined = self._is_joined
        if self._heartbeat is not None:
            alarms += self._heartbeat.alarms()
            facts |= self._heartbeat.facts()
        if not self._link.is_up():
            return Health(state="connecting", alarms=tuple(alarms), facts=facts)
        return Health(state="listening" if is_joined else "joining", alarms=tuple(alarms), facts=facts)

    # What the group says. Both run inside `poll` and `consume`, on the thread that takes.

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        # Nothing is fetched before `_settle` has looked where each partition begins.
        consumer.assign([])
        heartbeat = self._heartbeat.topic if self._heartbeat is not None else None
        with self._lock:
            self._waiting = [one for one in partitions if one.topic != heartbeat]

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if self._storing is not None:
            self._storing.wait(HAND_OVER_S)
        self._finish_commits()
        self._on_lost(consumer, partitions)

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._commits.forget()
        if self._is_paused:  # the client would keep them paused when they come back
            with suppress(KafkaException):
                consumer.resume(partitions)
            self._is_paused = False
        consumer.unassign()
        with self._lock:
            self._waiting = None
            self._is_joined = False
            self._n_revoked += 1
            self._counts["rebalances"] += 1
            self._next.clear()
            self._stamps.clear()
            self._unread.clear()
            self._early.clear()
            self._taken.clear()  # whoever has the partitions now begins at the committed place: these come again

    def _on_commit(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        self._commits.on_answer(error, partitions)

    def _finish_commits(self) -> None:
        """Commit, and wait for it, what was acknowledged and is not confirmed; where that fails, messages come again."""
        with suppress(Transient, KafkaException):
            self._commit(self._commits.forget())

    def _settle(self) -> None:
        """Begin with the partitions that were given, once it is known where; what is missing is reported before that."""
        with self._lock:
            waiting, places = self._waiting, dict(self._next)
        if waiting is None:
            return
        try:
            bounds = self._bounds(waiting, places, self._ids_of(waiting))
        except KafkaException as error:
            self._note_stuck(f"the place in the stream cannot be looked up: {faults.sentence(error.args[0])}")
            return
        self._link.note_ends({(one.topic, one.partition): one.high for one in bounds})
        found = starts(bounds)
        for start in found:
            if start.gap is not None:
                self._context.report(start.gap)
        try:
            self._commit({(start.topic, start.partition): start.offset for start in found if start.is_first or start.gap})
        except Transient as error:
            self._note_stuck(str(error))
            return
        self._begin(waiting, found)

    def _note_stuck(self, said: str) -> None:
        with self._lock:
            self._stuck = (said, self._stuck[1] if self._stuck is not None else self._monotonic())

    def _begin(self, waiting: list[TopicPartition], found: Sequence[Start]) -> None:
        places = {(start.topic, start.partition): start.offset for start in found}
        wanted = [TopicPartition(topic, partition, offset) for (topic, partition), offset in places.items()]
        if self._heartbeat is not None:
            wanted += [TopicPartition(self._heartbeat.topic, 0, NEWEST)]
        with self._lock:
            if self._waiting is not waiting:
                return  # dealt out anew while we looked
            self._consumer.assign(wanted)
            self._waiting = None
            self._stuck = None
            self._is_joined = True
            self._next = places
            self._ids = {start.topic: start.topic_id for start in found if start.topic_id}
            self._positions = tuple(_mark(start) for start in found)
            self._counts["gaps"] += sum(start.gap is not None for start in found)
            self._expired |= {(start.topic, start.partition): start.n_gone_before for start in found}
            self._looked_at = float("-inf")  # look at the topics soon
        self._lookout.watch({start.topic for start in found} or {one.topic for one in wanted})
        if self._heartbeat is not None:
            self._heartbeat.expect()

    def _ids_of(self, partitions: Sequence[TopicPartition]) -> Mapping[str, str]:
        try:
            return self._lookout.look({one.topic for one in partitions}, LOOK_S)
        except KafkaException:
            return {}  # brokers that are away say so again where places are asked for

    def _look_at_ids(self) -> None:
        """Look again where partitions begin once a topic was made anew while we listen."""
        seen = self._lookout.ids()
        with self._lock:
            is_other = any(seen.get(topic, topic_id) != topic_id for topic, topic_id in self._ids.items())
            if is_other and self._waiting is None and self._next:
                self._waiting = [TopicPartition(name, partition) for name, partition in self._next]

    def _bounds(self, partitions: Sequence[TopicPartition], places: Mapping[Place, int], ids: Mapping[str, str]) -> list[Bounds]:
        """Return what the brokers say of the partitions; a place that is known from taking counts more than the books."""
        if not partitions:
            return []
        own = self._context.places()
        names = [TopicPartition(one.topic, one.partition) for one in partitions]
        committed = self._consumer.committed(names, timeout=LOOK_S)
        low, high = self._offsets(names, OLDEST), self._offsets(names, NEWEST)
        found = []
        for one in _sound(committed):
            place = (one.topic, one.partition)
            stored = own.get(place)
            is_listening = place in places
            former = self._ids.get(one.topic, "") if is_listening else (stored.topic_id if stored is not None else "")
            topic_id = ids.get(one.topic, former)  # the lookout goes on comparing where the brokers do not say now
            found.append(
                Bounds(
                    topic=one.topic,
                    partition=one.partition,
                    committed=places[place] if is_listening else (one.offset if one.offset >= 0 else NOTHING),
                    low=low[place],
                    high=high[place],
                    stored=stored.next_offset if stored is not None and not is_listening else NOTHING,
                    is_remade=bool(former and topic_id) and former != topic_id,
                    topic_id=topic_id,
                )
            )
        return found

    def _offsets(self, names: Sequence[TopicPartition], when: int) -> dict[Place, int]:
        asked = [TopicPartition(one.topic, one.partition, when) for one in names]
        answers = _sound(self._consumer.offsets_for_times(asked, timeout=LOOK_S))
        return {(one.topic, one.partition): one.offset for one in answers}

    # Taking.

    def _fetched(self, limit: int, timeout_s: float) -> list[Message]:
        n_revoked = self._n_revoked
        early, self._early = self._early, []
        first = self._consumer.poll(timeout_s) if not early else None
        messages = early if first is None else [first]
        if messages and limit > len(messages):
            messages += self._consumer.consume(limit - len(messages), 0)
        return self._still_ours(messages, n_revoked)

    def _still_ours(self, messages: list[Message], n_revoked: int) -> list[Message]:
        # Where the partitions went while we took, these come again from the committed place; their own must not be committed.
        return messages if n_revoked == self._n_revoked else [message for message in messages if message.error() is not None]

    def _accepted(self, messages: Iterable[Message]) -> list[Envelope]:
        now = self._context.clock()
        return [self._envelope(*one, now) for one in self._arrived(messages)]

    def _arrived(self, messages: Iterable[Message]) -> list[Arrived]:
        """Return the messages with content, and remember where all of them stood."""
        found: list[Arrived] = []
        runs: dict[Place, list[int]] = {}
        last: dict[Place, Message] = {}
        n_beats = n_empty = 0
        heartbeat = self._heartbeat.topic if self._heartbeat is not None else None
        has_keys = self._alert_stream is not None
        for message in messages:
            error = message.error()
            if error is not None:
                self._on_message_error(message, error)
                continue
            topic, partition, offset = message.topic() or "", message.partition() or 0, message.offset() or 0
            if topic == heartbeat:
                n_beats += 1
                continue
            runs.setdefault((topic, partition), []).append(offset)
            last[topic, partition] = message
            payload = message.value()
            if payload is None:
                n_empty += 1
                continue
            if has_keys and (key := message.key()) is not None and is_schema(key):
                payload = contained(key, payload)
            found.append((topic, partition, offset, payload))
        if runs or n_beats:
            self._link.on_life()
        if n_beats and self._heartbeat is not None:
            self._heartbeat.beat()
        self._counts["heartbeats"] += n_beats
        self._counts["tombstones"] += n_empty
        self._remember(runs, len(found), last)
        return found

    def _remember(self, runs: Mapping[Place, list[int]], n_messages: int, last: Mapping[Place, Message]) -> None:
        if not runs:
            return
        with self._lock:
            for place, offsets in runs.items():
                self._next[place] = self._taken[place] = offsets[-1] + 1
                self._unread.pop(place, None)
                kind, milliseconds = last[place].timestamp()
                if kind != TIMESTAMP_NOT_AVAILABLE:
                    self._stamps[place] = milliseconds / 1000.0
            self._counts["messages"] += n_messages
            if n_messages:
                self._last_message_at = self._context.clock().to_utc_iso()
        self._positions += tuple(
            Position(
                topic=topic,
                partition=part,
                first_offset=offsets[0],
                next_offset=offsets[-1] + 1,
                n_messages=len(offsets),
                topic_id=self._ids.get(topic, ""),
            )
            for (topic, part), offsets in runs.items()
        )

    def _envelope(self, topic: str, partition: int, offset: int, payload: bytes, now: Instant) -> Envelope:
        return Envelope(
            payload=payload,
            source=self._context.name,
            received_at=now,
            position=f"{topic}/{partition}/{offset}",
            topic=topic,
            alert_stream=self._alert_stream,
            trust=self._trust,
        )

    def _on_message_error(self, message: Message, error: KafkaError) -> None:
        code, topic = error.code(), message.topic()
        if code == KafkaError._PARTITION_EOF:  # noqa: SLF001 - a public constant of the client
            return
        if code in faults.OUT_OF_RANGE:
            # The place is gone while we listened: look where the partition begins now, and say what is missing.
            with self._lock:
                if self._waiting is None:
                    self._waiting = [TopicPartition(name, partition) for name, partition in self._next]
        elif topic and topic.startswith("^") and code in faults.TOPIC_MISSING:
            with self._lock:
                self._looked_at = float("-inf")  # a family without a topic: see what there is
        elif topic and code in faults.TOPIC_MISSING:
            self._mark(topic, _NOT_THERE)
        elif topic and code == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            self._mark(topic, _NOT_ALLOWED)
        elif error.fatal() or code in faults.NO_MEMBER:
            self._fatal = faults.sentence(error)
        else:
            self._link.on_error(error)

    def _mark(self, topic: str, sentence: str) -> None:
        with self._lock:
            self._topic_faults[topic] = sentence.format(topic=topic) + self._advice

    # Looking around.

    def _look_at_topics(self) -> None:
        """Compare the topics of the cluster with those expected, after each dealing out and while some are missing."""
        with self._lock:
            looked_at = self._looked_at
            is_whole = not self._topic_faults and self._seen is not None and all(self._topics.found(self._seen).values())
        now = self._monotonic()
        if looked_at is None or (now - looked_at < LOOK_AGAIN_S) or (is_whole and looked_at != float("-inf")):
            return
        try:
            cluster = self._consumer.list_topics(timeout=LOOK_S).topics
        except KafkaException as error:
            self._link.on_error(error.args[0])
            cluster = None
        with self._lock:
            self._looked_at = now
            if cluster is None:
                return
            there = [name for name, topic in cluster.items() if topic.error is None]
            self._seen = tuple(there)
            self._topic_faults = {name: said for name, said in self._topic_faults.items() if name not in there}
            for name in self._topics.missing(there):
                self._topic_faults.setdefault(name, _NOT_THERE.format(topic=name) + self._advice)

    def _lag(self) -> dict[Place, int]:
        ends = self._link.ends()
        return {place: max(ends[place] - offset, 0) for place, offset in self._next.items() if place in ends}

    def _behind_s(self, lag: Mapping[Place, int]) -> dict[Place, float | None]:
        """Return for each partition that is not read to its end how old the last message taken is.

        Of one that nothing was taken of it is how long messages are known to wait in it: they are at least so old. None at first.
        """
        now = self._context.clock()
        found: dict[Place, float | None] = {}
        for place, behind in lag.items():
            if not behind:
                continue
            stamp = self._stamps.get(place)
            since = self._unread.setdefault(place, now) if stamp is None else Instant.from_unix_s(stamp)
            waited_s = round(max(now.minus(since), 0.0), 3)
            found[place] = None if stamp is None and not waited_s else waited_s
        return found

    @contextmanager
    def _listening(self) -> Iterator[None]:
        if self._heartbeat is None:
            yield
            return
        with self._heartbeat.listening():
            yield

    def _raise_refusal(self) -> None:
        refusal = self._fatal or self._link.refusal()
        if refusal is not None:
            raise Permanent(f"{self._context.name}: {refusal}")

    def _commit(self, places: Mapping[Place, int]) -> None:
        if not places:
            return
        try:
            _sound(self._consumer.commit(offsets=_partitions(places), asynchronous=False))
        except KafkaException as error:
            fault = error.args[0]
            if fault.code() not in faults.NOT_COMMITTED:
                raise Transient(f"{self._context.name}: the place could not be committed: {faults.sentence(fault)}") from error
            self._counts["commits_refused"] += 1


class KafkaPacketSource(KafkaSource):
    """A subscription to alert packets; implements `hub.ports.PacketSource`.

    It does not wait for the broker's answer to a commit before the next batch: what it commits was stored before, and a commit
    that fails makes packets come again. Only at the end, before partitions are given away, and after one that failed it waits.
    """

    def acknowledge(self) -> None:
        """Have the place behind everything that `take_packets` has returned committed; called once the hub has stored it.

        Raises
        ------
        Transient
            The broker did not take what was acknowledged before, nor does it now; the same call may succeed later.
        """
        if self._commits.failed():
            with self._lock:
                self._taken = self._commits.forget() | self._taken
            super().acknowledge()
            return
        with self._lock:
            taken, self._taken = self._taken, {}
        if not taken:
            return
        self._commits.sent(taken)
        try:
            self._consumer.commit(offsets=_partitions(taken), asynchronous=True)
        except KafkaException as error:
            self._commits.on_answer(error.args[0], _partitions(taken))

    def take_packets(self, limit: int, timeout_s: float) -> PacketBatch | None:
        """Return what has arrived, waiting at most the time-out for the first packet; errors as `take`."""
        room = Room(n_packets=limit, n_bytes=self._context.packet_bytes)
        return self._taking(lambda wait_s: self._packets(room, wait_s), timeout_s)

    def _packets(self, room: Room, wait_s: float) -> PacketBatch | None:
        n_revoked = self._n_revoked
        early, self._early = self._early, []
        messages = gathered(self._consumer, room, wait_s, self._monotonic, early)
        found = self._arrived(self._still_ours(messages, n_revoked))
        if not found:
            return None
        return PacketBatch(
            **columns(found),
            source=self._context.name,
            received_at=self._context.clock(),
            alert_stream=self._alert_stream,
            trust=self._trust,
        )


def _mark(start: Start) -> Position:
    """Return the run of nothing by which the hub learns where a partition is taken up, anew or again, and of which topic."""
    return Position(
        topic=start.topic,
        partition=start.partition,
        first_offset=start.offset,
        next_offset=start.offset,
        n_messages=0,
        topic_id=start.topic_id,
    )


def _partitions(places: Mapping[Place, int]) -> list[TopicPartition]:
    return [TopicPartition(topic, partition, offset) for (topic, partition), offset in places.items()]


def _sound(answers: list[TopicPartition]) -> list[TopicPartition]:
    """Return answers about partitions; the first error among them is raised."""
    for answer in answers:
        if answer.error is not None:
            raise KafkaException(answer.error)
    return answers


@contextmanager
def open_source(options: KafkaOptions, context: PartContext) -> Iterator[KafkaSource]:
    """Give a subscription, closed at the end without committing anything by itself.

    Raises
    ------
    ConfigError
        The options make no sense, e.g. no group id.
    """
    where = f"sources.{context.name}"
    with subscribed(
        Consumer,
        _settings(options, where, context),
        context=context,
        topics=topic_names(options.topics, f"{where}.topics"),
        trust=settings_of.trust_of(options),
        alert_stream=options.stream or None,
    ) as source:
        yield source


def check(options: KafkaOptions, context: PartContext) -> list[str]:
    """Try the connection once and return what is wrong, in sentences; nobody's place in the stream is touched."""
    where = f"sources.{context.name}"
    return trial.complaints(Consumer, _settings(options, where, context), topic_names(options.topics, f"{where}.topics"))


def _settings(options: KafkaOptions, where: str, context: PartContext) -> dict[str, Any]:
    settings = settings_of.connection(options, where, context.data_dir) | settings_of.subscription(options, where)
    return settings | settings_of.of_packets() if options.stream else settings


@contextmanager
def subscribed(
    make: Callable[[dict[str, Any]], Consumer],
    settings: Mapping[str, Any],
    *,
    make_admin: Callable[[dict[str, Any]], AdminClient] = AdminClient,
    context: PartContext,
    topics: TopicNames,
    trust: Trust,
    alert_stream: str | None = None,
    heartbeat: Heartbeat | None = None,
    advice: str = "",
    empty_family: str | None = None,
) -> Iterator[KafkaSource]:
    """Give an open subscription made by a given client.

    Parameters
    ----------
    make
        Makes the client.
    settings
        Of librdkafka.
    make_admin
        Makes the client of the lookout.
    context
        From the hub.
    topics
        What is asked for.
    trust
        How far its messages are believed.
    alert_stream
        Stream map of its alerts.
    heartbeat
        Topic whose silence is an alarm.
    advice
        What to do about a topic that is not to be had.
    empty_family
        The alarm of a ``{family}`` that covers no topic; None where that is usual, as before the first night of a survey.

    Raises
    ------
    ConfigError
        The client refuses a setting.
    """
    kind = KafkaSource if alert_stream is None else KafkaPacketSource
    try:
        source = kind(
            make,
            settings,
            make_admin=make_admin,
            context=context,
            topics=topics,
            trust=trust,
            alert_stream=alert_stream,
            heartbeat=heartbeat,
            advice=advice,
            empty_family=empty_family,
        )
    except KafkaException as error:
        said = settings_of.without_secrets(error.args[0].str(), dict(settings))
        raise ConfigError(f"sources.{context.name}: the Kafka client refuses the settings: {said}") from None
    try:
        source.subscribe()
        yield source
    finally:
        source.close()
