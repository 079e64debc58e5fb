"""Events an app can listen to, as `blinker <https://blinker.readthedocs.io/>`_ signals; the sender is the app."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from blinker import NamedSignal, Namespace

from .audit import write
from .logs import loggable

log = logging.getLogger(__name__)

_signals = Namespace()

#: A user signed in. ``user``, ``credential`` (:class:`~flask_passkey.CredentialRecord`), ``purpose``
#: (``sign-in`` or ``step-up``), ``user_verified``, ``backed_up``, ``amr``, ``authenticator_attachment`` and
#: ``extensions`` (as in :class:`~flask_passkey.SignedIn`).
signed_in = _signals.signal("passkey-signed-in")
#: A passkey was added. ``user``, ``credential``, ``purpose`` (``registration``, ``sign-up`` or ``enrolment``),
#: ``attestation_verified``, ``user_verified``, ``backed_up``, ``amr``, ``authenticator_attachment`` and ``extensions``
#: (as in :class:`~flask_passkey.Registered`).
registered = _signals.signal("passkey-registered")
#: A passkey was renamed. ``user``, ``credential``.
renamed = _signals.signal("passkey-renamed")
#: Passkeys were deleted, by their owner or an administrator. ``user`` (``None`` where the app has no such user any
#: more), ``credentials`` (what was known of them), ``credential_ids`` (a list of ``bytes``).
deleted = _signals.signal("passkey-deleted")
#: Enrolment grants were made. ``user``, ``kind`` (``invitation`` or ``recovery-code``), ``count``, ``expires_at``
#: (``None`` without a time limit). Never what opens them.
invited = _signals.signal("passkey-invited")
#: A passkey was added with a grant, which is spent; ``registered`` is sent as well. ``user``, ``credential``,
#: ``grant`` (:class:`~flask_passkey.GrantRecord`).
enrolled = _signals.signal("passkey-enrolled")
#: Grants were taken back. ``user``, ``kind`` (``None`` for all kinds), ``count``.
withdrawn = _signals.signal("passkey-withdrawn")
#: A sign-in was accepted whose counter did not grow: the key may have been copied. ``user``, ``credential``.
counter_regressed = _signals.signal("passkey-counter-regressed")
#: A sign-in was accepted that changed its passkey's "can be synced" flag. ``user``, ``credential``.
backup_eligibility_changed = _signals.signal("passkey-backup-eligibility-changed")
#: The app made sure, without a passkey, that the signed-in user is there: ``passkey.confirm_user()``. ``user``.
identity_confirmed = _signals.signal("passkey-identity-confirmed")
#: A request was refused. ``error`` (:class:`~flask_passkey.errors.Refusal`), ``correlation_id``.
refused = _signals.signal("passkey-refused")


def send(signal: NamedSignal, sender: object, *, audit: Mapping[str, str] | None = None, **about: Any) -> None:
    """Send a signal about something that has happened, after a line in the audit log.

    A receiver that fails is logged, and cannot undo it.

    :param sender: the app.
    :param audit: more for the audit log: see :func:`flask_passkey.audit.write`.
    :param about: what the signal's documentation lists.
    """
    write(signal.name.removeprefix("passkey-"), about, **(audit or {}))
    if not signal.receivers:
        return
    try:
        signal.send(sender, **about)
    except Exception as exc:  # a receiver may raise anything
        log.error("A receiver of the signal %s failed.", signal.name, exc_info=loggable(exc))
