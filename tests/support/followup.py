"""An open coincidence with a candidate, and a clock that a test turns, for everything about follow-up."""

from hub.model.coincidence import Candidate, Coincidence, Member, MemberKind, PairState, coincidence_id
from hub.model.event import StoredNotice, assemble
from hub.model.instant import Instant
from hub.model.notice import EventClass, Messenger, Notice, Role, Stage
from hub.resources import read_text
from hub.science.rules import Hypothesis, PriorActivity, load_rules
from hub.storage import candidates, coincidences, events

PRIORS = load_rules(read_text("conf/coincidence.toml")).hypotheses[0].priors
NOW = Instant.from_utc_iso("2017-08-18T00:10:00Z")
AT2017GFO = (197.45037, -23.38148)
"""ICRS degrees (Coulter et al. 2017)."""


class TurnedClock:
    """A clock that stands still until it is turned."""

    def __init__(self, now=NOW):
        self.now = now

    def __call__(self):
        return self.now

    def forward(self, seconds):
        self.now = self.now.plus_s(seconds)


def open_gate(*_):
    """Bar nothing: for tests that look at the sending alone."""


def make_event(event_id="G298048", *, is_live=True, stage=Stage.UPDATE, is_trusted=True):
    notice = Notice(
        identity=f"{event_id}|{stage}",
        format="igwn-json",
        ivorn=None,
        stream="igwn.gwalert",
        mission="LVK",
        instrument=None,
        messenger=Messenger.GW,
        role=Role.OBSERVATION if is_live else Role.TEST,
        stage=stage,
        event_class=EventClass.CBC,
        event_key=event_id,
        t0=Instant.from_utc_iso("2017-08-17T12:41:04.4Z"),
        is_live=is_live,
    )
    return assemble(
        event_id,
        [
            StoredNotice(
                notice_id=f"{event_id}-1",
                notice=notice,
                received_at=NOW,
                is_trusted=is_trusted,
                digest="0" * 64,
                localization_id=None,
            )
        ],
    )


def make_candidate(event_id="G298048", object_id="170000000000000001", *, place=AT2017GFO, state=PairState.OPEN, score=5.5):
    return Candidate(
        event_id=event_id,
        survey="LSST",
        object_id=object_id,
        hypothesis="kilonova",
        state=state,
        confirmed=True,
        n_detections=2,
        ra_deg=place[0],
        dec_deg=place[1],
        first_detection=NOW.plus_s(-3600),
        last_detection=NOW.plus_s(-600),
        levels={},
        level=0.4,
        score=score,
        scores=(),
        reasons=("inside the 50 % region",),
    )


def make_coincidence(event_id="G298048", object_id="170000000000000001", *, version=1, state=PairState.OPEN, is_live=True):
    members = (Member(kind=MemberKind.EVENT, id=event_id), Member(kind=MemberKind.OBJECT, id=f"LSST:{object_id}"))
    return Coincidence(
        coincidence_id=coincidence_id("gw-optical", members),
        kind="gw-optical",
        hypothesis="kilonova",
        members=members,
        state=state,
        version=version,
        scores=(),
        reasons=("it fades",),
        localization_ids=(),
        is_live=is_live,
        t0=Instant.from_utc_iso("2017-08-17T12:41:04.4Z"),
        created_at=NOW,
    )


def make_hypothesis(*, followup=True):
    return Hypothesis(
        name="kilonova",
        kind="gw-optical",
        classes=(EventClass.CBC,),
        onset_d=(-0.02, 10.0),
        window_d=(-0.02, 14.0),
        max_level=0.9995,
        min_reliability=0.5,
        exclude_solar_system=True,
        exclude_negative=True,
        prior_activity=PriorActivity.EXCLUDE,
        typical_delay_d=1.0,
        background_per_deg2=0.15,
        min_announce_score=2.0,
        followup=followup,
        priors=PRIORS,
    )


def stand(session, *, event=None, candidate=None, coincidence=None):
    """Write an event, a candidate and the coincidence of both down, as the correlation does before it asks for follow-up."""
    events.save(session, event or make_event())
    candidates.save_all(session, [candidate or make_candidate()])
    newest = coincidences.latest(session, (coincidence or make_coincidence()).coincidence_id)
    wanted = coincidence or make_coincidence()
    if newest is None or newest.version < wanted.version:
        coincidences.add(session, wanted)
