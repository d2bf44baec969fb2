"""Which candidate is the counterpart of an event, or why none of them is: probabilities that sum to 1.

For one counterpart at most among unrelated Poisson objects, the weight of object i is ``q (1 - v) d p(n_i) T_i / b``: q the prior
probability that there is a counterpart of this kind, v that a veto hides it, d that it is bright enough (1 where the stored terms
hold the probability of its brightness already), p(n) the map's density, T the likelihood ratios of the other terms, b the density
of unrelated objects that pass the same cuts. Against them stand, without any object, the ways to see nothing: not searched
``q (1 - c)``, too faint ``q c (1 - d)``, hidden ``q c d v``, does not exist ``1 - q``. (Sutherland & Saunders 1992, MNRAS 259,
413, for one object and one catalogue; the parts without an object are their ``1 - Q`` by name.)

What selected the candidates is no evidence again: terms that repeat a cut (`PosteriorPolicy.selected_by`) are left out, and the
probability outside of the level that is searched belongs to *not searched*.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.model.contender import Contender
from hub.science.chance import Background, LikenessPolicy, density_per_deg2, likeness

PARTS = ("not_searched", "too_faint", "hidden_by_veto", "does_not_exist")
"""Why none of the candidates is the counterpart; the names of `Posterior.none`."""


MEASURED, CONFIGURED = "measured", "configured"
"""What a density of unrelated objects rests on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Existence:
    """Prior of one hypothesis: table ``[posterior.hypothesis.NAME]`` of conf/counterparts.toml."""

    prior: float
    """Probability that an event which is what it seems has a counterpart of this kind."""

    conditional: tuple[str, ...] = ()
    """Properties of a notice that are the probability of a counterpart once the event is real; the first one stated counts."""

    classes: tuple[str, ...] = ()
    """Classes whose probabilities are summed where none of `conditional` is stated."""

    p_astro_unstated: float = 1.0
    """That the event is real, where nothing says how likely."""

    detectable: float = 1.0
    """That it is bright enough, where there is no distance or no light curve to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PosteriorPolicy:
    """Table ``[posterior]`` of conf/counterparts.toml."""

    selected_by: tuple[str, ...]
    """Terms of the rank that repeat a cut and are left out."""

    in_measured_density: tuple[str, ...]
    """Terms that compare with unrelated objects over a whole window, left out where their density was measured over the very
    looks since the event."""

    veto_loss: float
    """Probability that a counterpart is among what cuts and vetoes take out."""

    confirmed_share: float
    """Of the counterparts that are detected the share that is confirmed by two detections; the others are seen once."""

    single_background_per_deg2: float
    """Unrelated objects seen once, where no background is measured."""

    use_configured_background: bool
    """Whether the density of the hypothesis stands in for an insufficient background; the answer says so."""

    n_points: int
    """Points that stand for the map where the share that is bright enough is worked out."""

    least_bright: float
    """Smaller shares of counterparts that are bright enough are taken as this large."""

    likeness: LikenessPolicy
    hypotheses: Mapping[str, Existence]

    @property
    def terms(self) -> frozenset[str]:
        """Return the statistics that are asked of each candidate beside its rank."""
        return frozenset((*self.selected_by, *self.in_measured_density)) | _OF_BRIGHTNESS


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorOf:
    """That there is a counterpart, with what it follows from."""

    value: float
    inputs: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """What the surveys could have seen."""

    share: float | None
    """Probability of the map that was searched, up to the level of the cuts; None where the coverage is unknown."""

    reason: str | None = None
    """Why it is unknown."""

    bright_enough: float = 1.0
    """Of that, the share where the counterpart would have been seen."""

    basis: str = ""
    """What that rests on, in words."""

    partial: str = ""
    """Parts of the time that were not heard, in sentences: at least so much was searched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Densities:
    """Unrelated objects that pass the cuts, per square degree and counterpart of that kind that would be seen."""

    confirmed: float | None
    single: float | None
    basis: str
    """`MEASURED`, `CONFIGURED`, or why there is none."""


def measured_densities(
    background: Background, searched: Searched, candidates: Sequence[Contender], policy: PosteriorPolicy
) -> Densities:
    """Return the densities that a sufficient background of known area gives.

    A counterpart is either confirmed or seen once, so each kind has its share of it. And whatever a likelihood ratio is made of,
    its mean over unrelated objects is the probability that a counterpart would be among what is seen: else it is none, because
    what the terms suppose of unrelated objects is not what they are. So the mean that is measured in the off maps over the one
    that it should be is a factor of the density, and the chances of unrelated objects add up to what is so.
    """
    bright = max(_unit(searched.bright_enough), policy.least_bright) if any(_tells_brightness(one) for one in candidates) else 1.0

    def of_kind(share: float, *, confirmed: bool) -> float | None:
        density = density_per_deg2(background, confirmed=confirmed)
        alike = likeness(background, policy.likeness, confirmed=confirmed)
        return None if density is None else density / share * (1.0 if alike is None else alike / bright)

    return Densities(
        confirmed=of_kind(policy.confirmed_share, confirmed=True),
        single=of_kind(1.0 - policy.confirmed_share, confirmed=False),
        basis=MEASURED,
    )


def configured_densities(confirmed_per_deg2: float, policy: PosteriorPolicy) -> Densities:
    """Return the densities where none could be measured."""
    return Densities(
        confirmed=confirmed_per_deg2 / policy.confirmed_share,
        single=policy.single_background_per_deg2 / (1.0 - policy.confirmed_share),
        basis=CONFIGURED,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One candidate's part."""

    survey: str
    object_id: str
    probability: float | None
    """P_i; None where `Posterior.reason` says why."""

    among_candidates: float | None
    """Its weight over the weights of all candidates: what can be said where the coverage is unknown."""

    log_weight: float
    """Logarithm of the likelihood ratio times p(n)/b that entered."""

    bright: float = 1.0
    """Factor for being bright enough that entered; 1 where its terms hold the probability of its brightness."""

    left_out: Mapping[str, float] = field(default_factory=dict)
    """Terms of the rank that did not enter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """Probabilities of all explanations of what was seen, under one hypothesis."""

    hypothesis: str
    reason: str | None
    """Why there are no probabilities; None where there are."""

    shares: tuple[Share, ...]
    """Of the candidates, the most probable first."""

    none: Mapping[str, float] | None
    """`PARTS` to probabilities."""

    prior: PriorOf
    searched: Searched
    densities: Mapping[str, Densities]
    """By survey."""

    remarks: tuple[str, ...] = ()

    @property
    def p_none(self) -> float | None:
        """Probability that none of the candidates is the counterpart."""
        return None if self.none is None else math.fsum(self.none.values())


def prior_of(
    existence: Existence, p_astro: float | None, classification: Mapping[str, Any], properties: Mapping[str, Any]
) -> PriorOf:
    """Return the prior probability of a counterpart.

    Parameters
    ----------
    existence
        Of the hypothesis.
    p_astro
        As the notice states it.
    classification
        Probabilities of classes, which hold the chance that the event is real already. Of a class that is not among them nothing
        is left but what they do not sum up to.
    properties
        Other numbers of the notice; those in `Existence.conditional` are probabilities once the event is real.
    """
    real = existence.p_astro_unstated if p_astro is None else p_astro
    inputs: dict[str, Any] = {"prior": existence.prior, "p_astro": real, "p_astro_is_stated": p_astro is not None}
    for name in existence.conditional:
        if (value := _number({**properties, **classification}.get(name))) is not None:
            return PriorOf(value=_unit(existence.prior * real * value), inputs={**inputs, name: value})
    stated = {name: value for name in sorted(classification) if (value := _number(classification[name])) is not None}
    if stated and existence.classes:
        own = {name: stated[name] for name in existence.classes if name in stated}
        left = 0.0 if own else max(0.0, 1.0 - math.fsum(stated.values()))
        total = math.fsum(own.values()) + left
        return PriorOf(value=_unit(existence.prior * total), inputs={**inputs, **(own or {"in_no_stated_class": left})})
    return PriorOf(value=_unit(existence.prior * real), inputs=inputs)


def posterior(  # noqa: PLR0917 - what the probabilities follow from
    hypothesis: str,
    candidates: Sequence[Contender],
    prior: PriorOf,
    searched: Searched,
    densities: Mapping[str, Densities],
    policy: PosteriorPolicy,
    remarks: Sequence[str] = (),
) -> Posterior:
    """Return the probabilities of all explanations; the order of the candidates does not matter.

    Parameters
    ----------
    hypothesis
        Under which.
    candidates
        Those that are open, of one event under this hypothesis, each object once.
    prior, searched, policy
        As they are.
    densities
        Of every survey that has candidates.
    remarks
        What the answer must be read with.
    """
    weighed = sorted(
        (_weighed(one, densities[one.survey], policy) for one in candidates),
        key=lambda one: (-one[0], one[1].survey, one[1].object_id),
    )
    top = max((log for log, _, _ in weighed), default=0.0)
    relative = [math.exp(log - top) for log, _, _ in weighed]
    total = math.fsum(relative)
    among = [one / total for one in relative] if total > 0.0 else [0.0] * len(relative)
    reason = _why_not(searched, densities, candidates)
    probabilities: list[float | None] = [None] * len(weighed)
    none = None
    if reason is None:
        none, probabilities = _shares(weighed, prior.value, searched, policy)
    shares = tuple(
        Share(
            survey=one.survey,
            object_id=one.object_id,
            probability=probability,
            among_candidates=share,
            log_weight=log,
            bright=1.0 if _tells_brightness(one) else _unit(searched.bright_enough),
            left_out=left_out,
        )
        for (log, one, left_out), probability, share in zip(weighed, probabilities, among, strict=True)
    )
    return Posterior(
        hypothesis=hypothesis,
        reason=reason,
        shares=shares,
        none=none,
        prior=prior,
        searched=searched,
        densities=densities,
        remarks=tuple(remarks),
    )


_Weighed = tuple[float, Contender, Mapping[str, float]]


def _weighed(candidate: Contender, densities: Densities, policy: PosteriorPolicy) -> _Weighed:
    """Return the logarithm of a candidate's likelihood ratio over the density of unrelated objects, and what did not enter."""
    without = {*policy.selected_by, *(policy.in_measured_density if densities.basis == MEASURED else ())}
    left_out = {name: value for name, value in candidate.terms.items() if name in without}
    log = candidate.score - math.fsum(left_out.values())
    assumed = candidate.background_per_sr
    density = densities.confirmed if candidate.confirmed else densities.single
    if assumed and density:
        log += math.log(assumed / (density * _DEG2_PER_SR))
    return log, candidate, left_out


def _shares(
    weighed: Sequence[_Weighed], prior: float, searched: Searched, policy: PosteriorPolicy
) -> tuple[dict[str, float], list[float | None]]:
    assert searched.share is not None
    share, bright, seen = _unit(searched.share), _unit(searched.bright_enough), 1.0 - policy.veto_loss
    nothing = {
        "not_searched": prior * (1.0 - share),
        "too_faint": prior * share * (1.0 - bright),
        "hidden_by_veto": prior * share * bright * policy.veto_loss,
        "does_not_exist": 1.0 - prior,
    }
    top = max([0.0, *(log for log, _, _ in weighed)])
    scaled = {name: value * math.exp(-top) for name, value in nothing.items()}
    weights = [prior * seen * (1.0 if _tells_brightness(one) else bright) * math.exp(log - top) for log, one, _ in weighed]
    total = math.fsum([*scaled.values(), *weights])
    if not total > 0.0:  # a certain counterpart, everything searched, nothing found: no explanation is left but that it is not
        return {**dict.fromkeys(PARTS, 0.0), "does_not_exist": 1.0}, [0.0] * len(weighed)
    return {name: value / total for name, value in scaled.items()}, [one / total for one in weights]


def _tells_brightness(candidate: Contender) -> bool:
    return not _OF_BRIGHTNESS.isdisjoint(candidate.terms)


def _why_not(searched: Searched, densities: Mapping[str, Densities], candidates: Sequence[Contender]) -> str | None:
    if searched.share is None:
        return f"coverage unknown: {searched.reason}"
    for one in sorted(candidates, key=lambda one: one.survey):
        of_survey = densities[one.survey]
        if (of_survey.confirmed if one.confirmed else of_survey.single) is None:
            return of_survey.basis
    return None


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else None


def _unit(value: float) -> float:
    return min(1.0, max(0.0, value))


_OF_BRIGHTNESS = frozenset({"luminosity", "light_curve"})
"""Terms that hold the probability of the brightness under the hypothesis."""

_DEG2_PER_SR = (180.0 / math.pi) ** 2
