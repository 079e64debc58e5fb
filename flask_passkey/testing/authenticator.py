"""A browser with an authenticator in it, in software.

It answers the relying party's options as a browser does, and refuses what a browser refuses, by
`W3C WebAuthn Level 3, sections 5.1.3, 5.1.4, 6.3.2 and 6.3.3
<https://www.w3.org/TR/webauthn-3/#sctn-op-make-cred>`_. Where the text leaves a choice, it does what Chromium does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from hashlib import sha256
from typing import Any, Literal, Unpack

from . import browser
from .attestation import AttestationAuthority
from .browser import InvalidStateError, NotAllowedError
from .ceremony import AuthenticationBends, AuthenticationCeremony, Flags, RegistrationBends, RegistrationCeremony
from .credential import VirtualCredential
from .encoding import b64url_encode
from .extensions import SUPPORTED, created, known, used
from .keys import ALGORITHMS, ES256, RS256, cose_map, generate_key

NO_AAGUID = "00000000-0000-0000-0000-000000000000"


class SignalAPI:
    """The methods by which a relying party tells the authenticator about its credentials."""

    origin: str
    related_origins: Sequence[str]
    credentials: list[VirtualCredential]

    def signal_unknown_credential(self, arguments: Mapping[str, Any]) -> None:
        """Delete the credential that the relying party does not know: ``{"rpId", "credentialId"}`` (section 5.1.10.2).

        :raises SecurityError: if the RP ID does not belong to the origin.
        """
        rp_id, credential_id = self._rp_id(arguments["rpId"]), browser.decode(arguments, "credentialId")
        self.credentials[:] = [c for c in self.credentials if (c.rp_id, c.id) != (rp_id, credential_id)]

    def signal_all_accepted_credentials(self, arguments: Mapping[str, Any]) -> None:
        """Delete what the account no longer has: ``{"rpId", "userId", "allAcceptedCredentialIds"}`` (section 5.1.10.3).

        :param arguments: the ``signals`` of an answer, for example.
        :raises SecurityError: if the RP ID does not belong to the origin.
        """
        accepted = arguments["allAcceptedCredentialIds"]
        gone = [c for c in self._of_account(arguments) if b64url_encode(c.id) not in accepted]
        self.credentials[:] = [c for c in self.credentials if c not in gone]

    def signal_current_user_details(self, arguments: Mapping[str, Any]) -> None:
        """Store an account's new names: ``{"rpId", "userId", "name", "displayName"}`` (section 5.1.10.4).

        :param arguments: the ``signals`` of an answer, for example.
        :raises SecurityError: if the RP ID does not belong to the origin.
        """
        for credential in self._of_account(arguments):
            credential.user_name, credential.user_display_name = arguments["name"], arguments["displayName"]

    def _of_account(self, arguments: Mapping[str, Any]) -> list[VirtualCredential]:
        account = self._rp_id(arguments["rpId"]), browser.decode(arguments, "userId")
        return [c for c in self.credentials if (c.rp_id, c.user_handle) == account]

    def _rp_id(self, rp_id: str | None) -> str:
        return browser.effective_rp_id(rp_id, origin=self.origin, related_origins=self.related_origins)


@dataclass
class VirtualAuthenticator(SignalAPI):
    """An authenticator and the browser around it, for tests.

    Attributes have the names of `section 11.2
    <https://www.w3.org/TR/webauthn-3/#sctn-automation-virtual-authenticators>`_, where it has one. The defaults are
    those of a phone's or a computer's synced passkeys. Every attribute may be changed at any time.

    .. code-block:: python

        authenticator = VirtualAuthenticator("https://example.com")
        response = authenticator.create(options)                      # RegistrationResponseJSON
        response = authenticator.get(options, user_verified=False)    # AuthenticationResponseJSON, bent
    """

    #: Origin of the page that calls the browser, with scheme and port.
    origin: str = "http://localhost"
    _: KW_ONLY
    #: COSE identifier of the only algorithm it has; with ``None`` it has all of :data:`ALGORITHMS`.
    algorithm: int | None = None
    #: Can it keep discoverable credentials?
    has_resident_key: bool = True
    #: Can it verify the user (finger, face, PIN)?
    has_user_verification: bool = True
    #: Does verifying the user succeed?
    is_user_verified: bool = True
    #: Does the user agree? ``False`` is the Cancel button.
    is_user_consenting: bool = True
    #: The BE flag of new credentials.
    default_backup_eligibility: bool = True
    #: The BS flag of new credentials.
    default_backup_state: bool = True
    #: Added to a credential's counter at each ``get()``: 0 as synced passkeys do, 1 as security keys do.
    sign_count_step: int = 0
    #: Model of the authenticator, lower case with dashes.
    aaguid: str = NO_AAGUID
    #: Reported for new credentials; ``internal`` among them makes it a platform authenticator.
    transports: Sequence[str] = ("hybrid", "internal")
    #: Its answer when options ask for attestation: nothing, a statement signed with the credential's own key, or one
    #: with a certificate below :attr:`attestation_root`.
    attestation: Literal["none", "packed", "packed-x5c"] = "none"
    #: Extensions that it and its browser have.
    extensions: Sequence[str] = SUPPORTED
    #: Shortest PIN that it takes, as ``minPinLength`` tells.
    min_pin_length: int = 4
    #: Origins in the ``/.well-known/webauthn`` of the relying party.
    related_origins: Sequence[str] = ()
    #: Use one key for all RSA credentials of the process: a new one takes about a tenth of a second.
    shared_rsa_key: bool = False
    #: The credentials it keeps, newest last. You may remove from the list and append to it.
    credentials: list[VirtualCredential] = field(default_factory=list)
    #: Signs ``packed-x5c`` attestation. Authenticators with the same authority are of one brand.
    authority: AttestationAuthority = field(default_factory=AttestationAuthority, repr=False)

    @property
    def attestation_root(self) -> bytes:
        """The root certificate of ``packed-x5c`` attestation, in PEM."""
        return self.authority.root_pem

    @property
    def authenticator_attachment(self) -> str:
        """``platform`` or ``cross-platform``."""
        return "platform" if "internal" in self.transports else "cross-platform"

    def create(self, options: Mapping[str, Any], **bends: Unpack[RegistrationBends]) -> dict[str, Any]:
        """Make a credential, keep it, and return the browser's ``RegistrationResponseJSON``.

        A discoverable credential replaces the one it has for the same RP ID and user handle. A bend changes only the
        response, not the kept credential; except ``credential_id``, without which ``get`` could not answer.

        :param options: ``PublicKeyCredentialCreationOptionsJSON``, with or without ``{"publicKey": …}`` around it.
        :param bends: see :class:`RegistrationBends` and the module :mod:`flask_passkey.testing.ceremony`.
        :raises BrowserError: the browser or the authenticator refuses; the subclass says why.
        :raises TypeError: the options lack a member or hold a null.
        """
        inner = browser.public_key_options(options)
        challenge = browser.decode(inner, "challenge")
        credential = self._new_credential(inner)
        verified = self._ask_user(inner.get("authenticatorSelection", {}))
        self._refuse_excluded(inner.get("excludeCredentials", ()), credential.rp_id)
        ceremony = self._registration(inner, credential, challenge=challenge, verified=verified)
        response = ceremony.run(bends)
        credential.id = ceremony.credential_id
        self._keep(credential)
        return response

    def get(
        self,
        options: Mapping[str, Any],
        *,
        credential: VirtualCredential | None = None,
        **bends: Unpack[AuthenticationBends],
    ) -> dict[str, Any]:
        """Sign in and return the browser's ``AuthenticationResponseJSON``.

        :param options: ``PublicKeyCredentialRequestOptionsJSON``, with or without ``{"publicKey": …}`` around it.
        :param credential: sign with it, whatever ``allowCredentials`` says. By default the newest that fits.
        :param bends: see :class:`AuthenticationBends` and the module :mod:`flask_passkey.testing.ceremony`.
        :raises BrowserError: the browser or the authenticator refuses; the subclass says why.
        :raises TypeError: the options lack a member or hold a null.
        """
        inner = browser.public_key_options(options)
        challenge = browser.decode(inner, "challenge")
        rp_id = self._rp_id(inner.get("rpId"))
        credential = credential or self._find(rp_id, inner.get("allowCredentials", ()))
        verified = self._ask_user(inner)
        credential.sign_count += self.sign_count_step
        ceremony = self._authentication(credential, rp_id, challenge=challenge, verified=verified)
        is_list = bool(inner.get("allowCredentials"))
        ceremony.client_extension_results = used(self._asked(inner), credential, is_list=is_list)
        return ceremony.run(bends)

    def _asked(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the extensions that were asked for and are there."""
        return known(options.get("extensions") or {}, self.extensions)

    def _new_credential(self, options: Mapping[str, Any]) -> VirtualCredential:
        rp, user = browser.required(options, "rp"), browser.required(options, "user")
        browser.required(rp, "name")
        return VirtualCredential(
            rp_id=self._rp_id(rp.get("id")),
            user_handle=browser.user_handle(user),
            user_name=browser.required(user, "name"),
            user_display_name=browser.required(user, "displayName"),
            private_key=generate_key(self._choose_algorithm(options), shared_rsa_key=self.shared_rsa_key),
            backup_eligibility=self.default_backup_eligibility,
            backup_state=self.default_backup_state,
            is_resident_credential=self._choose_resident(options.get("authenticatorSelection", {})),
        )

    def _choose_algorithm(self, options: Mapping[str, Any]) -> int:
        """Take the first offered algorithm it has; an empty offer means ES256, RS256 (section 5.1.3)."""
        params = browser.required(options, "pubKeyCredParams")
        offered = [param["alg"] for param in params if param["type"] == "public-key"] if params else [ES256, RS256]
        known = ALGORITHMS if self.algorithm is None else (self.algorithm,)
        for algorithm in offered:
            if algorithm in known:
                return int(algorithm)
        raise NotAllowedError(f"the options offer the algorithms {offered}, the authenticator has {list(known)}")

    def _choose_resident(self, selection: Mapping[str, Any]) -> bool:
        attachment = selection.get("authenticatorAttachment", self.authenticator_attachment)
        if attachment != self.authenticator_attachment:
            raise NotAllowedError(f"the options want a {attachment} authenticator")
        old_style = "required" if selection.get("requireResidentKey") else "discouraged"
        wanted = selection.get("residentKey", old_style)
        if wanted == "required" and not self.has_resident_key:
            raise NotAllowedError("the options want a discoverable credential, which the authenticator cannot keep")
        return self.has_resident_key and wanted != "discouraged"

    def _ask_user(self, options: Mapping[str, Any]) -> bool:
        """Ask for consent, and verify the user if that is wanted and possible; return the UV flag."""
        wanted = options.get("userVerification", "preferred")
        if not self.is_user_consenting:
            raise NotAllowedError("the user does not agree")
        if wanted == "required" and not self.has_user_verification:
            raise NotAllowedError("the options want user verification, which the authenticator cannot do")
        if wanted == "discouraged" or not self.has_user_verification:
            return False
        if not self.is_user_verified:
            raise NotAllowedError("user verification failed")
        return True

    def _refuse_excluded(self, descriptors: Sequence[Mapping[str, Any]], rp_id: str) -> None:
        excluded = browser.descriptor_ids(descriptors)
        if any(c.rp_id == rp_id and c.id in excluded for c in self.credentials):
            raise InvalidStateError("excludeCredentials names a credential the authenticator has")

    def _registration(
        self, options: Mapping[str, Any], credential: VirtualCredential, *, challenge: bytes, verified: bool
    ) -> RegistrationCeremony:
        gives_attestation = self._gives_attestation(options.get("attestation", "none"))
        client, signed = created(self._asked(options), credential, min_pin_length=self.min_pin_length)
        return RegistrationCeremony(
            credential=credential,
            client_data=self._client_data("webauthn.create", challenge),
            rp_id_hash=sha256(credential.rp_id.encode()).digest(),
            flags=_flags(credential, verified=verified) | Flags.AT | (Flags.ED if signed else Flags(0)),
            sign_count=credential.sign_count,
            credential_id=credential.id,
            authenticator_attachment=self.authenticator_attachment,
            extensions=signed,
            client_extension_results=client,
            aaguid=self.aaguid,
            public_key=cose_map(credential.private_key),
            transports=sorted(self.transports),
            attestation_format="packed" if gives_attestation else "none",
            authority=self.authority if self.attestation == "packed-x5c" else None,
        )

    def _gives_attestation(self, conveyance: str) -> bool:
        """Is a statement sent? Unasked, a browser passes on only self attestation without an AAGUID."""
        if conveyance == "none":
            return self.attestation == "packed" and self.aaguid == NO_AAGUID
        return self.attestation != "none"

    def _authentication(
        self, credential: VirtualCredential, rp_id: str, *, challenge: bytes, verified: bool
    ) -> AuthenticationCeremony:
        return AuthenticationCeremony(
            credential=credential,
            client_data=self._client_data("webauthn.get", challenge),
            rp_id_hash=sha256(rp_id.encode()).digest(),
            flags=_flags(credential, verified=verified),
            sign_count=credential.sign_count,
            credential_id=credential.id,
            authenticator_attachment=self.authenticator_attachment,
            user_handle=credential.user_handle if credential.is_resident_credential else None,
        )

    def _client_data(self, ceremony_type: str, challenge: bytes) -> dict[str, Any]:
        text = b64url_encode(challenge)
        return {"type": ceremony_type, "challenge": text, "origin": self.origin, "crossOrigin": False}

    def _find(self, rp_id: str, descriptors: Sequence[Mapping[str, Any]]) -> VirtualCredential:
        """Return the newest credential that is named, or the newest discoverable one if none is named."""
        allowed = browser.descriptor_ids(descriptors)
        for credential in reversed(self.credentials):
            fits = credential.id in allowed if descriptors else credential.is_resident_credential
            if credential.rp_id == rp_id and fits:
                return credential
        raise NotAllowedError(f"the authenticator has no fitting credential for {rp_id!r}")

    def _keep(self, credential: VirtualCredential) -> None:
        """Replace a discoverable credential of the same account, as authenticators do (section 6.3.2, step 7)."""
        if credential.is_resident_credential:
            account = (credential.rp_id, credential.user_handle, True)
            self.credentials[:] = [
                c for c in self.credentials if (c.rp_id, c.user_handle, c.is_resident_credential) != account
            ]
        self.credentials.append(credential)


def _flags(credential: VirtualCredential, *, verified: bool) -> Flags:
    flags = Flags.UP
    flags |= Flags.UV if verified else Flags(0)
    flags |= Flags.BE if credential.backup_eligibility else Flags(0)
    return flags | (Flags.BS if credential.backup_state else Flags(0))
