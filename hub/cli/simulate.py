"""``mmhub simulate``: a Rubin night at any fraction of its size, into files or a Kafka topic."""

import shutil
import time
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.invocation import start
from hub.cli.listing import AsJson
from hub.cli.output import complain, emit, say
from hub.errors import ConfigError

if TYPE_CHECKING:
    from hub.demo.survey.estimate import Estimate
    from hub.demo.survey.night import SurveyNight
    from hub.demo.survey.running import Made, Rate
    from hub.demo.survey.sending import TopicWriter

GIB = 1 << 30
"""Bytes of a gibibyte."""

SPARE_BYTES = GIB
"""What stays free on a disk that packets are written to."""

TOPIC = "lsst-alerts-simulated"
"""Where packets are sent to where nothing else is said."""

PARTITIONS = 45
"""Partitions of a topic that is made."""

FIRST_DAY, LAST_DAY = date(2024, 3, 1), date(2040, 1, 1)
"""Nights that can be made: the year of a history and ids count from 2023-02-25, and ids have room for 8,192 nights."""

simulate_app = typer.Typer(no_args_is_help=True, help="Make alerts of nights that never were.")


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.add_typer(simulate_app, name="simulate")


@simulate_app.command()
def night(
    context: typer.Context,
    *,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FOLDER", help="Write Avro containers, and the truth beside them.")
    ] = None,
    kafka: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Send to a Kafka topic instead.")] = None,
    topic: Annotated[
        str | None, typer.Option(help=f"With --kafka: the topic, made where it is not there; {TOPIC} if not given.")
    ] = None,
    partitions: Annotated[
        int | None, typer.Option(min=1, max=1000, help=f"With --kafka: of a topic that is made; {PARTITIONS} if not given.")
    ] = None,
    rate: Annotated[
        str | None,
        typer.Option(
            metavar="real|N|max",
            help="With --kafka: a visit each 37 s, with all times told as if it were now (real, the default);"
            " N packets a second; or as fast as it goes.",
        ),
    ] = None,
    truth: Annotated[Path | None, typer.Option(metavar="FOLDER", help="With --kafka: where the truth goes.")] = None,
    ahead_gb: Annotated[
        float | None, typer.Option(min=0.1, help="With --kafka: never be so many GB ahead of what --group has committed.")
    ] = None,
    group: Annotated[str | None, typer.Option(help="The consumer group that --ahead-gb waits for.")] = None,
    fraction: Annotated[
        float, typer.Option(min=1e-6, max=1.0, help="Share of all objects that there are; the visits stay the same.")
    ] = 1.0,
    visits: Annotated[int | None, typer.Option(min=1, help="Only so many visits.")] = None,
    first: Annotated[int, typer.Option(min=0, help="Visits of the night that are left out before.")] = 0,
    seed: Annotated[int, typer.Option(min=0, max=2**62, help="Another seed is another sky.")] = 1,
    date_text: Annotated[
        str | None,
        typer.Option(
            "--date",
            metavar="YYYY-MM-DD",
            help="Evening of the night in Chile; if not given the last night that is over, with --rate real the present one.",
        ),
    ] = None,
    schema: Annotated[str, typer.Option(metavar="VERSION", help="Of the packets: 10.0, 11.0 or 11.1.")] = "10.0",
    cutouts: Annotated[bool, typer.Option("--cutouts/--no-cutouts", help="Packets of true size, or a hundredth of it.")] = True,
    as_json: AsJson = False,
) -> None:
    """Write a Rubin night: 800 visits of 10,000 alerts each, 110 kB an alert, with histories, artefacts and hidden counterparts.

    The same seed and date make the same packets, at any fraction: a smaller night is a part of the larger one. Nights of one seed
    share their objects. With --rate real all times are shifted so that each visit is dated as it is sent; the rest is the same.
    Says how large it becomes before anything is written.
    """
    if (to is None) == (kafka is None):
        raise typer.BadParameter("say either --to FOLDER or --kafka HOST:PORT")
    if to is not None:
        _refuse_with_folder(topic=topic, partitions=partitions, rate=rate, truth=truth, ahead_gb=ahead_gb, group=group)
    if (ahead_gb is None) != (group is None):
        raise typer.BadParameter("--ahead-gb and --group belong together", param_hint="--ahead-gb")
    pace, is_real = _rate(rate or "real"), kafka is not None and rate in (None, "real")
    day = _day(date_text)
    start(context)
    from hub.demo.survey.estimate import estimate
    from hub.demo.survey.night import SurveyNight

    day = day or _default_day(is_real=is_real)
    made_night = SurveyNight(seed, day, fraction=fraction, version=schema, with_cutouts=cutouts)
    chosen = range(min(first, len(made_night)), min(len(made_night), first + (visits or len(made_night))))
    if not chosen:
        raise typer.BadParameter(f"the night has {len(made_night)} visits", param_hint="--first")
    expected = estimate(made_night, chosen)
    complain(f"{expected.n_visits} visits of {day}, about {expected.n_alerts} alerts, {expected.n_bytes / 1e9:.2f} GB")
    begun = time.perf_counter()
    if to is not None:
        made = _into_folder(made_night, chosen, to, day, expected)
    else:
        assert kafka is not None, "one of the two was asked for"
        name = f"{day:%Y%m%d}"
        _make_folder(truth, name)
        writer = _writer(kafka, topic or TOPIC, partitions, ahead_gb=ahead_gb, group=group)
        made_night = _dated_now(made_night, chosen) if is_real else made_night
        made = _into_topic(made_night, chosen, writer, rate=pace, expected=expected, truth=truth, name=name)
    if not made.n_packets:
        raise ConfigError("the visits that were asked for have no alerts: take a larger --fraction or more --visits")
    _tell(made, time.perf_counter() - begun, as_json=as_json)


def _refuse_with_folder(**options: object) -> None:
    """Refuse options of a topic where files are written."""
    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None]
    if given:
        raise typer.BadParameter("belongs to --kafka: files are written as fast as it goes, with the truth", param_hint=given[0])


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text} is no date like 2026-11-23", param_hint="--date") from error
    if not FIRST_DAY <= day <= LAST_DAY:
        raise typer.BadParameter(f"{text} does not lie between {FIRST_DAY} and {LAST_DAY}", param_hint="--date")
    return day


def _default_day(*, is_real: bool) -> date:
    """Return the last night that is over, as the date of its evening; the present one where it is dated now."""
    from hub.bootstrap import now
    from hub.demo.survey.schedule import last_night
    from hub.demo.survey.settings import shipped

    mjd = now().mjd_tai
    night = int(mjd - 0.5) if is_real else last_night(mjd, shipped().survey.longitude_deg)
    return date(1858, 11, 17) + timedelta(days=night)


def _rate(text: str) -> "Rate":
    from hub.demo.survey.running import Rate
    from hub.demo.survey.settings import shipped

    if text == "real":
        return Rate(cadence_s=shipped().survey.cadence_s)
    if text == "max":
        return Rate()
    try:
        per_s = float(text)
    except ValueError:
        per_s = 0.0
    if not 0.0 < per_s < 1e9:
        raise typer.BadParameter(f"{text} is neither real nor max nor a number of packets a second", param_hint="--rate")
    return Rate(per_s=per_s)


def _dated_now(night: "SurveyNight", visits: range) -> "SurveyNight":
    """Return the night with times such that the first visit was read out just now."""
    from hub.bootstrap import now

    moment = now()
    complain(f"dated as if it were now: the first visit ends at {moment.to_utc_iso()}")
    return night.dated(visits.start, moment.plus_s(-night.simulation.survey.exposure_s / 2).mjd_tai)


def _writer(kafka: str, topic: str, partitions: int | None, *, ahead_gb: float | None, group: str | None) -> "TopicWriter":
    from hub.demo.survey.sending import TopicWriter, make_topic

    there = make_topic(kafka, topic, partitions or PARTITIONS)
    if partitions is not None and there != partitions:
        raise ConfigError(f"--partitions: the topic {topic} is there already and has {there}")
    return TopicWriter(kafka, topic, ahead_bytes=None if ahead_gb is None else int(ahead_gb * 1e9), group=group)


def _make_folder(truth: Path | None, name: str) -> None:
    """Make the folder of the truth, and refuse to write over that of another run."""
    if truth is None:
        return
    try:
        truth.mkdir(parents=True, exist_ok=True)
        there = [path for path in (truth / f"{name}-truth.parquet", truth / f"{name}-counterparts.csv") if path.exists()]
    except OSError as error:
        raise ConfigError(f"--truth: {truth} cannot be written to: {error.strerror}") from error
    if there:
        raise ConfigError(f"--truth: {there[0]} is there already; remove it or name another folder")


def _into_folder(night: "SurveyNight", visits: range, folder: Path, day: date, expected: "Estimate") -> "Made":
    from hub.cli.progress import Progress
    from hub.demo.survey.estimate import TRUTH_BYTES
    from hub.demo.survey.running import to_folder

    name = f"{day:%Y%m%d}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise ConfigError(f"--to: {folder} cannot be written to: {error.strerror}") from error
    if (folder / name).exists() and any((folder / name).iterdir()):
        raise ConfigError(f"--to: {folder / name} holds a night already; remove it or name another folder")
    need = int(1.05 * expected.n_bytes) + TRUTH_BYTES * expected.n_alerts + SPARE_BYTES
    if need > free:
        raise ConfigError(
            f"--to: the night needs {need / 1e9:.1f} GB with 1 GB to spare, {folder} has {free / 1e9:.1f} GB: "
            "take a smaller --fraction or fewer --visits, or --no-cutouts"
        )
    with Progress("alerts", total=expected.n_alerts) as progress:
        try:
            made = to_folder(night, visits, folder, name, progress.advance)
        except OSError as error:
            raise ConfigError(f"--to: {folder} cannot be written to: {error.strerror}") from error
    say(f"packets: {folder / name} ({made.n_files} Avro containers, for `mmhub ingest`)")
    say(f"truth: {folder / name}-truth.parquet, {folder / name}-counterparts.csv")
    return made


def _into_topic(
    night: "SurveyNight",
    visits: range,
    writer: "TopicWriter",
    *,
    rate: "Rate",
    expected: "Estimate",
    truth: Path | None,
    name: str,
) -> "Made":
    from hub.cli.progress import Progress
    from hub.demo.survey.running import to_topic

    try:
        with Progress("alerts", total=expected.n_alerts) as progress:
            return to_topic(night, visits, writer, progress.advance, rate=rate, truth_folder=truth, name=name)
    except OSError as error:
        raise ConfigError(f"--truth: {truth} cannot be written to: {error.strerror}") from error
    finally:
        writer.close()


def _tell(made: "Made", seconds: float, *, as_json: bool) -> None:
    told = {
        "visits": made.n_visits,
        "alerts": made.n_packets,
        "bytes": made.n_bytes,
        "counterpart_alerts": made.n_counterpart_alerts,
        "seconds": seconds,
    }
    if as_json:
        emit(told)
        return
    say(
        f"{made.n_visits} visits, {made.n_packets} alerts ({made.n_counterpart_alerts} of counterparts), "
        f"{made.n_bytes / 1e9:.2f} GB, {seconds:.1f} s, {made.n_packets / seconds:.0f} alerts/s"
    )
