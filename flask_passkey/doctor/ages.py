"""What grows old: FIDO metadata, and releases with known holes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from .. import advisories
from ..state import State
from ..trust import FIDOMetadata
from .findings import Finding, note, warning

_SOON = timedelta(days=7)
_DOWNLOAD = "curl --location --output {!r} https://mds3.fidoalliance.org/, and a restart of the app"


def check_metadata(state: State, *, today: date | None = None) -> Iterator[Finding]:
    """Look when the next FIDO metadata blob should be there."""
    metadata = state.relying_party.metadata
    if not isinstance(metadata, FIDOMetadata):
        return
    today, due = today or datetime.now(UTC).date(), metadata.next_update
    line = _DOWNLOAD.format(state.config.mds_file)
    if due < today:
        yield warning("metadata.stale", f"PASSKEY_MDS_FILE should have been renewed on {due}.", line)
    elif due < today + _SOON:
        yield note("metadata.due", f"PASSKEY_MDS_FILE is to be renewed on {due}.", line)


def check_versions() -> Iterator[Finding]:
    """Look for known holes in the libraries that are installed."""
    for hole in advisories.holes(advisories.installed_versions()):
        yield warning(f"versions.{hole.package}", hole.told, hole.command)
