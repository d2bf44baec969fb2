"""Telescope networks that nothing can be requested of: one that is not live, and one that cannot be spoken to at all."""

from collections.abc import Mapping

from hub.errors import NetworkRefused, Transient
from hub.model.followup import Intent
from hub.ports import DryRun, Quota, RemoteState, ReportsPointings, TakesReports, TelescopeNetwork


class DryNetwork:
    """A `hub.ports.TelescopeNetwork` that is not live: everything is tried out, and the network never hears of a submission.

    What was requested while it was live is still looked after: found, asked about, and cancelled.
    """

    def __init__(self, network: TelescopeNetwork) -> None:
        self.name = network.name
        self.can_find = network.can_find
        self.can_cancel = network.can_cancel
        self.is_simulated = network.is_simulated
        self.host = network.host
        self._network = network

    @property
    def asked(self) -> TelescopeNetwork:
        """The network itself, for what only reads."""
        return self._network

    def validate(self, intent: Intent) -> list[str]:
        """Return the reasons for which the network cannot take this intent; empty where it could."""
        return self._network.validate(intent)

    def dry_run(self, intent: Intent) -> DryRun:
        """Return what would be sent, and what the network says to it; errors as of the network's own."""
        return self._network.dry_run(intent)

    def quota(self) -> tuple[Quota, ...]:
        """Return what is left; errors as of the network's own."""
        return self._network.quota()

    def submit(self, intent: Intent) -> RemoteState:
        """Refuse, always.

        Raises
        ------
        NetworkRefused
            With the setting that says so.
        """
        raise NetworkRefused(refusal(self.name))

    def find_by_marker(self, intent_id: str) -> RemoteState | None:
        """Return the request that carries our id; errors as of the network's own."""
        return self._network.find_by_marker(intent_id)

    def status(self, remote_id: str) -> RemoteState:
        """Return the present state of a request; errors as of the network's own."""
        return self._network.status(remote_id)

    def cancel(self, remote_id: str) -> RemoteState:
        """Withdraw a request; errors as of the network's own."""
        return self._network.cancel(remote_id)


class ClosedNetwork:
    """A `hub.ports.TelescopeNetwork` that cannot be opened, for want of a credential for instance; all of its requests wait.

    A process that only takes alerts in may well do without the credential.
    """

    can_find = True
    can_cancel = True
    is_simulated = False
    host: str | None = None

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self._reason = reason

    def validate(self, intent: Intent) -> list[str]:
        """Return no reasons: nobody can tell."""
        return []

    def dry_run(self, intent: Intent) -> DryRun:
        """Raise `Transient`, as everything but `validate` does."""
        raise self._fault()

    def quota(self) -> tuple[Quota, ...]:
        """Raise `Transient`."""
        raise self._fault()

    def submit(self, intent: Intent) -> RemoteState:
        """Raise `Transient`."""
        raise self._fault()

    def find_by_marker(self, intent_id: str) -> RemoteState | None:
        """Raise `Transient`."""
        raise self._fault()

    def status(self, remote_id: str) -> RemoteState:
        """Raise `Transient`."""
        raise self._fault()

    def cancel(self, remote_id: str) -> RemoteState:
        """Raise `Transient`."""
        raise self._fault()

    def _fault(self) -> Transient:
        return Transient(f"{self._reason}; nothing was sent")


def registers_of(networks: Mapping[str, TelescopeNetwork]) -> dict[str, ReportsPointings]:
    """Return the networks that tell where others point, by name; reading needs none of them to be live."""
    found = {name: network.asked if isinstance(network, DryNetwork) else network for name, network in networks.items()}
    return {name: network for name, network in found.items() if isinstance(network, ReportsPointings)}


def reporters_of(networks: Mapping[str, TelescopeNetwork]) -> dict[str, TakesReports]:
    """Return the networks that take reports of the hub's own pointings, by name; one that is not live is told of nothing."""
    return {name: network for name, network in networks.items() if isinstance(network, TakesReports)}


def is_live(network: TelescopeNetwork) -> bool:
    """Return whether a submission reaches the network."""
    return not isinstance(network, DryNetwork)


def refusal(name: str) -> str:
    """Return the sentence for a request that stays in the hub."""
    return f"a dry run, nothing was sent: {name} is not live (networks.{name}.live)"
