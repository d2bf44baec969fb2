"""Rubin's table of visits on loopback: what is planned and performed, by day, as the adapter asks for it."""

import json
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

from adapters.networks.rubin import Options, open_network
from hub.ports import PartContext
from tests.support.followup import NOW
from tests.support.web import web


class Schedule:
    """The rows of the service, and what it was asked."""

    def __init__(self, url):
        self.url = url
        self.rows = []
        self.days = []
        self.status = 200

    def __call__(self, request):
        query = {key: float(values[0]) for key, values in parse_qs(urlsplit(request.path).query).items()}
        self.days.append(query["start"])
        found = [row for row in self.rows if query["start"] <= row["t_min"] < query["end"]]
        return self.status, {"Content-Type": "application/json"}, json.dumps(found).encode()

    def plan(self, at, ra_deg, dec_deg, *, status="Planned"):
        """Put a visit in r there; return its row, whose ``execution_status`` may be changed."""
        begin = at.mjd_utc
        row = {"obs_id": "LSST", "s_ra": ra_deg, "s_dec": dec_deg, "t_min": begin, "t_max": begin + 30.0 / 86_400.0}
        self.rows.append(row | {"em_min": 5.52e-7, "em_max": 6.91e-7, "execution_status": status})
        return self.rows[-1]


@contextmanager
def obsloctap(folder):
    """Serve a table of visits on a free port of 127.0.0.1."""
    with web(folder) as server:
        schedule = Schedule(f"http://127.0.0.1:{server.port}/tap")
        server.answer_all(schedule)
        yield schedule


@contextmanager
def rubin(schedule, folder):
    """Give the hub's side of such a table."""
    options = Options.model_validate({"url": schedule.url, "hosts": ("127.0.0.1",), "allow_loopback": True})
    context = PartContext(name="rubin", authority="hub.example", data_dir=folder, clock=lambda: NOW, report=lambda _: None)
    with open_network(options, context) as network:
        yield network
