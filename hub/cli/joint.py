"""``mmhub overlap`` and ``mmhub joint-far``: what two localizations and two triggers make of each other, without a database."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.invocation import EXIT_FAILED, start
from hub.cli.output import complain, emit, say
from hub.errors import InvalidRequest

if TYPE_CHECKING:
    from hub.config import Settings
    from hub.science.rules import Rules
    from hub.science.searches import JointRates, Search

PerYear = Annotated[float | None, typer.Option(help="Mean rate of unrelated external triggers per year of 365 days.")]

_MAP = "Sky map (FITS), or a notice with one or with a position."


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.command()(overlap)
    app.command("joint-far")(joint_far)


def overlap(
    context: typer.Context,
    first: Annotated[Path, typer.Argument(help=_MAP, metavar="A")],
    second: Annotated[Path, typer.Argument(help=_MAP, metavar="B")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Say how well two sky maps agree: the overlap integral, exact on their common refinement.

    1 where a map says nothing, which pairs then count as no spatial information, above 1 where they support one source, 0 where
    they exclude it.
    """
    found, reason = _overlap(first, second, start(context))
    if as_json:
        emit({"overlap": found} if reason is None else {"overlap": found, "reason": reason})
    else:
        words = reason or ("the maps have no common region" if found == 0.0 else "")
        say(f"{found:.6g}" + (f" ({words})" if words else ""))


def joint_far(
    context: typer.Context,
    *,
    far_gw: Annotated[float, typer.Option(help="False-alarm rate of the gravitational wave, Hz.")],
    pair: Annotated[str, typer.Option(help="Search, e.g. GRB-CBC; an unknown one lists them all.")],
    profile: Annotated[str, typer.Option(help="Whose rates and thresholds: gwcelery or raven.")] = "gwcelery",
    rate_per_year: PerYear = None,
    overlap: Annotated[float | None, typer.Option(help="Overlap integral of the two maps.")] = None,
    maps: Annotated[tuple[Path, Path] | None, typer.Option(help="The two maps, to compute it from.", metavar="A B")] = None,
    far_ext: Annotated[float | None, typer.Option(help="False-alarm rate of the external trigger, Hz (targeted).")] = None,
    far_ext_max: Annotated[float | None, typer.Option(help="Largest one that the search finds, Hz (targeted).")] = None,
    far_gw_max: Annotated[float | None, typer.Option(help="Largest one of a GW that it looks around, Hz (targeted).")] = None,
    rate_gw_per_year: Annotated[
        float | None, typer.Option(help="Rate of GW alerts at least as significant, real ones included, per year.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Compute the joint false-alarm rate of a gravitational wave and an external trigger.

    Beside how often noise alone would do this it says how often unrelated real events would.
    """
    settings = start(context)
    from hub import resources
    from hub.science.rules import load_rules
    from hub.science.searches import YEAR_S, joint_rates

    rules = load_rules(resources.read_text("conf/coincidence.toml"), resources.read_text("conf/families.toml"))
    search = _search(pair, rules)
    if profile not in rules.profiles:
        raise InvalidRequest(f"there is no profile {profile!r}: there are {', '.join(rules.profiles)}")
    if maps is not None and overlap is not None:
        raise InvalidRequest("give --overlap or --maps, not both")
    rates = joint_rates(
        search,
        far_gw_hz=far_gw,
        profile=profile,
        overlap=overlap if maps is None else _overlap(*maps, settings)[0],
        rate_hz=None if rate_per_year is None else rate_per_year / YEAR_S,
        gw_rate_hz=None if rate_gw_per_year is None else rate_gw_per_year / YEAR_S,
        far_external_hz=far_ext,
        max_gw_far_hz=far_gw_max,
        max_external_far_hz=far_ext_max,
    )
    body = _body(search, rates)
    if as_json:
        emit(body)
    elif rates.time_only.value_hz is not None:
        _tell(search, rates)
    if rates.time_only.value_hz is None:
        complain(f"{search.name}: {rates.time_only.reason}")
        raise typer.Exit(EXIT_FAILED)


def _search(name: str, rules: "Rules") -> "Search":
    found = next((one for one in rules.searches if one.name == name.upper()), None)
    if found is None:
        raise InvalidRequest(f"there is no search {name!r}: there are {', '.join(one.name for one in rules.searches)}")
    return found


def _overlap(first: Path, second: Path, settings: "Settings") -> tuple[float, str | None]:
    """Return the overlap integral of two maps; 1 and why, where one says nothing about a place."""
    from hub import resources
    from hub.cli.skymaps import read_map
    from hub.science.levels import summary
    from hub.science.overlap import overlap_integral
    from hub.science.rules import load_rules
    from hub.science.spatial import whole_sky

    limits = load_rules(resources.read_text("conf/coincidence.toml")).spatial
    maps = [read_map(path, settings) for path in (first, second)]
    said = (whole_sky(str(path), summary(one), limits) for path, one in zip((first, second), maps, strict=True))
    reason = next(filter(None, said), None)
    return (overlap_integral(*maps), None) if reason is None else (1.0, reason)


def _body(search: "Search", rates: "JointRates") -> dict[str, Any]:
    body: dict[str, Any] = {
        "far_time_hz": rates.time_only.value_hz,
        "far_spacetime_hz": rates.spacetime.value_hz,
        "random_association_hz": rates.random_association.value_hz,
        "window_s": list(search.window_s),
        "rate_hz": rates.rate_hz,
        "method": search.method.value,
    }
    if rates.random_association.value_hz is None and rates.time_only.value_hz is not None:
        body["random_association_time_hz"] = rates.random_association_time_only.value_hz  # never the one without the other
    return body if rates.spacetime.value_hz is not None else {**body, "reason": rates.spacetime.reason}


def _tell(search: "Search", rates: "JointRates") -> None:
    low, high = search.window_s
    say(f"{search.name}, {search.method.value}, external trigger {low:+g} to {high:+g} s after the gravitational wave")
    for name, rate in (
        ("noise, by time", rates.time_only),
        ("noise, by time and place", rates.spacetime),
        ("real events, by time", rates.random_association_time_only),
        ("unrelated real events", rates.random_association),
    ):
        if rate.value_hz is None:
            say(f"  {name:26} -              {rate.reason}")
            continue
        often = f"once in {1.0 / rate.value_hz / (365 * 86_400.0):.3g} years" if rate.value_hz > 0.0 else "never"
        say(f"  {name:26} {rate.value_hz:<14.4g} Hz, {often}")
