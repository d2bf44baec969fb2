"""The shapes of the answers about reported observations."""

from hub.api.wire import Wire


class ObservationsTaken(Wire):
    """What a report brought."""

    n_pointings: int
    n_detections: int
    n_limits: int
    n_classes: int
    events: list[str]
