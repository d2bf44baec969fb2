"""What a hub says of a request to telescopes to machines, as JSON values: the content behind its JSON and its text."""

from typing import Any

from adapters.codecs.hub_content import clean, jsonable, number
from hub.model.notice import CiteKind
from hub.ports import OwnPointing, PlanMessage

SCHEMA = "mmhub.plan/1"
"""Name and version of this content; `schemas/hub/1/plan.schema.json` says what it holds. A published version is never edited."""


def plan_content(plan: PlanMessage) -> dict[str, Any]:
    """Return everything that is said of a request, in the order and under the names of the schema."""
    intent, former = plan.intent, plan.former
    return {
        "schema": SCHEMA,
        "ivorn": clean(plan.ivorn),
        "author": clean(plan.author_ivorn),
        "subject": "plan",
        "word": plan.word,
        "role": plan.role.value,
        "issued_at": plan.issued_at.to_utc_iso(),
        "supersedes": clean(former.ivorn) if former and former.kind is CiteKind.SUPERSEDES else None,
        "retracts": clean(former.ivorn) if former and former.kind is CiteKind.RETRACTION else None,
        "event_id": clean(intent.event_id),
        "event": {
            "id": clean(intent.event_id),
            **{name: jsonable(plan.event_facts.get(name)) for name in ("messenger", "mission", "t0", "ivorn")},
        },
        "request_id": intent.intent_id,
        "target": clean(intent.target),
        "purpose": clean(intent.purpose),
        "network": clean(intent.network),
        "instrument": clean(intent.instrument),
        "urgency": intent.urgency.value,
        "window_start": intent.window_start.to_utc_iso(),
        "window_end": intent.window_end.to_utc_iso(),
        "exposures": [jsonable(dict(one)) for one in intent.exposures],
        "pointings": [_pointing(one) for one in plan.pointings],
        "reason": clean(plan.reason),
        "cites": [{"ivorn": clean(cite.ivorn), "kind": cite.kind.value} for cite in plan.cites],
    }


def _pointing(one: OwnPointing) -> dict[str, Any]:
    pointing = one.pointing
    return {
        "status": pointing.status.value,
        "at": pointing.at.to_utc_iso(),
        "band": clean(pointing.band),
        "ra_deg": number(one.ra_deg),
        "dec_deg": number(one.dec_deg),
        "footprint": [[number(ra), number(dec)] for ra, dec in pointing.corners_deg],
    }
