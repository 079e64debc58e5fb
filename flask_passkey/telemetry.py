"""Metrics of ceremonies by OpenTelemetry, where the app has set it up: how many begin and finish, how, and how long.

``docs/operate/metrics.md`` lists them. Attributes have few values: never a name, an id or what somebody sent.
"""

from __future__ import annotations

import re
from time import perf_counter
from typing import TYPE_CHECKING, Any

from flask import Flask, request, request_finished

from . import errors, progress, signals
from .errors import Refusal, ResponseRejected
from .progress import BEGIN, FINISH, Progress
from .state import of

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter

_KEY = "passkey_telemetry"
#: Seconds. The usual boundaries of OpenTelemetry are for milliseconds.
BOUNDARIES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
UNKNOWN = "unknown"

_PHASES = {
    "begin_sign_in": BEGIN,
    "begin_registration": BEGIN,
    "finish_sign_in": FINISH,
    "finish_registration": FINISH,
}

_OF_LIBRARY = re.compile(r"the (?:registration|assertion) did not verify: ['\"]")
# Why a response did not verify, by how the reason begins. The beginnings are ours and the library's; what somebody sent
# comes later.
_BEGINNINGS = {
    "client data has another challenge": "challenge",
    "client data has origin": "origin",
    "made in an embedded page": "embedded",
    "embedded in ": "embedded",
    "authenticator data are for another RP ID": "rp-id",
    "Unexpected RP ID hash": "rp-id",
    "User verification is required": "user-verification",
    "User was not present": "user-presence",
    "User presence was required": "user-presence",
    "Unsupported credential public key alg": "algorithm",
    "Could not verify authentication signature": "signature",
    "signature counter ": "counter",
    "the backup eligible flag changed": "backup-eligibility",
    "the user handle": "user-handle",
    "the credential belongs to another account": "account",
    "the credential is not one this ceremony": "account",
    "no credential has this ID": "unknown-credential",
    "the credential was deleted": "conflict",
    "AAGUID ": "model",
    "the attestation": "attestation",
    "no root is known": "attestation",
}
_OTHER_RESPONSE = "response"


def _word(kind: type[Refusal]) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", kind.__name__.replace("JSON", "Json")).lower()


_KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Refusal)]
_CLASSES = {kind: _word(kind) for kind in _KINDS if not issubclass(kind, ResponseRejected)}
#: All values of the attribute ``passkey.reason``.
REASONS = frozenset((*_BEGINNINGS.values(), _OTHER_RESPONSE, *_CLASSES.values()))


def reason_of(refusal: Refusal) -> str:
    """Return one of :data:`REASONS`: why a response did not verify, or else what kind of refusal it is."""
    if isinstance(refusal, ResponseRejected):
        text = _OF_LIBRARY.sub("", refusal.reason, count=1)
        return next((word for start, word in _BEGINNINGS.items() if text.startswith(start)), _OTHER_RESPONSE)
    return next(_CLASSES[kind] for kind in type(refusal).__mro__ if kind in _CLASSES)


def connect(app: Flask) -> bool:
    """Count from now on, if the app has set OpenTelemetry up; tell whether it has.

    The API alone, which libraries bring along, keeps nothing of what it is told.
    """
    from opentelemetry.metrics import get_meter_provider

    provider = get_meter_provider()
    if type(provider).__module__.startswith("opentelemetry.metrics"):
        return False
    app.extensions[_KEY] = _Instruments(provider.get_meter("flask_passkey"))
    signals.signed_in.connect(_succeeded, app)
    signals.registered.connect(_succeeded, app)
    signals.refused.connect(_refused, app)
    request_finished.connect(_finished, app)
    return True


class _Instruments:
    """What is counted and measured.

    :param meter: makes the instruments; one of OpenTelemetry's API.
    """

    def __init__(self, meter: Meter) -> None:
        counted = "Ceremonies that {}, or were refused at that."
        self._counters = {
            BEGIN: meter.create_counter("passkey.begins", "{ceremony}", counted.format("began")),
            FINISH: meter.create_counter("passkey.finishes", "{ceremony}", counted.format("were finished")),
        }
        self._duration = meter.create_histogram(
            "passkey.ceremony.duration",
            "s",
            "How long the app took for a request that begins or finishes a ceremony.",
            explicit_bucket_boundaries_advisory=BOUNDARIES,
        )

    def record(self, phase: str, found: Progress) -> None:
        """Count one request."""
        code = found.refusal.code if isinstance(found.refusal, Refusal) else 0
        about: dict[str, Any] = {"passkey.purpose": found.purpose or UNKNOWN, "passkey.code": code}
        self._duration.record(perf_counter() - found.started, {"passkey.phase": phase, **about})
        if isinstance(found.refusal, Refusal):
            about["passkey.reason"] = reason_of(found.refusal)
        self._counters[phase].add(1, about)


def _succeeded(_: Flask, **__: object) -> None:
    progress.done()


def _refused(_: Flask, *, error: Refusal, **__: object) -> None:
    found = progress.current()
    if found is not None and found.refusal is None:
        found.refusal = error


def _finished(sender: Flask, **_: object) -> None:
    """Count a request that was about a ceremony, on a route of ours or of the app."""
    found = progress.current()
    if found is None:
        return
    phase = found.phase or _PHASES.get(of(sender).route_of(request.endpoint) or "", "")
    if phase and (found.is_done or found.refusal is not None):
        instruments: _Instruments = sender.extensions[_KEY]
        instruments.record(phase, found)
