"""What the distances of plausible hosts say of an object whose event has a distance."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hub.science.healpix import Floats
from hub.science.host_rules import HostRules
from hub.science.hosts import Host, LineOfSight, ratios_of, weights_of
from hub.science.ranking.context import Term

NAME = "distance_3d"
"""Of the term: with ``sky`` it is the log of L_3D over the density of unrelated objects."""

VERSION = 2
"""Of its definition."""


def of_hosts(hosts: Sequence[Host], line: LineOfSight, completeness: float | None, rules: HostRules) -> Term:
    """Return the log of the integral over a mixture of hosts (`hub.science.hosts`).

    Parameters
    ----------
    hosts
        Plausible ones, the least likely by chance first; may be none.
    line
        Of the current map at the object.
    completeness
        Probability that the host of something at the event's distance is in a catalogue; None where there is no
        host, for which it does not matter.
    rules
        Priors.
    """
    inputs: dict[str, Any] = {
        "distmu_mpc": line.distmu,
        "distsigma_mpc": line.distsigma,
        "distnorm": line.distnorm,
        "hosts": listed(hosts),
        "completeness": completeness,
        "least_unseen": rules.least_unseen,
        "prior_z_max": rules.prior_z_max,
        "h0_km_s_mpc": rules.cosmology.h0_km_s_mpc,
        "omega_m": rules.cosmology.omega_m,
        "range": list(rules.range),
    }
    weights, ratios = weights_of(inputs), ratios_of(inputs)
    return Term(value=_value(weights, ratios, inputs["range"]), reason=_reason(hosts, weights, ratios), inputs=inputs)


def listed(hosts: Sequence[Host]) -> list[dict[str, Any]]:
    """Return hosts as inputs have them."""
    return [
        {
            "name": one.name,
            "catalogue": one.catalogue,
            "separation_arcsec": one.separation_arcsec,
            "mag_r": one.mag_r,
            "chance": one.chance,
            "redshift": one.redshift,
            "redshift_err": one.redshift_err,
            "distance_mpc": one.distance_mpc,
            "distance_kind": one.distance_kind,
        }
        for one in hosts
    ]


def value_of(inputs: Mapping[str, Any]) -> float:
    """Return the value that a term's inputs give; 0 where no host is plausible."""
    return _value(weights_of(inputs), ratios_of(inputs), inputs["range"])


def value_of_version_1(inputs: Mapping[str, Any]) -> float:
    """Return the value that the inputs of a term give that was stored by the first version."""
    return _value(weights_of(inputs, version=1), ratios_of(inputs, version=1), inputs["range"])


def _value(weights: Floats, ratios: Floats, limits: Sequence[float]) -> float:
    if not len(ratios):
        return 0.0
    low, high = limits
    return float(np.clip(np.log(weights[-2] + weights[-1] + np.sum(weights[:-2] * ratios)), low, high))


def _reason(hosts: Sequence[Host], weights: Floats, ratios: Floats) -> str:
    if not hosts:
        return "no plausible host in the catalogues, which says nothing"
    after = np.append(weights[:-2] * ratios, weights[-2:])
    after /= after.sum()
    best = int(np.argmax(after[:-2]))
    one = hosts[best]
    where = "of unknown distance" if one.distance_mpc is None else f"at {one.distance_mpc:.0f} Mpc ({one.distance_kind})"
    return (
        f"host {one.name} {where}, {one.separation_arcsec:.1f} arcsec away, by chance {one.chance:.1g}; "
        f"{100 * after[best]:.0f} % that one, {100 * after[-1]:.0f} % in no catalogue, {100 * after[-2]:.0f} % none of those near"
    )
