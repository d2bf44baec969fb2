"""Which template is asked for at an allocation: the first of the rule that is for it and reaches what is expected. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.science.followup_policy import Allocation, Exposure, Policy, Rule, Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is asked for at one allocation."""

    template: Template | None
    """None where no template of the rule will do."""

    why: str
    """A sentence: what it reaches, and why not those before it; empty where there is nothing to say."""


def choose(rule: Rule, allocation: Allocation, expected_mags: Mapping[str, float], policy: Policy) -> Choice:
    """Return the first template of a rule that is for an allocation and reaches what is expected.

    Parameters
    ----------
    rule
        Its templates are looked at in their order. One that states no limiting magnitude reaches everything.
    allocation
        Of the telescope that would be asked.
    expected_mags
        AB magnitudes by band (`hub.science.families.BANDS`) at the time of the observation; a band that is missing is not known,
        and what is not known is never reached.
    policy
        Has the templates.
    """
    passed = []
    for name in rule.templates:
        template = policy.templates[name]
        if not fits(template, allocation):
            passed.append(f"{name!r} is not for {allocation.instrument} at {allocation.network}")
        elif missed := [why for one in template.exposures if (why := _why_missed(one, expected_mags))]:
            passed.append(f"{name!r} {missed[0]}")
        else:
            return Choice(template=template, why=", ".join(filter(None, [_told(template, expected_mags), *passed])))
    return Choice(template=None, why=", ".join(passed))


def deepest(rule: Rule, allocation: Allocation, policy: Policy) -> Template:
    """Return the last template of a rule that is for an allocation; a policy without one is refused where it is read."""
    return [policy.templates[name] for name in rule.templates if fits(policy.templates[name], allocation)][-1]


def fits(template: Template, allocation: Allocation) -> bool:
    """Return whether a template is for an allocation: it names its network and instrument, or none."""
    return (not template.networks or allocation.network in template.networks) and (
        not template.instruments or allocation.instrument in template.instruments
    )


def never_taken(names: Sequence[str], allocations: Sequence[Allocation], templates: Mapping[str, Template]) -> list[str]:
    """Return those of some templates that none of some allocations ever comes to: one before is for all that these are for."""
    found = []
    for number, name in enumerate(names):
        before = [templates[one] for one in names[:number] if not has_limits(templates[one])]
        if not any(fits(templates[name], one) and not any(fits(first, one) for first in before) for one in allocations):
            found.append(name)
    return found


def has_limits(template: Template) -> bool:
    """Return whether a template states what it reaches."""
    return any(one.limiting_mag is not None for one in template.exposures)


def _why_missed(exposure: Exposure, expected_mags: Mapping[str, float]) -> str:
    if exposure.limiting_mag is None:
        return ""
    expected = expected_mags.get(exposure.band)
    if expected is not None and expected <= exposure.limiting_mag:  # no number is not reached either
        return ""
    said = "nobody knows what is expected" if expected is None or math.isnan(expected) else f"{expected:.1f} is expected"
    return f"reaches {exposure.limiting_mag:g} in {exposure.filter}, and {said}"


def _told(template: Template, expected_mags: Mapping[str, float]) -> str:
    reached = [
        f"{one.limiting_mag:g} in {one.filter} where {expected_mags[one.band]:.1f} is expected"
        for one in template.exposures
        if one.limiting_mag is not None
    ]
    return f"{template.name!r} reaches {' and '.join(reached)}" if reached else ""
