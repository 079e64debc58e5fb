"""Registration, sign-up, and enrolment by a grant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from .. import progress, signals
from ..accounts import UserInfo
from ..ceremonies import registration
from ..ceremonies.decoys import is_decoy
from ..ceremonies.pending import ENROLMENT, REGISTRATION, SIGN_UP, PendingCeremony
from ..ceremonies.registration import new_user_handle
from ..credentials import CredentialRecord, GrantRecord
from ..doubles import as_taken_names
from ..encoding import base64url_decode
from ..errors import (
    CeremonyNotFound,
    CredentialExists,
    FeatureOff,
    GrantNotFound,
    MalformedRequest,
    Misconfigured,
    NameTaken,
    SignedInAlready,
    StepUpRequired,
    TooManyCredentials,
)
from ..freshness import StepUp
from ..holders import is_holder, user_handle_of
from ..names import clean_display_name, clean_fields, clean_label, clean_name
from ..outcomes import Begun, Registered
from ..progress import BEGIN, CREDENTIALS, FINISH, VERIFY, timed
from ..providers import automatic_label
from ..visitor import Visitor
from .parts import Parts


class Registration(Parts):
    """Begin and finish what makes a passkey: for an account that is there, or a new one."""

    def begin_registration(self, visitor: Visitor, *, conditional: bool = False, user_id: str | None = None) -> Begun:
        """Begin to add a passkey to the signed-in user's account (section 7.1).

        :param conditional: the browser will be asked to make it without asking the user; only where
            :meth:`may_create_conditionally`.
        :param user_id: the account that the page was made for; unless given, the signed-in user's.
        :returns: ``options`` is a ``PublicKeyCredentialCreationOptionsJSON``.
        :raises SignInRequired: nobody is signed in.
        :raises SignedInAlready: ``user_id`` is another account.
        :raises StepUpRequired: there is no fresh sign-in.
        :raises FeatureOff: ``conditional``, and the app has not offered that.
        :raises TooManyCredentials: the account has ``PASSKEY_MAX_CREDENTIALS`` passkeys.
        """
        progress.at(BEGIN, REGISTRATION)
        if user_id is not None and visitor.info is not None and visitor.info.id != user_id:
            raise SignedInAlready("the page was made for another account than the one that is signed in")
        allowed = self._freshness.require_step_up(visitor)
        info = allowed.info
        if conditional and visitor.conditional_user_id != info.id:
            raise FeatureOff("no passkey is on offer: call passkey.offer_passkey() after a password sign-in")
        return self._begin_adding(visitor, visitor.user, info, allowed.records, conditional=conditional)

    def begin_enrolment(self, visitor: Visitor, *, grant: str) -> Begun:
        """Begin to add a passkey to the account of an enrolment grant (section 7.1). The grant is not spent by that.

        :param grant: the token of a link, or a recovery code as somebody typed it.
        :returns: ``options`` is a ``PublicKeyCredentialCreationOptionsJSON``.
        :raises GrantNotFound: it is unknown, used, expired, withdrawn, or for another account than the visitor's.
        :raises AccountRefused: the app does not let this account in.
        """
        progress.at(BEGIN, ENROLMENT)
        found = timed(CREDENTIALS, self.grants.find, grant)
        _require_same_account(visitor, found.user_id)
        user, info = self.accounts.load(found.user_id)
        _require_holder(info, found)
        return self._begin_adding(visitor, user, info, self._records_of(info), grant=found.token_hash)

    def _begin_adding(
        self,
        visitor: Visitor,
        user: Any,
        info: UserInfo,
        records: Sequence[CredentialRecord],
        *,
        conditional: bool = False,
        grant: bytes = b"",
    ) -> Begun:
        """Begin to add a passkey to an account that is there."""
        if len(records) >= self.config.max_credentials:
            raise TooManyCredentials(f"the account has {len(records)} passkeys; see PASSKEY_MAX_CREDENTIALS")
        begun = registration.begin(
            config=self.config,
            name=info.name,
            display_name=info.display_name,
            user_handle=user_handle_of(self.credentials, info.id),
            user_id=info.id,
            exclude=records,
            conditional=conditional,
            grant=grant,
        )
        return self._begin(visitor, *begun, user=user)

    def may_create_conditionally(self, visitor: Visitor) -> bool:
        """Tell whether the browser may be asked to make a passkey by itself.

        It may after the app has offered that to the signed-in user, and only for the account's first passkey: an
        account that has one must step up first.
        """
        user_id = visitor.user_id
        offered = user_id != "" and visitor.conditional_user_id == user_id
        return offered and self._freshness.may_add_first(visitor)

    def begin_sign_up(
        self, visitor: Visitor, *, name: str, display_name: str = "", fields: Mapping[str, str] | None = None
    ) -> Begun:
        """Begin to create an account with a passkey (section 7.1).

        :param name: 1 to 255 characters; what the user signs in with.
        :param display_name: at most 255 characters, may be empty; what the user likes to be called.
        :param fields: what else the form has, for a ``create_user`` hook that takes them: text by name, at most 20
            values of at most 1,000 characters, and 4,000 together.
        :returns: ``options`` is a ``PublicKeyCredentialCreationOptionsJSON``.
        :raises SignedInAlready: somebody is signed in.
        :raises FeatureOff: the app has no sign-up.
        :raises MalformedRequest: a name or a field cannot be one, or the app's ``check_sign_up`` says so.
        :raises NameTaken: there is an account of this name.
        """
        progress.at(BEGIN, SIGN_UP)
        if visitor.info is not None:
            raise SignedInAlready("a sign-up in a browser in which somebody is signed in")
        self._require_sign_up()
        name, display_name, fields = clean_name(name), clean_display_name(display_name), clean_fields(fields or {})
        self._require_hook_for(fields)
        if not self.accounts.is_available(name):
            raise NameTaken("the app's name_available hook says no")
        self.accounts.check_sign_up(name, display_name, fields)
        begun = registration.begin(
            config=self.config, name=name, display_name=display_name, user_handle=new_user_handle(), fields=fields
        )
        return self._begin(visitor, *begun)

    def _require_hook_for(self, fields: Mapping[str, str]) -> None:
        """Refuse fields that would be lost: the app's page has more than its hook takes."""
        if fields and not self.accounts.takes_fields:
            refusal = MalformedRequest("fields", "write def create_user(name, display_name, fields):")
            refusal.setting = "create_user"
            raise refusal

    def finish_registration(
        self, visitor: Visitor, ceremony_id: str, response: object, *, label: str = "", user_agent: str = ""
    ) -> Registered:
        """Verify the response to a registration, sign-up or enrolment and store the credential (section 7.1).

        With it a sign-up's account is stored, and an enrolment's grant is spent. After a sign-up
        ``passkey.sign_in(outcome)`` signs the new user in at the app; an enrolment signs nobody in.

        :param ceremony_id: of :class:`~flask_passkey.outcomes.Begun`; ``session_id`` on the wire.
        :param response: a ``RegistrationResponseJSON`` (section 5.1), as a ``dict`` or as JSON text of one.
        :param label: the user's name for the passkey, at most 64 characters; if empty, one is made from the provider
            or the browser.
        :param user_agent: what the browser calls itself.
        :raises CeremonyNotFound: no such ceremony is pending for this visitor.
        :raises MalformedRequest: the label cannot be one; the ceremony is still pending.
        :raises RegistrationRejected: it did not verify.
        :raises CredentialExists: its credential ID is registered already.
        :raises TooManyCredentials: the account has ``PASSKEY_MAX_CREDENTIALS`` passkeys.
        :raises NameTaken: the account's name was taken in the meantime.
        :raises GrantNotFound: the grant was used, withdrawn or expired in the meantime, or somebody else is signed in.
        """
        progress.at(FINISH)
        label = clean_label(label)
        # Before the claim, so that the browser can step up and repeat.
        allowed, pending = self._take_registration(visitor, ceremony_id)
        verified = timed(
            VERIFY,
            registration.finish,
            pending,
            response,
            config=self.config,
            label=label,
            user_id=pending.user_id,
            now=self._clock(),
            trust=self._trust,
        )
        known = allowed if pending.purpose != SIGN_UP else None
        others = known.records if known else timed(CREDENTIALS, self.credentials.of_user, pending.user_id)
        record = replace(verified.record, label=label or self._label_for(verified.record, user_agent, others))
        told = {
            "attestation_verified": verified.attestation_verified,
            "extensions": verified.extensions,
            **verified.person.members(),
        }
        if pending.purpose == ENROLMENT:
            registered = timed(CREDENTIALS, self._enrol, visitor, pending, record, told)
        elif allowed and pending.purpose == REGISTRATION:
            registered = timed(CREDENTIALS, self._add, visitor, allowed, record, told)
        else:
            registered = timed(CREDENTIALS, self._create_account, visitor, pending, record, told)
        self.tell(
            signals.registered,
            registered.info,
            user=registered.user,
            credential=registered.credential,
            purpose=pending.purpose,
            **told,
        )
        return registered

    def _take_registration(self, visitor: Visitor, ceremony_id: str) -> tuple[StepUp | None, PendingCeremony]:
        """Claim a ceremony that makes a passkey.

        Where a step-up is needed that is told before the claim, so that the browser can step up and repeat. Whoever
        is signed in and has a grant needs none, and neither does a sign-up that was begun before: it changes nothing
        in the open account.
        """
        if visitor.info is None:
            return None, self._take(visitor, ceremony_id, (SIGN_UP, ENROLMENT))
        try:
            allowed = self._freshness.require_step_up(visitor)
        except StepUpRequired:
            with suppress(CeremonyNotFound):
                return None, self._take(visitor, ceremony_id, (SIGN_UP, ENROLMENT))
            raise
        return allowed, self._take(visitor, ceremony_id, (REGISTRATION, SIGN_UP, ENROLMENT))

    def _label_for(self, record: CredentialRecord, user_agent: str, others: Sequence[CredentialRecord]) -> str:
        taken = {other.label for other in others}
        label = automatic_label(record.aaguid, user_agent, taken=taken, gettext=self._gettext)
        return self.accounts.name_passkey(replace(record, label=label))

    def _enrol(
        self, visitor: Visitor, pending: PendingCeremony, record: CredentialRecord, told: Mapping[str, Any]
    ) -> Registered:
        """Spend the grant and add the credential, both or neither.

        :param told: what the response says beside the record.
        """
        _require_same_account(visitor, pending.user_id)
        self._refuse_taken(record.id)
        with self.credentials.transaction():
            grant = self.grants.claim(base64url_decode(pending.grant))
            user, info = self.accounts.load(pending.user_id)
            _require_holder(info, grant)
            record = replace(record, identity=info.identity or None)
            self.credentials.add(record, limit=self.config.max_credentials, rp_ids=self.config.rp_ids)
        self.tell(signals.enrolled, info, user=user, credential=record, grant=grant)
        return Registered(record, info, visitor, user=user, **told)

    def _add(self, visitor: Visitor, allowed: StepUp, record: CredentialRecord, told: Mapping[str, Any]) -> Registered:
        """Add a credential; whoever has no fresh sign-in adds the first, also if many try at once."""
        record = replace(record, identity=allowed.info.identity or None)
        self._refuse_taken(record.id)
        limit = self.config.max_credentials if allowed.is_fresh else 1
        try:
            self.credentials.add(record, limit=limit + allowed.others, rp_ids=self.config.rp_ids)
        except TooManyCredentials as exc:
            if allowed.is_fresh:
                raise
            raise StepUpRequired("another request has added the account's first passkey") from exc
        return Registered(record, allowed.info, visitor, user=visitor.user, **told)

    def _create_account(
        self, visitor: Visitor, pending: PendingCeremony, record: CredentialRecord, told: Mapping[str, Any]
    ) -> Registered:
        """Create account and credential in one transaction, as far as the app's accounts share the database."""
        self._require_sign_up()
        self._refuse_taken(record.id)  # before an account is made that may live elsewhere
        with as_taken_names(), self.credentials.transaction():
            user = self.accounts.create(pending.name, pending.display_name, pending.fields)
            info = self.accounts.describe(user)
            record = replace(record, user_id=info.id, identity=info.identity or None)
            if self.credentials.add_user(info.id, record.user_handle) != record.user_handle:
                raise Misconfigured("create_user gave an id with passkeys: call passkey.forget_user() on deletion")
            self.credentials.add(record)
            may_sign_in = self.accounts.may_sign_in(user)  # a hook that fails leaves no account behind
        return Registered(record, info, visitor, user, may_sign_in, user=user, **told)

    def _refuse_taken(self, credential_id: bytes) -> None:
        """Refuse an ID that is registered, or that we invented: the answer must not tell which of both it is."""
        invented = self.config.username_first and is_decoy(credential_id, secret=self._secret)
        if self.credentials.get(credential_id) is not None or invented:
            raise CredentialExists("the credential ID is already registered, or one of our decoys")

    @property
    def can_sign_up(self) -> bool:
        """Can people create an account with a passkey?"""
        return self.accounts.can_create if self.config.sign_up is None else self.config.sign_up

    def _require_sign_up(self) -> None:
        if not self.can_sign_up:
            is_meant = self.config.sign_up is False
            why = "PASSKEY_SIGN_UP is False" if is_meant else "add a @passkey.create_user hook"
            raise FeatureOff(f"sign-up is off: {why}", setting="" if is_meant else "create_user")


def _require_same_account(visitor: Visitor, user_id: str) -> None:
    """Refuse a grant of another account than the visitor's; nobody need be signed in."""
    if visitor.user_id not in ("", user_id):
        raise GrantNotFound("the grant is for another account than the one that is signed in")


def _require_holder(info: UserInfo, grant: GrantRecord) -> None:
    """Refuse a grant that was made for an account that had the id before."""
    if not is_holder(info, grant):
        raise GrantNotFound("this id belonged to another account when the grant was made, by UserInfo.identity")
