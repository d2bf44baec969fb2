"""Trying what the settings name, part by part, each within a time: what ``mmhub config check`` prints."""

import errno
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hub.errors import ConfigError, HubError

if TYPE_CHECKING:
    from hub.config import ApiSection, Settings

TRIAL_S = 45.0
"""Longest time for one part, seconds; a connection that is refused says so sooner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What came of one trial."""

    fine: str
    """What is fine, one sentence; only true without faults."""

    faults: tuple[str, ...] = ()
    """What to fix, one sentence each."""


def trials(settings: "Settings") -> Iterator[tuple[str, Found]]:
    """Yield each part with what came of it, as soon as it is known."""
    from hub.bootstrap import cautions, check_fetching, check_network, check_registry, check_sink, check_source
    from hub.config import OidcSection

    for sentence in cautions(settings):
        yield "hub.authority", Found(fine=sentence.removeprefix("hub.authority "))
    yield _tried("hub.data_dir", partial(_data_dir, settings))
    yield _tried("storage", partial(_database, settings))
    yield _tried("rules", _rules)
    yield _tried("ranking", partial(_ranking, settings))
    yield _tried("policy", partial(_policy, settings))
    yield _tried("api", partial(_api, settings))
    if settings.oidc != OidcSection():
        yield _tried("oidc", partial(_oidc, settings))
    if settings.intake.schema_registry:
        yield _tried("intake.schema_registry", partial(_servers, check_registry, settings))
    if settings.fetch.enabled:
        yield _tried("fetch.hosts", partial(_servers, check_fetching, settings))
    for section, parts, check in (
        ("sources", settings.sources, check_source),
        ("destinations", settings.destinations, check_sink),
    ):
        for name, one in parts.items():
            if one.enabled:
                yield _tried(f"{section}.{name}", partial(_part, check, settings, name))
            else:
                yield f"{section}.{name}", Found(fine="is switched off (enabled = false)")
    for name, network in settings.networks.items():
        if network.enabled:
            yield _tried(f"networks.{name}", partial(_network, check_network, settings, name))
        else:
            yield f"networks.{name}", Found(fine="is switched off (enabled = false)")


def _part(check: "Callable[[Settings, str], list[str]]", settings: "Settings", name: str) -> Found:
    return Found(fine="answers, or has nothing that could be tried", faults=tuple(check(settings, name)))


def _network(check: "Callable[[Settings, str], list[str]]", settings: "Settings", name: str) -> Found:
    section = settings.networks[name]
    if section.kind == "simulated":
        how = "has no telescopes"
    elif section.live:
        how = "is asked in earnest (live = true)"
    else:
        how = "is asked for nothing in earnest (live = false)"
    return Found(fine=f"the kind {section.kind}, {how}", faults=tuple(check(settings, name)))


def _servers(check: "Callable[[Settings], list[str]]", settings: "Settings") -> Found:
    return Found(fine="every server that is named answers over TLS", faults=tuple(check(settings)))


def _api(settings: "Settings") -> Found:
    from hub.cli.serve import bound

    api = settings.api
    try:
        bound(api).close()
    except ConfigError as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.EADDRINUSE and _is_hub(api):
            return Found(fine=f"a hub answers at {api.host} port {api.port} already")
        raise
    return Found(fine=f"{api.host} port {api.port} can be listened at")


def _oidc(settings: "Settings") -> Found:
    from hub.bootstrap.oidc import check_provider, open_provider

    if open_provider(settings) is None:
        return Found(fine="names no issuer: persons sign in otherwise")
    return Found(fine=f"{settings.oidc.issuer} is an OpenID provider", faults=tuple(check_provider(settings)))


def _is_hub(api: "ApiSection") -> bool:
    """Return whether a hub answers where the API would: the settings of one that runs may be tried, too."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(api.host, api.host)  # noqa: S104 - any address: asked is the own one
    door = http.client.HTTPConnection(host, api.port, timeout=_ANSWER_S)
    try:
        door.request("GET", "/api/v1/ready")
        said = json.loads(door.getresponse().read(_ANSWER_BYTES))
    except (OSError, ValueError, http.client.HTTPException):
        return False
    finally:
        door.close()
    return isinstance(said, dict) and (said.get("status") == "ready" or str(said.get("type")).startswith("urn:mmhub:"))


_ANSWER_S = 3.0
_ANSWER_BYTES = 1 << 16


def _data_dir(settings: "Settings") -> Found:
    folder = settings.hub.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".mmhub-check"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        return Found(fine="", faults=(f"the hub cannot write into {folder}: {error.strerror}",))
    return Found(fine=f"data is kept in {folder.resolve()}")


def _database(settings: "Settings") -> Found:
    from sqlalchemy import make_url

    from hub.bootstrap import open_database
    from hub.storage.engine import is_current
    from hub.text import redacted_url

    shown = redacted_url(settings.storage_url)
    file = make_url(settings.storage_url).database if settings.storage_url.startswith("sqlite") else None
    if file and not Path(file).exists():
        return Found(fine=f"{shown} will be made with the first start")
    if not is_current(settings.storage_url):
        return Found(fine=f"{shown} answers; its schema is brought up to date with the next start")
    with open_database(settings):
        return Found(fine=f"{shown} answers")


def _rules() -> Found:
    from hub import resources
    from hub.science.rules import load_rules

    rules = load_rules(resources.read_text("conf/coincidence.toml"), resources.read_text("conf/families.toml"))
    spent = "no budget of false announcements: everything leaves" if rules.budget is None else rules.budget.sentence
    head = f"{len(rules.pairs)} pairs of events, {len(rules.hypotheses)} counterpart hypotheses; {spent}"
    shares = [] if rules.budget is None else [one.sentence for one in rules.budget.shares.values()]
    return Found(fine="\n".join([head, *shares]))


def _policy(settings: "Settings") -> Found:
    from hub import resources
    from hub.bootstrap import check_policy, policy_book
    from hub.science.followup_rules import summary
    from hub.services.followup_facts import book_of

    book = policy_book(settings) if settings.followup.policy else book_of(resources.read_text("conf/policy.toml"))
    policy = book.policy
    stop = " and is stopped (stop_all)" if policy.stop_all else ""
    head = f"version {policy.version} has {len(policy.rules)} rules{stop}"
    return Found(
        fine="\n".join([head, *(summary(rule, policy) for rule in policy.rules)]), faults=tuple(check_policy(settings, policy))
    )


def _ranking(settings: "Settings") -> Found:
    from hub.bootstrap import ranking_for
    from hub.services.ranking_plugins import sentence

    return Found(fine=f"the rank is the sum of {sentence(ranking_for(settings))}")


def _tried(name: str, work: Callable[[], Found]) -> tuple[str, Found]:
    """Return the name of a part and what came of its trial, or that it did not come back in time."""
    results: list[Found] = []

    def run() -> None:
        try:
            results.append(work())
        except HubError as error:
            results.append(Found(fine="", faults=(str(error).removeprefix(name).lstrip(":. "),)))
        except Exception as error:  # noqa: BLE001 - one part that breaks must not hide how the others are
            results.append(Found(fine="", faults=(f"its trial broke: {type(error).__name__}: {error}",)))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(TRIAL_S)
    return name, results[0] if results else Found(fine="", faults=(f"it does not answer within {TRIAL_S:.0f} s",))
