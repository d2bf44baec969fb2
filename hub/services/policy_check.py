"""Whether the follow-up policy and the telescope networks of the settings fit together, in sentences. Nobody is asked."""

from collections.abc import Iterator, Mapping

from hub.model.followup import Intent, TargetField
from hub.model.instant import Instant
from hub.ports import TelescopeNetwork
from hub.science.followup_policy import Action, Allocation, Policy, Rule, Target, Template
from hub.science.followup_templates import fits
from hub.services.dry_network import ClosedNetwork

SAMPLE_EVENT = "S190425z"
"""A gravitational wave: what a request in a check is made for (LIGO/Virgo GCN 24168)."""

SAMPLE_PLACE = (240.0, -20.0)
"""Where a request in a check points to, ICRS degrees; nobody looks whether it is up."""


def faults(policy: Policy, networks: Mapping[str, TelescopeNetwork], now: Instant) -> list[str]:
    """Return what of a policy the networks cannot do, one sentence each.

    Parameters
    ----------
    policy
        What is asked of whom.
    networks
        Those of the settings that are enabled, by name, opened as they are for sending.
    now
        The present.
    """
    return list(dict.fromkeys([*_allocations(policy, networks), *_rules(policy, networks, now)]))


def _allocations(policy: Policy, networks: Mapping[str, TelescopeNetwork]) -> Iterator[str]:
    there = ", ".join(sorted(networks)) or "none"
    for one in policy.allocations.values():
        network = networks.get(one.network)
        if network is None:
            known = f"which the settings do not have; there are {there}"
            yield f"the allocation {one.name!r} is of the network {one.network!r}, {known}"
        elif not isinstance(network, ClosedNetwork) and network.host != one.host:
            yield (
                f"the allocation {one.name!r} names the host {one.host}, and [networks.{one.network}] speaks to {network.host}:"
                " nothing would be sent"
            )
    named = {*networks, *(one.network for one in policy.allocations.values())}
    for name in policy.stopped:
        if name not in named:
            yield f"stopped_networks has {name!r}, which neither the settings nor an allocation have; there are {there}"


def _rules(policy: Policy, networks: Mapping[str, TelescopeNetwork], now: Instant) -> Iterator[str]:
    for rule in policy.rules:
        for name in rule.allocations if rule.action is not Action.SKIP else ():
            allocation = policy.allocations[name]
            network = networks.get(allocation.network)
            for template in (policy.templates[one] for one in rule.templates):
                wanted = _sample(policy, rule, allocation, template, now)
                for why in network.validate(wanted) if network is not None and fits(template, allocation) else ():
                    yield f"the rule {rule.name!r} asks {name} for {template.name!r}: {why}"


def _sample(policy: Policy, rule: Rule, allocation: Allocation, template: Template, now: Instant) -> Intent:
    """Return a request as the rule would make it by a template, as large as it may be."""
    n_fields = template.max_fields if rule.target is Target.MAP else 0
    return Intent(
        intent_id="0" * 32,
        event_id=SAMPLE_EVENT,
        coincidence_id=None,
        target=f"{rule.target}",
        ra_deg=SAMPLE_PLACE[0],
        dec_deg=SAMPLE_PLACE[1],
        network=allocation.network,
        instrument=allocation.instrument,
        purpose=rule.name,
        policy_version=policy.version,
        window_start=now,
        window_end=now.plus_s(template.window_h * 3600.0),
        exposures=tuple({"filter": one.filter, "seconds": one.seconds, "count": one.count} for one in template.exposures),
        max_airmass=template.max_airmass,
        template=template.name,
        reason=rule.reason,
        urgency=rule.urgency,
        fields=tuple(TargetField(ra_deg=SAMPLE_PLACE[0], dec_deg=SAMPLE_PLACE[1], prob=0.0) for _ in range(n_fields)),
        created_at=now,
    )
