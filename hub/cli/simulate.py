"""``mmhub simulate``: a Rubin night at any fraction of its size, into files or a Kafka topic."""

import shutil
import time
from datetime import UTC, date, datetime
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
    topic: Annotated[str, typer.Option(help="The topic; made where it is not there.")] = "lsst-alerts-simulated",
    partitions: Annotated[int, typer.Option(min=1, max=1000, help="Of a topic that is made.")] = 45,
    rate: Annotated[
        str, typer.Option(metavar="real|N|max", help="A visit each 37 s, N packets a second, or as fast as it goes (Kafka).")
    ] = "real",
    truth: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Where the truth goes with --kafka.")] = None,
    ahead_gb: Annotated[
        float | None, typer.Option(min=0.1, help="Never be so many GB ahead of what --group has committed.")
    ] = None,
    group: Annotated[str | None, typer.Option(help="The consumer group that --ahead-gb waits for.")] = None,
    fraction: Annotated[
        float, typer.Option(min=1e-6, max=1.0, help="Share of all objects that there are; the visits stay the same.")
    ] = 1.0,
    visits: Annotated[int | None, typer.Option(min=1, help="Only so many visits.")] = None,
    first: Annotated[int, typer.Option(min=0, help="Visits of the night that are left out before.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Another seed is another sky.")] = 1,
    date_text: Annotated[
        str | None,
        typer.Option("--date", metavar="YYYY-MM-DD", help="Evening of the night in Chile; the present one if not given."),
    ] = None,
    schema: Annotated[str, typer.Option(metavar="VERSION", help="Of the packets: 10.0, 11.0 or 11.1.")] = "10.0",
    cutouts: Annotated[bool, typer.Option("--cutouts/--no-cutouts", help="Packets of true size, or a hundredth of it.")] = True,
    as_json: AsJson = False,
) -> None:
    """Write a Rubin night: 800 visits of 10,000 alerts each, 110 kB an alert, with histories, artefacts and hidden counterparts.

    The same seed and date make the same packets, at any fraction: a smaller night is a part of the larger one. Nights of one seed
    share their objects. Say how large it becomes before a disk is filled.
    """
    if (to is None) == (kafka is None):
        raise typer.BadParameter("say either --to FOLDER or --kafka HOST:PORT")
    if ahead_gb is not None and (group is None or kafka is None):
        raise typer.BadParameter("--ahead-gb needs --kafka and --group", param_hint="--ahead-gb")
    day = _day(date_text)
    start(context)
    from hub.demo.survey.estimate import estimate
    from hub.demo.survey.night import SurveyNight

    pace = _rate(rate, SurveyNight.cadence_s())
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
        from hub.demo.survey.sending import TopicWriter, make_topic

        assert kafka is not None, "one of the two was asked for"
        make_topic(kafka, topic, partitions)
        writer = TopicWriter(kafka, topic, ahead_bytes=None if ahead_gb is None else int(ahead_gb * 1e9), group=group)
        made = _into_topic(made_night, chosen, writer, rate=pace, expected=expected, truth=truth, name=f"{day:%Y%m%d}")
    _tell(made, time.perf_counter() - begun, as_json=as_json)


def _day(text: str | None) -> date:
    if text is None:
        return datetime.now(tz=UTC).date()
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text} is no date like 2026-11-23", param_hint="--date") from error


def _rate(text: str, cadence_s: float) -> "Rate":
    from hub.demo.survey.running import Rate

    if text == "real":
        return Rate(cadence_s=cadence_s)
    if text == "max":
        return Rate()
    try:
        per_s = float(text)
    except ValueError:
        per_s = 0.0
    if not 0.0 < per_s < 1e9:
        raise typer.BadParameter(f"{text} is neither real nor max nor a number of packets a second", param_hint="--rate")
    return Rate(per_s=per_s)


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
