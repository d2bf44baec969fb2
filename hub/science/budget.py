"""The budget of false announcements: which pairs and candidates are good enough to leave the hub.

The hub as a whole may announce so many false coincidences a month. Each rule for pairs and each counterpart hypothesis has a
share of that, and a share is a threshold:

* A pair of events leaves where noise alone would do this at most as often as the share, after trials (``joint FAR x trials <=
  share``), and where unrelated real events would do it at most as often too: of the two numbers none is used without the other.
  Pairs that reach a false-alarm rate f are no more frequent than f, so no more false pairs than the share are announced. Trials
  count the searches that looked at the noise of one detector; the rate of real alerts counts them all already, so the second
  number has no factor.
* A candidate leaves where at most the share of unrelated objects is expected to do as well, times the events a month that are
  searched. The number is the measured one (`hub.science.worth`, each survey that is heard a trial); how many maps are live at the
  same time is in the events a month already. Where nothing could be measured it follows from the score: its logs of likelihood
  ratios and of density over background sum to ``s``, and no more than ``exp(-s)`` unrelated objects an event reach ``s``
  (Markov's inequality, a likelihood ratio having mean 1 under background).

Whether a version leaves follows from the version alone, never from what else was announced: a month's spending does not close
the door, it is written down once for each coincidence (`hub.storage.announced`) and shown (`hub.services.budget`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub.model.coincidence import Coincidence, MemberKind
from hub.model.worth import BY_SCORE, EXPECTED, MEASURED

MONTH_S = 30 * 86_400.0
"""Seconds in the month of the budget, 30 days as in gwcelery's thresholds."""

HELD_BACK = "not announced: "
"""Beginning of the sentence that says why a version stays in the hub."""

SUM_TOLERANCE = 1e-9
"""Relative rounding that the sum of shares may have above the budget."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one rule may spend."""

    name: str
    """Of the pair rule or of the counterpart hypothesis."""

    kind: str
    """Kind of the coincidences that it makes."""

    search: str | None
    """The search of a pair rule; None where it has none, and for hypotheses."""

    per_month: float
    """False announcements a month."""

    reason: str
    """Why so many."""

    trials: int = 1
    """Pairs: number of searches that the false-alarm rate does not count yet."""

    events_per_month: float | None = None
    """Hypotheses: how many events a month are searched; None for pairs of events."""

    least_score: float | None = None
    """Hypotheses: score from which on candidates become coincidences."""

    @property
    def threshold_hz(self) -> float:
        """Largest joint false-alarm rate, after trials."""
        return self.per_month / MONTH_S

    @property
    def largest_expected(self) -> float | None:
        """Hypotheses: largest number of unrelated objects an event, expected to do as well, with which a candidate leaves."""
        return None if self.events_per_month is None else self.per_month / self.events_per_month

    @property
    def sentence(self) -> str:
        """The share in words."""
        if self.events_per_month is None:
            trials = f" after {self.trials} trials" if self.trials > 1 else ""
            of = f", search {self.search}" if self.search else ""
            return (
                f"{self.name} ({self.kind}{of}): {self.per_month:g} a month, joint FAR{trials} at most {self.threshold_hz:.3g} Hz"
            )
        return (
            f"{self.name} ({self.kind}): {self.per_month:g} a month over {self.events_per_month:g} events, at most "
            f"{self.largest_expected:.3g} unrelated objects an event"
        )

    @property
    def promised_per_month(self) -> float:
        """False announcements a month that the thresholds let through at most: the share.

        The least score of a hypothesis promises less only where its bound holds, which what is measured may deny.
        """
        return self.per_month


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a version may leave."""

    held_back: str
    """Why it must not, a sentence; empty where it may."""

    spends_per_month: float | None
    """False announcements a month of a threshold that lets just this version through; None where that cannot be said."""


ROOM = Verdict(held_back="", spends_per_month=None)
"""That of a hub without a budget."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """All shares."""

    per_month: float
    """False announcements a month of the whole hub."""

    shares: Mapping[str, Share]
    """By name of the rule, every rule once."""

    @property
    def shared_per_month(self) -> float:
        """Sum of the shares."""
        return math.fsum(share.per_month for share in self.shares.values())

    @property
    def faults(self) -> tuple[str, ...]:
        """What is wrong with it, in sentences."""
        total = self.shared_per_month
        if total <= self.per_month * (1.0 + SUM_TOLERANCE):
            return ()
        return (f"the shares of the budget sum to {total:.4g} false announcements a month, the budget is {self.per_month:.4g}",)

    @property
    def sentence(self) -> str:
        """The sum of the shares beside the budget, in words."""
        shared, free = self.shared_per_month, max(self.per_month - self.shared_per_month, 0.0)
        return (
            f"{shared:.4g} of {self.per_month:.4g} false announcements a month are given to {len(self.shares)} pairs and "
            f"hypotheses, {free:.4g} to nobody"
        )

    def verdict(self, coincidence: Coincidence) -> Verdict:
        """Return whether a version may leave: a pure function of its numbers."""
        share = self.shares.get(coincidence.hypothesis)
        if share is None:
            return _held(f"no rule {coincidence.hypothesis!r} has a share of the budget of false announcements")
        if any(member.kind is MemberKind.OBJECT for member in coincidence.members):
            return _of_candidate(coincidence, share)
        return _of_pair(coincidence, share)


def _of_pair(pair: Coincidence, share: Share) -> Verdict:
    by_time, chance = pair.score("joint_far_time_only"), pair.score("random_association")
    joint = pair.score("joint_far")
    far = by_time if joint is None else joint
    if far is None or chance is None:
        missing = "joint false-alarm rate" if far is None else "rate of unrelated real events"
        why = next((s.inputs.get("reason") for s in pair.scores if s.statistic == "joint_far_time_only"), None)
        return _held(f"it has no {missing} to compare with the budget" + (f": {why}" if why and far is None else ""))
    noise, real = far * share.trials * MONTH_S, chance * MONTH_S
    spends = max(noise, real)
    what = "noise alone" if noise >= real else "unrelated real events"
    if not spends <= share.per_month:
        trials = f" with {share.trials} trials" if noise >= real and share.trials > 1 else ""
        return _held(
            f"{what} would do this {spends:.3g} times a month{trials}, the share of {share.name} is {share.per_month:g}", spends
        )
    return Verdict(held_back="", spends_per_month=spends)


def _of_candidate(pair: Coincidence, share: Share) -> Verdict:
    events = 1.0 if share.events_per_month is None else share.events_per_month
    measured = next((one for one in pair.scores if one.statistic == EXPECTED and one.value is not None), None)
    rank = pair.score("rank")
    if measured is not None and measured.value is not None:
        expected, basis = measured.value, str(measured.inputs.get("basis", MEASURED))
        why = measured.inputs.get("reason")
    elif rank is not None:
        expected, basis, why = math.exp(-max(-700.0, min(rank, 700.0))), BY_SCORE, None
    else:
        return _held("it has no score")
    spends = expected * events
    if not spends <= share.per_month:
        how = "are expected at most" if basis == BY_SCORE else "are expected"
        return _held(
            f"{expected:.3g} unrelated objects an event that do as well {how}, by {basis}{f' ({why})' if why else ''}, with "
            f"{events:g} events a month that is {spends:.3g}, the share of {share.name} is {share.per_month:g}",
            spends,
        )
    return Verdict(held_back="", spends_per_month=spends)


def _held(sentence: str, spends: float | None = None) -> Verdict:
    return Verdict(held_back=HELD_BACK + sentence, spends_per_month=spends)


# ------------------------------------------------------------------------------------------------------------------- the file


@dataclass(frozen=True, slots=True, kw_only=True)
class Spender:
    """A rule that makes coincidences, as far as the budget needs it."""

    name: str
    kind: str
    search: str | None = None
    trials: int = 1
    least_score: float | None = None
    """None for pairs of events."""

    least_events_per_month: float = 0.0
    """Hypotheses: events of their classes, by the rates that the rules state, as far as all of a class are searched."""


def parse(data: Mapping[str, Any], spenders: Sequence[Spender]) -> Budget:
    """Return the budget that the table ``[budget]`` and the rows ``[[budget.share]]`` describe.

    Raises
    ------
    KeyError, TypeError, ValueError
        A key is missing, unknown or no number, a row names no rule or one that has a row, a rule has no row, fewer events a month
        are said to be searched for a hypothesis than come, or the shares sum to more than the budget; the sentence says it.
    """
    _check_keys(data, {"false_per_month", "share"}, "[budget]")
    total = _positive(data, "false_per_month")
    rows = {}
    known = {spender.name: spender for spender in spenders}
    for row in data.get("share", []):
        name = str(row["rule"])
        _check_keys(row, {"rule", "per_month", "events_per_month", "reason"}, f"the budget's share of {name!r}")
        if name not in known:
            raise ValueError(f"the budget has a share of {name!r}, which is no pair and no hypothesis")
        if name in rows:
            raise ValueError(f"the budget has two shares of {name!r}")
        if ("events_per_month" in row) != (known[name].least_score is not None):
            raise ValueError(f"the budget's share of {name!r}: events_per_month belongs to hypotheses, and to each of them")
        rows[name] = row
    shares = {}
    for spender in spenders:
        if spender.name not in rows:
            raise ValueError(
                f"the budget has no share of {spender.name!r}: every pair and every hypothesis needs a row of its own"
            )
        row = rows[spender.name]
        events = None if spender.least_score is None else _positive(row, "events_per_month")
        if events is not None and events < spender.least_events_per_month:
            raise ValueError(
                f"the budget's share of {spender.name!r} counts {events:g} events a month, by the rates of its classes "
                f"{spender.least_events_per_month:.4g} are searched"
            )
        shares[spender.name] = Share(
            name=spender.name,
            kind=spender.kind,
            search=spender.search,
            per_month=_positive(row, "per_month"),
            reason=str(row["reason"]),
            trials=spender.trials,
            events_per_month=events,
            least_score=spender.least_score,
        )
    budget = Budget(per_month=total, shares=shares)
    for fault in budget.faults:
        raise ValueError(fault)
    return budget


def _positive(row: Mapping[str, Any], key: str) -> float:
    value = float(row[key])
    if not (math.isfinite(value) and value > 0.0):
        raise ValueError(f"{key} of the budget must be a number above 0, not {value:g}")
    return value


def _check_keys(row: Mapping[str, Any], known: set[str], where: str) -> None:
    if unknown := set(row) - known:
        raise ValueError(f"unknown key {min(unknown)!r} in {where}")
