"""Registers of pointings are asked by themselves, at a set pace, what others report of events that are young and live.

Rubin's table of visits and the Treasure Map are registers. When each was asked about which event is a row, so that a restart asks
nobody twice, and a draft of a request can wait for the first answer: who would ask a telescope for what Rubin observes anyway?
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from hub.errors import InvalidRequest, NotFound, TransportError
from hub.model.event import Event, EventState
from hub.model.instant import Instant
from hub.model.register import RegisterAnswer
from hub.ports import Clock, Health, ReportsPointings
from hub.science.low_significance import NONE, LowSignificance
from hub.services import reported
from hub.services.reported import DAY_S
from hub.storage import events, privacy, registers
from hub.storage.engine import Store
from hub.storage.privacy import PrivateKind
from hub.telemetry import get_logger

OVERLAP_S = DAY_S
"""Visits since the last answer are asked for with so much before it, seconds: a visit is told as performed hours later."""

MAX_EVENTS = 500
"""Most events that are looked after at once, the youngest: a busy week has some hundred."""

_log = get_logger("registers")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterSettings:
    """Section ``[registers]``."""

    fetch_s: float = 600.0
    """Between two questions to one register about one event, seconds."""

    days: float = 7.0
    """Events are asked about for so long after their time, days."""

    wait_s: float = 120.0
    """So long a draft waits for the first answer of a register of visits, seconds."""


class Registers:
    """Asks registers, one question after the other; holds no transaction meanwhile."""

    def __init__(
        self,
        store: Store,
        networks: Mapping[str, ReportsPointings],
        clock: Clock,
        settings: RegisterSettings,
        low: LowSignificance = NONE,
    ) -> None:
        self._store = store
        self._networks = dict(networks)
        self._clock = clock
        self._settings = settings
        self._low = low
        self._faults: dict[str, str] = {}

    def step(self) -> int:
        """Ask each register about the one event that has waited longest, where one is due; return how many were asked."""
        return sum(self._ask_one(register) for register in self._networks.values())

    def health(self) -> Health:
        """Return which registers do not answer; callable from any thread."""
        faults = dict(self._faults)
        return Health(
            state="running",
            alarms=tuple(f"the register {name} does not answer: {why}" for name, why in sorted(faults.items())),
            facts={"registers": sorted(self._networks)},
        )

    def _ask_one(self, register: ReportsPointings) -> int:
        now = self._clock()
        with self._store.reading() as session:
            event, before = self._most_due(session, register, now)
        if event is None:
            return 0
        answered_at = None if before is None else before.answered_at
        since = None if answered_at is None else answered_at.plus_s(-OVERLAP_S)
        log = _log.bind(register=register.name, event=event.event_id)
        answer = RegisterAnswer(
            network=register.name,
            event_id=event.event_id,
            asked_at=now,
            answered_at=answered_at,
            n_pointings=0 if before is None else before.n_pointings,
        )
        try:
            said = reported.fetch(self._store, register, event.event_id, now=now, since=since)
        except (NotFound, InvalidRequest) as error:  # it has answered, or cannot be asked about this event
            answer = replace(answer, reason=str(error), answered_at=now)
            self._faults.pop(register.name, None)
            log.debug("nothing is reported", reason=str(error))
        except TransportError as error:
            answer = replace(answer, reason=str(error))
            self._faults[register.name] = str(error)
            log.warning("a register does not answer", reason=str(error))
        else:
            answer = replace(answer, reason="", answered_at=now, n_pointings=int(said["n_pointings"]))
            self._faults.pop(register.name, None)
            log.info("pointings taken in", n=said["n_pointings"], left_out=said["n_left_out"])
        with self._store.transaction() as session:
            registers.note(session, answer)
        return 1

    def _most_due(self, session: Session, register: ReportsPointings, now: Instant) -> tuple[Event | None, RegisterAnswer | None]:
        young = self._young(session, now)
        group = privacy.every(session).get((PrivateKind.NETWORK, register.name), "")
        seen = privacy.seen_events(session, [group], [one.event_id for one in young])  # the question would tell of the others
        young = [one for one in young if one.event_id in seen]
        asked = registers.answers(session, network=register.name, event_ids=[one.event_id for one in young])
        due = []
        for event in young:
            last = asked.get((register.name, event.event_id))
            if last is None or now.minus(last.asked_at) >= self._settings.fetch_s or now < last.asked_at:
                due.append((-1 if last is None else last.asked_at.tai_us, event.event_id, event, last))
        if not due:
            return None, None
        *_, event, last = min(due, key=lambda one: one[:2])
        return event, last

    def _young(self, session: Session, now: Instant) -> Sequence[Event]:
        return events.search(
            session,
            state=EventState.ACTIVE,
            without=self._low.grades,
            live_only=True,
            t0_from=now.plus_s(-self._settings.days * DAY_S),
            t0_to=now,
            limit=MAX_EVENTS,
        )
