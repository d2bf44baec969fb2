"""GCN notices in the unified JSON schema (nasa-gcn/gcn-schema), all missions."""

from adapters.codecs.gcn_unified.dialects import is_unified
from adapters.codecs.gcn_unified.notice import decode

__all__ = ["decode", "is_unified"]
