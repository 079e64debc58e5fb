"""What an app can listen to, as `blinker <https://blinker.readthedocs.io/>`_ signals; the sender is the app."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from blinker import NamedSignal, Namespace

from .audit import write
from .logs import loggable

log = logging.getLogger(__name__)

_signals = Namespace()

#: Somebody signed in. ``user``, ``credential`` (:class:`~flask_passkey.CredentialRecord`), ``purpose``
#: (``sign-in`` or ``step-up``).
signed_in = _signals.signal("passkey-signed-in")
#: A passkey was added. ``user``, ``credential``, ``purpose`` (``registration`` or ``sign-up``).
registered = _signals.signal("passkey-registered")
#: A passkey got another name. ``user``, ``credential``.
renamed = _signals.signal("passkey-renamed")
#: Passkeys were deleted. ``user``, ``credential_ids`` (a list of ``bytes``).
deleted = _signals.signal("passkey-deleted")
#: A sign-in was accepted whose counter did not grow: the key may have been copied. ``user``, ``credential``.
counter_regressed = _signals.signal("passkey-counter-regressed")
#: A sign-in was accepted that turned the "can be synced" flag of its passkey. ``user``, ``credential``.
backup_eligibility_changed = _signals.signal("passkey-backup-eligibility-changed")
#: A request was refused. ``error`` (:class:`~flask_passkey.errors.Refusal`), ``correlation_id``.
refused = _signals.signal("passkey-refused")


def send(signal: NamedSignal, sender: object, *, audit: Mapping[str, str] | None = None, **about: Any) -> None:
    """Send a signal of something that has happened, after a line in the audit log.

    A receiver that fails cannot undo it, and is logged.

    :param audit: more for the audit log: see :func:`flask_passkey.audit.write`.
    """
    write(signal.name.removeprefix("passkey-"), about, **(audit or {}))
    try:
        signal.send(sender, **about)
    except Exception as exc:  # whatever the app's receivers do
        log.error("A receiver of the signal %s failed.", signal.name, exc_info=loggable(exc))
