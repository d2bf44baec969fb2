"""The one outgoing HTTP client: every request that the hub makes to somebody else's server goes through here."""

from adapters.http.client import Answer, HttpClient, HttpOptions
from adapters.http.service import ServiceOptions, open_client

__all__ = ["Answer", "HttpClient", "HttpOptions", "ServiceOptions", "open_client"]
