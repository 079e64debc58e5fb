"""The browser's Signal API, applied to the credentials of an authenticator.

From `W3C WebAuthn Level 3, section 5.1.10 <https://www.w3.org/TR/webauthn-3/#sctn-signal-methods>`_.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import browser
from .credential import VirtualCredential
from .encoding import b64url_encode


class SignalAPI:
    """What a relying party may tell the authenticator about its credentials.

    .. versionadded:: 0.1
    """

    origin: str
    related_origins: Sequence[str]
    credentials: list[VirtualCredential]

    def signal_unknown_credential(self, arguments: Mapping[str, Any]) -> None:
        """Drop the credential the relying party does not know: ``{"rpId", "credentialId"}`` (section 5.1.10.2).

        :raises SecurityError: if the RP ID does not belong to the origin.
        """
        rp_id, credential_id = self._rp_id(arguments["rpId"]), browser.decode(arguments, "credentialId")
        self.credentials[:] = [c for c in self.credentials if (c.rp_id, c.id) != (rp_id, credential_id)]

    def signal_all_accepted_credentials(self, arguments: Mapping[str, Any]) -> None:
        """Drop what the account no longer has: ``{"rpId", "userId", "allAcceptedCredentialIds"}`` (section 5.1.10.3).

        Takes the ``signals`` of an answer as they are.

        :raises SecurityError: if the RP ID does not belong to the origin.
        """
        accepted = arguments["allAcceptedCredentialIds"]
        gone = [c for c in self._of_account(arguments) if b64url_encode(c.id) not in accepted]
        self.credentials[:] = [c for c in self.credentials if c not in gone]

    def signal_current_user_details(self, arguments: Mapping[str, Any]) -> None:
        """Take over an account's names: ``{"rpId", "userId", "name", "displayName"}`` (section 5.1.10.4).

        Takes the ``signals`` of an answer as they are.

        :raises SecurityError: if the RP ID does not belong to the origin.
        """
        for credential in self._of_account(arguments):
            credential.user_name, credential.user_display_name = arguments["name"], arguments["displayName"]

    def _of_account(self, arguments: Mapping[str, Any]) -> list[VirtualCredential]:
        account = self._rp_id(arguments["rpId"]), browser.decode(arguments, "userId")
        return [c for c in self.credentials if (c.rp_id, c.user_handle) == account]

    def _rp_id(self, rp_id: str | None) -> str:
        return browser.effective_rp_id(rp_id, origin=self.origin, related_origins=self.related_origins)
