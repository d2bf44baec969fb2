"""Numbers and words of unified notices that rules may use, under the hub's names with units."""

from collections.abc import Mapping
from typing import Any

from adapters.codecs.json_fields import Fields, finite
from hub.model.notice import EventClass

YEAR_S = 365.25 * 86_400
"""Julian year in seconds, for rates that are stated per year."""

FACTS: Mapping[str, str] = {
    "TS": "test_statistic",
    "alert_tense": "tense",
    "alert_topology": "topology",
    "association_probability": "association_probability",
    "dm": "dm_pc_cm3",
    "dm_error": "dm_error_pc_cm3",
    "duration_class": "duration_class",
    "flux_ratio": "flux_ratio",
    "follow_up_event": "follow_up_event",
    "follow_up_type": "follow_up_type",
    "image_duration": "image_duration_s",
    "image_snr": "image_snr",
    "importance": "importance",
    "known_source": "known_source",
    "n_events": "n_events",
    "n_events_coincident": "n_events_coincident",
    "nu_energy": "energy_tev",
    "n_targets": "n_targets",
    "number_of_events": "n_events",
    "observation_livetime": "observation_livetime_s",
    "p_value": "p_value",
    "pipeline": "pipeline",
    "pval_bayesian": "pval_bayesian",
    "pval_generic": "pval_generic",
    "rate_duration": "rate_duration_s",
    "rate_snr": "rate_snr",
    "ref_instrument": "ref_instrument",
    "ref_type": "ref_type",
    "reliability": "reliability",
    "slew_status": "slew_status",
    "snr": "snr",
    "src_error_50": "radius50_deg",
    "subtype": "subtype",
    "t90": "t90_s",
    "trigger_time_error": "t0_error_s",
    "trigger_type": "trigger_type",
}
"""Field of the schema to property of the notice; units are those of the schema's descriptions."""


def facts(fields: Fields) -> dict[str, Any]:
    """Return the properties that the fields of `FACTS`, and the schema's own ``properties``, make."""
    found: dict[str, Any] = {}
    for name, fact in FACTS.items():
        value: Any = fields.peek(name)
        usable = fields.text(name) if isinstance(value, str) else fields.number(name)
        if usable is not None:
            found[fact] = usable
    own = fields.probabilities("properties")
    found.update({name: value for name, value in own.items() if name not in found and value is not None})
    return dict(sorted(found.items()))


def false_alarm_rate(fields: Fields) -> float | None:
    """Return the false-alarm rate in Hz, None where none or a negative one is stated.

    The schema gives Hz; a message that states its own unit in ``far_unit`` or ``far_units`` is taken at its word where that says
    years.
    """
    value = finite(fields.peek("far"))
    if value is None or value < 0.0:
        return None
    unit = (fields.text("far_unit") or fields.text("far_units") or "").lower()
    rate = fields.number("far")
    return rate / YEAR_S if rate is not None and ("yr" in unit or "year" in unit) else rate


def classification(fields: Fields) -> dict[str, float | None]:
    """Return class names with their probabilities, None for a class without a usable one."""
    value = fields.peek("classification")
    if isinstance(value, str):
        named = fields.text("classification")
        return {named: None} if named else {}
    return fields.probabilities("classification")


def vetoes(mission: str, event_class: EventClass, classes: Mapping[str, float | None], known_source: object) -> tuple[str, ...]:
    """Return the reasons for which this notice is not about a new event of its class.

    For gamma-ray bursts the most probable class must be GRB (Fermi flight software; RAVEN leaves the others out too), and a fast
    radio burst of a known repeater is no counterpart of a merger.
    """
    reasons: list[str] = []
    likelihoods = {name: value for name, value in classes.items() if value is not None}
    if mission in ("Fermi", "Swift", "BurstCube") and event_class is not EventClass.OTHER and likelihoods:
        likeliest = max(likelihoods, key=lambda name: likelihoods[name])
        if likeliest.upper() != "GRB":
            reasons.append(f"classified as {likeliest}, not as a GRB")
    if event_class is EventClass.FRB and isinstance(known_source, str):
        reasons.append(f"a burst of the known source {known_source}")
    return tuple(reasons)
