"""Every error of the package, with the code and HTTP status of its answer.

.. code-block:: text

    PasskeyError
    ├── ConfigurationError          50005  refused at start-up, names the key and the line to write
    └── Refusal                     one answer of the blueprint; ``reason`` stays on the server
        ├── MalformedRequest        40001  names the field, never echoes the value
        ├── MethodNotAllowed        40001
        ├── SignInRequired          401
        ├── CrossSiteRequest        403
        ├── AccountRefused          403
        ├── CeremonyNotFound        404
        ├── CredentialNotFound      404
        ├── CredentialExists        409
        ├── NameTaken               409
        ├── LastCredential          409
        ├── BodyTooLarge            413
        ├── NotJSON                 415
        ├── TooManyRequests         429
        ├── FeatureOff              40019
        ├── ResponseRejected        40025
        │   └── RegistrationRejected
        ├── UnknownCredential       40090
        ├── StepUpRequired          40091
        ├── SignedInAlready         40092
        ├── TooManyCredentials      40093
        ├── GrantNotFound           40094
        ├── CredentialStoreUnavailable  50001
        ├── Misconfigured           50005
        └── CeremonyStoreUnavailable    50006

The codes below 40090 are those of the system the contract grew out of. A client always reads ``message``, one
sentence for all causes of a code; it is also what ``str()`` gives, for an app may show that. ``reason`` goes to the log
and the signal, and into the answer only when ``app.debug`` is on. A traceback shows it as a note.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ClassVar

from .logs import one_line
from .words import N_

#: What a request is called that has not the shape of the contract.
_MALFORMED = N_("The request is malformed: %(field)s.")

#: Code of a batch of which some could not be done, with the status 207. Each failure has its own code.
PARTLY_DONE = 40081


class PasskeyError(Exception):
    """Base of every error this package raises. Never raised itself."""


class ConfigurationError(PasskeyError, RuntimeError):
    """The app's configuration cannot work; the message names the key and shows the line to write."""


class Refusal(PasskeyError):
    """A request is refused. Never raised itself.

    :param reason: why, for the log, the signal and ``app.debug``; never sent to a client otherwise.
    """

    #: Number in the envelope's ``code``.
    code: ClassVar[int]
    #: HTTP status of the answer.
    status: ClassVar[int]
    #: The sentence in the envelope's ``msg``.
    message: str
    #: The setting that is probably wrong, empty if none is: then the log has a WARNING.
    setting: str = ""

    def __init__(self, reason: str = "") -> None:
        self.reason = one_line(reason or self.message)
        super().__init__(self.message)
        if reason:
            self.add_note(self.reason)

    def __str__(self) -> str:
        return self.message

    def translated(self, gettext: Callable[..., str]) -> str:
        """Return :attr:`message` in another language.

        :param gettext: returns a text in that language, with values in place of ``%(name)s``.
        """
        return gettext(self.message)


class MalformedRequest(Refusal):
    """The request does not have the shape of the contract.

    :param field: the wrong member or parameter, by its name in the contract.
    """

    code = 40001
    status = 400

    def __init__(self, field: str, reason: str = "") -> None:
        self.message = _MALFORMED % {"field": field}
        self.field = field
        super().__init__(reason)

    def translated(self, gettext: Callable[..., str]) -> str:
        """Return the sentence in another language; the field's name is the contract's in all."""
        return gettext(_MALFORMED, field=self.field)


class MethodNotAllowed(Refusal):
    """The route exists, but not for this HTTP method.

    :param allowed: those that it exists for, for the header ``Allow``.
    """

    code = 40001
    status = 405
    message = _MALFORMED % {"field": "method"}

    def __init__(self, reason: str = "", *, allowed: Iterable[str] = ()) -> None:
        self.allowed = sorted(allowed)
        super().__init__(reason)

    def translated(self, gettext: Callable[..., str]) -> str:
        """Return the sentence in another language."""
        return gettext(_MALFORMED, field="method")


class SignInRequired(Refusal):
    """No user is signed in."""

    code = 401
    status = 401
    message = N_("Please sign in first.")


class CrossSiteRequest(Refusal):
    """A browser sent the request from a page of another site."""

    code = 403
    status = 403
    message = N_("This request is not allowed.")


class AccountRefused(Refusal):
    """The app's account check says that this account may not sign in."""

    code = 403
    status = 403
    message = N_("This request is not allowed.")


class CeremonyNotFound(Refusal):
    """No such ceremony is pending: unknown, used, expired, or begun by another browser or user."""

    code = 404
    status = 404
    message = N_("This was not found; it may have expired or been used already.")


class CredentialNotFound(Refusal):
    """The user has no credential with that ID."""

    code = 404
    status = 404
    message = CeremonyNotFound.message


class CredentialExists(Refusal):
    """The credential ID is registered already, to this or another user."""

    code = 409
    status = 409
    message = N_("This conflicts with what is already there.")


class NameTaken(Refusal):
    """Another account has this name; raised by the app's ``create_user`` hook."""

    code = 409
    status = 409
    message = CredentialExists.message


class LastCredential(Refusal):
    """Deleting it would leave the account without a way to sign in."""

    code = 409
    status = 409
    message = CredentialExists.message


class BodyTooLarge(Refusal):
    """The body is longer than ``PASSKEY_MAX_BODY`` bytes."""

    code = 413
    status = 413
    message = N_("The request is too large.")


class NotJSON(Refusal):
    """The request has a body that is not declared as JSON."""

    code = 415
    status = 415
    message = N_("The request body must be JSON.")


class TooManyRequests(Refusal):
    """A limiter of the app refused the request."""

    code = 429
    status = 429
    message = N_("Too many requests; please wait a moment.")


class FeatureOff(Refusal):
    """The app's configuration switches this feature off.

    :param setting: what is probably missing, where pages of the app would not ask for it otherwise.
    """

    code = 40019
    status = 403
    message = N_("This feature is switched off.")

    def __init__(self, reason: str = "", *, setting: str = "") -> None:
        super().__init__(reason)
        self.setting = setting


class ResponseRejected(Refusal):
    """The credential's response did not verify in a sign-in."""

    code = 40025
    status = 401
    message = N_("The passkey could not be verified.")


class RegistrationRejected(ResponseRejected):
    """The credential's response did not verify in a registration."""

    status = 400


class UnknownCredential(Refusal):
    """The response is for this site, but its credential ID is not known here."""

    code = 40090
    status = 401
    message = N_("This passkey is not registered here.")


class StepUpRequired(Refusal):
    """The last passkey sign-in is too long ago for what is asked."""

    code = 40091
    status = 403
    message = N_("Please sign in with a passkey again, then repeat.")


class SignedInAlready(Refusal):
    """Somebody is signed in, and it is not whom the page was made for: a new account's, or another user."""

    code = 40092
    status = 409
    message = N_("Somebody is signed in already; please sign out first.")


class TooManyCredentials(Refusal):
    """The account has as many credentials as ``PASSKEY_MAX_CREDENTIALS`` allows."""

    code = 40093
    status = 409
    message = N_("This account has as many passkeys as it can have; please delete one first.")


class GrantNotFound(Refusal):
    """The enrolment grant is unknown, used, expired, withdrawn, or for another account than the one signed in."""

    code = 40094
    status = 404
    message = N_("This link or code cannot be used; it may have expired or been used already.")


class CredentialStoreUnavailable(Refusal):
    """The credential repository could not be reached; nothing was changed."""

    code = 50001
    status = 503
    message = N_("The service is unavailable for the moment; please try again.")


class Misconfigured(Refusal):
    """The app is set up wrongly, or one of its hooks failed."""

    code = 50005
    status = 500
    message = N_("The service is not set up correctly.")


class CeremonyStoreUnavailable(Refusal):
    """The store of pending ceremonies could not be reached; nothing was changed."""

    code = 50006
    status = 503
    message = CredentialStoreUnavailable.message
