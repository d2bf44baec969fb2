"""The follow-up policy's file to types, strictly: each mistake is a sentence that says where it stands."""

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeVar

from hub.errors import ConfigError
from hub.model.followup import Urgency
from hub.science.families import BANDS
from hub.science.followup_facts import FLAGS, NUMBERS, WORDS
from hub.science.followup_policy import (
    NO_LIMIT,
    Action,
    Allocation,
    Bound,
    Breaker,
    Exposure,
    Limit,
    Live,
    Policy,
    Replace,
    Rule,
    SkipRules,
    Target,
    Template,
)
from hub.science.followup_templates import fits, has_limits, never_taken
from hub.science.toml_rows import Row

T = TypeVar("T", Allocation, Rule, Template)

_LARGE = 1e9
"""Beyond any number of the policy."""


def load_policy(text: str) -> Policy:
    """Return the policy in a TOML text (``conf/policy.toml``).

    Raises
    ------
    ConfigError
        The text is no TOML, a key is missing, unknown or of the wrong kind, a number is out of range, a name occurs twice or
        names nothing; the sentence says where.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the follow-up policy is no TOML: {error}") from error
    try:
        return _policy(Row(data, "the follow-up policy"))
    except ValueError as error:
        raise ConfigError(str(error)) from error


def check_sites(policy: Policy, names: Iterable[str]) -> None:
    """Raise `ConfigError` where an allocation names a site that is not among these."""
    there = dict.fromkeys(names)
    for one in policy.allocations.values():
        for site in one.sites:
            if site not in there:
                raise ConfigError(
                    f"the allocation {one.name!r} of the follow-up policy names the site {site!r}; there are {', '.join(there)}"
                )


def _policy(row: Row) -> Policy:
    tables = ("live", "approval", "breaker", "replace", "budget", "skip", "template", "allocation", "rule")
    row.only("version", "stop_all", "stopped_networks", *tables)
    live, approval, breaker = row.table("live"), row.table("approval"), row.table("breaker")
    live.only("enabled", "hosts")
    approval.only("valid_h")
    breaker.only("faults", "within_h", "pause_h")
    replace = row.table("replace")
    replace.only("min_prob")
    budget = row.table("budget")
    budget.only("event", "night")
    skip = _skip(row.table("skip"), SkipRules())
    templates = _by_name([_template(one) for one in row.tables("template")], "template")
    allocations = _by_name([_allocation(one) for one in row.tables("allocation")], "allocation")
    _check_distinct(allocations.values())
    _check_fits(templates.values(), allocations)
    rules = _by_name([_rule(one, skip) for one in row.tables("rule")], "rule")
    for rule in rules.values():
        _check_rule(rule, templates, allocations)
    return Policy(
        version=row.whole("version", least=1),
        stop_all=row.flag("stop_all"),
        stopped=row.words("stopped_networks"),
        live=Live(enabled=live.flag("enabled"), hosts=live.words("hosts")),
        approval_valid_h=approval.number("valid_h", above=0.0, most=720.0),
        breaker=Breaker(
            faults=breaker.whole("faults", least=1),
            within_h=breaker.number("within_h", above=0.0, most=_LARGE),
            pause_h=breaker.number("pause_h", above=0.0, most=_LARGE),
        ),
        replace=Replace(min_prob=replace.number("min_prob", least=0.0, most=1.0)),
        per_event=_limit(budget, "event"),
        per_night=_limit(budget, "night"),
        templates=templates,
        allocations=allocations,
        rules=tuple(rules.values()),
    )


def _by_name(found: Sequence[T], kind: str) -> dict[str, T]:
    names = [one.name for one in found]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"the follow-up policy has two rows [[{kind}]] of the name {name!r}")
    return dict(zip(names, found, strict=True))


def _limit(row: Row, key: str) -> Limit:
    if key not in row:
        return NO_LIMIT
    inner = row.table(key)
    inner.only("requests", "seconds")
    return Limit(
        requests=inner.whole("requests", least=0) if "requests" in inner else None,
        seconds=inner.number("seconds", least=0.0, most=_LARGE) if "seconds" in inner else None,
    )


def _template(row: Row) -> Template:
    row.only(
        "name",
        "exposures",
        "networks",
        "instruments",
        "max_airmass",
        "min_moon_separation_deg",
        "window_h",
        "from_trigger",
        "max_fields",
        "max_prob",
    )
    exposures = tuple(_exposure(one) for one in row.tables("exposures"))
    if not exposures:
        raise ValueError(f"{row.where} has no exposures")
    return Template(
        name=row.word("name"),
        exposures=exposures,
        networks=row.words("networks") if "networks" in row else (),
        instruments=row.words("instruments") if "instruments" in row else (),
        max_airmass=row.number("max_airmass", above=1.0, most=10.0),
        min_moon_separation_deg=row.number("min_moon_separation_deg", least=0.0, most=180.0),
        window_h=row.number("window_h", above=0.0, most=240.0),
        from_trigger=row.flag("from_trigger") if "from_trigger" in row else False,
        max_fields=row.whole("max_fields", least=1) if "max_fields" in row else 1,
        max_prob=row.number("max_prob", above=0.0, most=1.0) if "max_prob" in row else None,
    )


def _exposure(row: Row) -> Exposure:
    row.only("filter", "seconds", "count", "limiting_mag", "band")
    name, limit = row.word("filter"), row.number("limiting_mag", above=0.0, most=40.0) if "limiting_mag" in row else None
    band = row.word("band") if "band" in row else ("" if limit is None else name)
    if "band" in row and limit is None:
        raise ValueError(f"band of {row.where} says something of limiting_mag, which it lacks")
    if limit is not None and (len(band) != 1 or band not in BANDS):
        raise ValueError(f"{row.where} states limiting_mag and needs the band of it, one of {', '.join(BANDS)}, not {band!r}")
    return Exposure(
        filter=name,
        seconds=row.number("seconds", above=0.0, most=86_400.0),
        count=row.whole("count", least=1) if "count" in row else 1,
        limiting_mag=limit,
        band=band,
    )


def _allocation(row: Row) -> Allocation:
    row.only("name", "network", "instrument", "sites", "host", "per_night", "total", "fov_deg")
    sites = row.words("sites")
    if not sites:
        raise ValueError(f"{row.where} names no site")
    return Allocation(
        name=row.word("name"),
        network=row.word("network"),
        instrument=row.word("instrument"),
        sites=sites,
        host=row.word("host") if "host" in row else None,
        per_night=_limit(row, "per_night"),
        total=_limit(row, "total"),
        fov_deg=row.number("fov_deg", above=0.0, most=60.0) if "fov_deg" in row else None,
    )


def _check_distinct(allocations: Iterable[Allocation]) -> None:
    known: dict[tuple[str, str], str] = {}
    for one in allocations:
        other = known.setdefault((one.network, one.instrument), one.name)
        if other != one.name:
            raise ValueError(
                f"the allocations {other!r} and {one.name!r} are of one instrument of one network: who pays could not be told"
            )


def _skip(row: Row, default: SkipRules) -> SkipRules:
    numbers = ("requested_within_deg", "requested_within_h", "observed_within_h", "planned_within_h")
    row.only(*numbers, "planned_by", "classified", "not_observable")

    def number(key: str, most: float) -> float | None:
        return row.number(key, least=0.0, most=most) if key in row else getattr(default, key)

    def flag(key: str) -> bool:
        return row.flag(key) if key in row else bool(getattr(default, key))

    found = SkipRules(
        requested_within_deg=number("requested_within_deg", 180.0),
        requested_within_h=number("requested_within_h", _LARGE),
        observed_within_h=number("observed_within_h", _LARGE),
        planned_within_h=number("planned_within_h", _LARGE),
        planned_by=row.words("planned_by") if "planned_by" in row else default.planned_by,
        classified=flag("classified"),
        not_observable=flag("not_observable"),
    )
    if found.requested_within_h is not None and found.requested_within_deg is None:
        raise ValueError(f"requested_within_h of {row.where} needs requested_within_deg")
    if found.planned_by and found.planned_within_h is None:
        raise ValueError(f"planned_by of {row.where} needs planned_within_h")
    return found


_ASKING = ("template", "templates", "allocations", "spread", "urgency", "per_event", "per_night", "skip", "relook_d")
_BOUNDS = tuple(f"{end}_{name}" for name in NUMBERS for end in ("min", "max"))


def _rule(row: Row, skip: SkipRules) -> Rule:
    action = row.one_of("action", Action)
    row.only("name", "action", "target", "reason", "require_any_class", "group", *WORDS, *_BOUNDS, *FLAGS, *_ASKING)
    asking: dict[str, Any] = {}
    if action is Action.SKIP:
        for key in _ASKING:
            if key in row:
                raise ValueError(f"{row.where} asks for nothing (action = 'skip') and has {key!r}")
    else:
        asking = {
            "templates": _templates_of(row),
            "allocations": row.words("allocations"),
            "spread": row.flag("spread") if "spread" in row else False,
            "urgency": row.one_of("urgency", Urgency),
            "per_event": _limit(row, "per_event"),
            "per_night": _limit(row, "per_night"),
            "skip": _skip(row.table("skip"), skip) if "skip" in row else skip,
            "relook_d": _relooks(row),
        }
    any_class = row.table("require_any_class") if "require_any_class" in row else None
    return Rule(
        name=row.word("name"),
        action=action,
        target=row.one_of("target", Target),
        reason=row.word("reason"),
        bounds=tuple(_bounds(row)),
        words={key: _words(row, key, kind) for key, (_, _, kind) in WORDS.items() if key in row},
        flags={key: row.flag(key) for key in FLAGS if key in row},
        group=_group(row),
        any_class={} if any_class is None else {key: any_class.number(key, least=0.0, most=1.0) for key in any_class.keys},
        **asking,
    )


def _templates_of(row: Row) -> tuple[str, ...]:
    if "templates" not in row:
        return (row.word("template"),)
    if "template" in row:
        raise ValueError(f"{row.where} has both template and templates")
    return row.words("templates")


def _group(row: Row) -> str:
    if "group" not in row:
        return ""
    group = row.word("group")
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,40}", group):
        raise ValueError(f"group of {row.where} is up to 40 letters, digits, dots, dashes or underscores, not {group!r}")
    return group


def _relooks(row: Row) -> tuple[float, ...]:
    if "relook_d" not in row:
        return ()
    days = row.numbers("relook_d", above=0.0, most=365.0)
    if list(days) != sorted(set(days)):
        raise ValueError(f"relook_d of {row.where} must ascend")
    return days


def _bounds(row: Row) -> Iterable[Bound]:
    for name in NUMBERS:
        least, most = f"min_{name}", f"max_{name}"
        ends = {key: row.number(key, least=-_LARGE, most=_LARGE) for key in (least, most) if key in row}
        if len(ends) == 2 and ends[least] > ends[most]:
            raise ValueError(f"{least} of {row.where} is above its {most}: it can never match")
        for key, value in ends.items():
            yield Bound(number=name, is_least=key == least, value=value)


def _words(row: Row, key: str, kind: type[StrEnum] | None) -> tuple[str, ...]:
    words = row.words(key)
    if not words:
        raise ValueError(f"{key} of {row.where} is empty: it can never match")
    for word in words if kind is not None else ():
        if word not in {str(one) for one in kind or ()}:
            raise ValueError(f"{key} of {row.where} has {word!r}; there are {', '.join(kind or ())}")
    return words


def _check_rule(rule: Rule, templates: Mapping[str, Template], allocations: Mapping[str, Allocation]) -> None:
    if rule.action is Action.SKIP:
        return
    where = f"the rule {rule.name!r} of the follow-up policy"
    if not rule.templates:
        raise ValueError(f"{where} names no template")
    _check_known(where, "template", rule.templates, templates)
    if len(set(rule.templates)) != len(rule.templates):
        raise ValueError(f"{where} names a template twice")
    if not rule.allocations:
        raise ValueError(f"{where} names no allocation")
    _check_known(where, "allocation", rule.allocations, allocations)
    if len(set(rule.allocations)) != len(rule.allocations):
        raise ValueError(f"{where} names an allocation twice")
    _check_templates(rule, where, templates, [allocations[name] for name in rule.allocations])
    of_candidate: Callable[[str], bool] = ("level", "score", "expected_mag").__contains__
    about = [one.number for one in rule.bounds if of_candidate(one.number)] + list(rule.flags)
    about += ["hypotheses"] if "hypotheses" in rule.words else []
    if about and rule.target is not Target.CANDIDATE:
        raise ValueError(f"{where} is for the {rule.target} of an event, and asks for {about[0]}, which only candidates have")
    if rule.target is Target.MAP:
        for name in rule.allocations:
            if allocations[name].fov_deg is None:
                raise ValueError(f"{where} is for maps, and its allocation {name!r} states no field (fov_deg)")


def _check_templates(rule: Rule, where: str, templates: Mapping[str, Template], allocations: Sequence[Allocation]) -> None:
    """Refuse a rule of which an allocation has no template, or a template no allocation."""
    names = ", ".join(rule.templates)
    for one in allocations:
        mine = [templates[name] for name in rule.templates if fits(templates[name], one)]
        if not mine:
            raise ValueError(f"{where} names the allocation {one.name!r}, and no template of {names} is for it")
        if rule.target is not Target.CANDIDATE and all(has_limits(each) for each in mine):
            raise ValueError(
                f"{where} is for the {rule.target} of an event, of which no magnitude is expected: it needs a template without"
                f" limiting_mag for {one.name!r}"
            )
    for name in never_taken(rule.templates, allocations, templates):
        raise ValueError(
            f"{where} names the template {name!r}, which is never taken: one before it is for the same and has no limit"
        )


def _check_fits(templates: Iterable[Template], allocations: Mapping[str, Allocation]) -> None:
    for one in templates:
        where = f"the template {one.name!r} of the follow-up policy"
        _check_known(where, "network", one.networks, {each.network: each for each in allocations.values()})
        _check_known(where, "instrument", one.instruments, {each.instrument: each for each in allocations.values()})


def _check_known(where: str, kind: str, names: Iterable[str], there: Mapping[str, object]) -> None:
    for name in names:
        if name not in there:
            raise ValueError(f"{where} names the {kind} {name!r}; there are {', '.join(sorted(there)) or 'none'}")
