"""A run: the visits of a night, one after the other, to wherever packets go. Nothing of a visit is kept once it is out."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from hub.demo.survey.containers import containers
from hub.demo.survey.light_curves import COUNTERPART
from hub.demo.survey.night import SurveyNight
from hub.demo.survey.sending import Pace, TopicWriter
from hub.demo.survey.truth import truth_file, write_counterparts

Tell = Callable[[int], None]
"""Called with the number of packets that went out since the last call."""

AT_ONCE = 50
"""Packets between two looks at the clock, where they are sent at a rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a run made."""

    n_visits: int
    n_packets: int
    n_bytes: int
    """Of the packets, framing included."""

    n_counterpart_alerts: int
    n_files: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How fast packets leave: at most one of the two."""

    cadence_s: float | None = None
    """From visit to visit, packets spread as detectors finish."""

    per_s: float | None = None


def to_folder(night: SurveyNight, visits: range, folder: Path, name: str, tell: Tell) -> Made:
    """Write packets as containers into ``folder/NAME/`` and the truth beside, as Parquet and CSV."""
    n_packets = n_bytes = n_counterparts = 0
    with ExitStack() as stack:
        writer = stack.enter_context(containers(folder / name, name, night.schema))
        truth = stack.enter_context(truth_file(folder / f"{name}-truth.parquet"))
        write_counterparts(folder / f"{name}-counterparts.csv", night.counterparts, night.shift_days)
        for visit in visits:
            made = night.visit(visit)
            for packet in made.packets():
                writer.add(packet)
                n_bytes += len(packet)
            truth.add(made.alerts)
            n_packets += len(made.alerts)
            n_counterparts += int((made.alerts.kind == COUNTERPART).sum())
            tell(len(made.alerts))
        writer.finish()
        return Made(
            n_visits=len(visits),
            n_packets=n_packets,
            n_bytes=n_bytes,
            n_counterpart_alerts=n_counterparts,
            n_files=writer.n_files,
        )


def to_topic(
    night: SurveyNight,
    visits: range,
    writer: TopicWriter,
    tell: Tell,
    *,
    rate: Rate,
    limit: int | None = None,
    truth_folder: Path | None = None,
    name: str = "",
) -> Made:
    """Send packets to a topic; the truth goes into a folder where one is named.

    Parameters
    ----------
    night, visits
        What is sent.
    writer
        Of the topic.
    tell
        Hears how far it is.
    rate
        How fast.
    limit
        Packets after which the run ends; all where None.
    truth_folder, name
        Where the truth goes, and the begin of its file names.
    """
    n_packets = n_counterparts = 0
    pace = Pace()
    with ExitStack() as stack:
        truth = None
        if truth_folder is not None:
            truth_folder.mkdir(parents=True, exist_ok=True)
            truth = stack.enter_context(truth_file(truth_folder / f"{name}-truth.parquet"))
            write_counterparts(truth_folder / f"{name}-counterparts.csv", night.counterparts, night.shift_days)
        n_visits = 0
        for visit in visits:
            if limit is not None and n_packets >= limit:
                break
            made = night.visit(visit, None if limit is None else limit - n_packets)
            arrival = made.alerts.arrival
            for sent, packet in enumerate(made.packets()):
                if rate.cadence_s is not None:
                    pace.wait_until((n_visits + float(arrival[sent])) * rate.cadence_s)
                elif rate.per_s is not None and n_packets % AT_ONCE == 0:
                    pace.wait_until(n_packets / rate.per_s)
                writer.send(packet)
                n_packets += 1
                if n_packets % AT_ONCE == 0:
                    tell(AT_ONCE)
            n_visits += 1
            if truth is not None:
                truth.add(made.alerts)
            n_counterparts += int((made.alerts.kind == COUNTERPART).sum())
        writer.finish()
    return Made(n_visits=n_visits, n_packets=n_packets, n_bytes=writer.sent.n_bytes, n_counterpart_alerts=n_counterparts)
