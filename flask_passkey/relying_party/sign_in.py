"""Sign-in and step-up."""

from __future__ import annotations

from typing import Any

from .. import progress, signals
from ..ceremonies import authentication
from ..ceremonies.decoys import decoys
from ..ceremonies.pending import SIGN_IN, STEP_UP
from ..credentials import CredentialRecord
from ..errors import AccountRefused, CredentialNotFound, FeatureOff, ResponseRejected, UnknownCredential
from ..holders import is_holder
from ..names import clean_user_name
from ..outcomes import AccountState, Begun, SignedIn
from ..progress import BEGIN, CREDENTIALS, VERIFY, timed
from ..visitor import Visitor
from .parts import Parts

_EVENTS = {
    "counter-regressed": signals.counter_regressed,
    "backup-eligibility-changed": signals.backup_eligibility_changed,
}


class SignIn(Parts):
    """Begin and finish a sign-in, by anybody, or a step-up, by somebody who is signed in."""

    def begin_sign_in(self, visitor: Visitor, *, user_name: str | None = None) -> Begun:
        """Begin a sign-in in which the user need not say who they are, but may (section 7.2).

        :param user_name: at most 255 characters; only passkeys of this account will do. Names without any get decoys.
        :returns: ``options`` is a ``PublicKeyCredentialRequestOptionsJSON``.
        :raises FeatureOff: a name is given, and the app does not want that.
        :raises MalformedRequest: the name cannot be one.
        """
        progress.at(BEGIN, SIGN_IN)
        allowed = () if user_name is None else self._passkeys_of(clean_user_name(user_name))
        return self._begin(visitor, *authentication.begin(config=self.config, allowed=allowed))

    def _passkeys_of(self, user_name: str) -> list[dict[str, Any]]:
        """Describe an account's passkeys, or such as it could have; the work is the same for both."""
        if not self.config.username_first:
            raise FeatureOff(
                "sign-in by name is off: add a @passkey.find_user hook, and PASSKEY_USERNAME_FIRST = True",
                setting="PASSKEY_USERNAME_FIRST",
            )
        user = self.accounts.find(user_name)
        info = None if user is None else self.accounts.describe(user)
        records = self._records_of(info)
        # Decoys have transports, so all have.
        real = [authentication.descriptor(record) | {"transports": list(record.transports)} for record in records]
        invented = decoys(self.accounts.canonical_name(user_name), secret=self._secret)
        return real or invented

    def begin_step_up(self, visitor: Visitor, *, user_verified: bool = False) -> Begun:
        """Begin a sign-in with one of the signed-in user's own passkeys.

        :param user_verified: it must verify the person, whatever ``PASSKEY_USER_VERIFICATION`` says; so it must after
            ``@passkey.required(user_verified=True)`` has refused them.
        :returns: ``options`` is a ``PublicKeyCredentialRequestOptionsJSON``.
        :raises SignInRequired: nobody is signed in.
        :raises CredentialNotFound: the account has no passkey.
        """
        progress.at(BEGIN, STEP_UP)
        info = self._freshness.require_sign_in(visitor)
        allowed = [authentication.descriptor(record) for record in self._records_of(info)]
        if not allowed:
            raise CredentialNotFound("the account has no passkey to step up with")
        must_verify = user_verified or visitor.wants_verification
        begun = authentication.begin(config=self.config, user_id=info.id, allowed=allowed, must_verify=must_verify)
        return self._begin(visitor, *begun, user=visitor.user)

    def finish_sign_in(self, visitor: Visitor, ceremony_id: str, response: object) -> SignedIn:
        """Verify the response to a sign-in or step-up and store what it changed (section 7.2).

        ``passkey.sign_in(outcome)`` then signs the user in at the app.

        :param ceremony_id: of :class:`~flask_passkey.outcomes.Begun`; ``session_id`` on the wire.
        :param response: an ``AuthenticationResponseJSON`` (section 5.1), as a ``dict`` or as JSON text of one.
        :raises CeremonyNotFound: no such ceremony is pending for this visitor.
        :raises UnknownCredential: its credential is not registered, and any could have answered.
        :raises ResponseRejected: it did not verify.
        :raises AccountRefused: the app does not let this account in.
        """
        pending = self._take(visitor, ceremony_id, (SIGN_IN, STEP_UP))
        read = timed(VERIFY, authentication.read, pending, response, config=self.config)
        record = self._find(read.credential_id)
        if record is None and pending.allowed:
            authentication.refuse_unknown(pending, read)
        if record is None:
            authentication.check_flags(pending, read)  # browsers delete what is called unknown: all else must match
            raise UnknownCredential("no credential has this ID")
        now = self._clock()
        verified = timed(VERIFY, authentication.finish, pending, read, record, config=self.config, now=now)
        user, info = self.accounts.load(record.user_id)
        if not is_holder(info, record):
            raise AccountRefused(
                "this id belonged to another account when the passkey was made, by UserInfo.identity: call "
                "passkey.forget_user() when an account is deleted"
            )
        ids = timed(
            CREDENTIALS,
            self.credentials.record_use,
            verified.record,
            counter_must_grow=verified.counter_must_grow,
            rp_ids=self.config.rp_ids,
        )
        if ids is None:
            raise ResponseRejected("the credential was deleted, or its counter moved on, in the meantime")
        for event in verified.events:
            self.tell(_EVENTS[event], info, user=user, credential=verified.record)
        account = AccountState(info, verified.user_handle, ids, self.config.rp_id)
        told = {"extensions": verified.extensions, **verified.person.members()}
        return SignedIn(user, info, verified.record, account, pending.purpose, visitor, **told)

    def _find(self, credential_id: bytes) -> CredentialRecord | None:
        """Return a credential; one for another RP ID is as good as none."""
        record = timed(CREDENTIALS, self.credentials.get, credential_id)
        return record if record is not None and record.rp_id in self.config.rp_ids else None
