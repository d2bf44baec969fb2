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

PerYear = Annotated[
    float | None,
    typer.Option(
        help="Mean rate of unrelated external triggers per year of 365 days; targeted searches go by --far-ext instead."
    ),
]

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

    1 where a map says nothing, above 1 where they support one source, 0 where they exclude it. Pairs count a map of one density
    on the whole sky, or of an event that too few detectors saw, as no spatial information, and the reason says so.
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
    said = _not_counted(search, far_gw, rate_per_year, far_ext, rate_gw_per_year)
    if maps is not None:
        overlap, reason = _overlap(*maps, settings)
        if reason is not None:
            overlap = 1.0
            said.append(reason)
    rates = joint_rates(
        search,
        far_gw_hz=far_gw,
        profile=profile,
        overlap=overlap,
        rate_hz=None if rate_per_year is None else rate_per_year / YEAR_S,
        gw_rate_hz=None if rate_gw_per_year is None else rate_gw_per_year / YEAR_S,
        far_external_hz=far_ext,
        max_gw_far_hz=far_gw_max,
        max_external_far_hz=far_ext_max,
    )
    body = _body(search, rates, said)
    if as_json:
        emit(body)
    elif rates.time_only.value_hz is not None:
        _tell(search, rates)
        for words in said:
            say(f"  {words}")
    if rates.time_only.value_hz is None:
        complain(f"{search.name}: {rates.time_only.reason}")
        raise typer.Exit(EXIT_FAILED)


def _search(name: str, rules: "Rules") -> "Search":
    found = next((one for one in rules.searches if one.name == name.upper()), None)
    if found is None:
        raise InvalidRequest(f"there is no search {name!r}: there are {', '.join(one.name for one in rules.searches)}")
    return found


def _not_counted(
    search: "Search", far_gw: float, rate_per_year: float | None, far_ext: float | None, rate_gw_per_year: float | None
) -> list[str]:
    """Return which of the given numbers do not count, and what does in their place, in sentences."""
    from hub.science.searches import YEAR_S, FarMethod

    said = []
    if search.method is FarMethod.TARGETED and rate_per_year is not None:
        said.append(f"{search.name} is targeted: --far-ext counts, and --rate-per-year {rate_per_year:g} does not")
    if search.method is not FarMethod.TARGETED and far_ext is not None:
        said.append(f"{search.name} is untargeted: the rate of external triggers counts, and --far-ext {far_ext:g} does not")
    if rate_gw_per_year is not None and rate_gw_per_year / YEAR_S < far_gw:
        said.append(
            "alerts at least as significant come at least at --far-gw, which counts: "
            f"--rate-gw-per-year {rate_gw_per_year:g} is less"
        )
    return said


def _overlap(first: Path, second: Path, settings: "Settings") -> tuple[float, str | None]:
    """Return the overlap integral of two maps, and why it counts as 1 where one of them says nothing about a place."""
    from hub import resources
    from hub.cli.skymaps import read_place
    from hub.science.overlap import overlap_integral
    from hub.science.rules import load_rules
    from hub.science.spatial import too_few_detectors, whole_sky

    limits = load_rules(resources.read_text("conf/coincidence.toml")).spatial
    reasons, maps = [], []
    for path in (first, second):
        skymap, notice = read_place(path, settings)
        too_few = None if notice is None else too_few_detectors(str(path), notice, limits)
        reasons.append(too_few or whole_sky(str(path), skymap, limits))
        maps.append(skymap)
    return overlap_integral(*maps), next(filter(None, reasons), None)


def _body(search: "Search", rates: "JointRates", said: list[str]) -> dict[str, Any]:
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
    reasons = [*said, *([] if rates.spacetime.value_hz is not None else [rates.spacetime.reason])]
    return {**body, "reason": "; ".join(reasons)} if reasons else body


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
