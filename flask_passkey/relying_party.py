"""The use cases: begin and finish sign-in, step-up, registration, sign-up and enrolment; list, rename, delete.

They know no HTTP, so an app's own views and commands can call them too. Each goes one way: claim the pending
ceremony, look up, verify, ask the app, store, send the signal. Whatever is refused on the way has changed nothing but
the ceremony, which is spent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from blinker import NamedSignal

from . import audit, signals
from .accounts import Accounts, UserInfo
from .ceremonies import authentication, registration
from .ceremonies.attestation import Trust
from .ceremonies.decoys import decoys, is_decoy
from .ceremonies.pending import ENROLMENT, REGISTRATION, SIGN_IN, SIGN_UP, STEP_UP, PendingCeremony
from .ceremonies.registration import new_user_handle
from .config import PasskeyConfig
from .credentials import CredentialRecord, CredentialRepository
from .encoding import base64url_decode
from .errors import (
    AccountRefused,
    CeremonyNotFound,
    CredentialExists,
    CredentialNotFound,
    FeatureOff,
    GrantNotFound,
    LastCredential,
    Misconfigured,
    NameTaken,
    Refusal,
    ResponseRejected,
    SignedInAlready,
    StepUpRequired,
    TooManyCredentials,
    UnknownCredential,
)
from .freshness import Freshness, StepUp
from .grants import Grants
from .holders import is_holder, records_of
from .names import clean_display_name, clean_label, clean_name, clean_user_name
from .outcomes import AccountState, Begun, CredentialList, Deleted, Registered, SignedIn
from .pending.ceremonies import PendingCeremonies
from .providers import automatic_label
from .visitor import Visitor

_EVENTS = {
    "counter-regressed": signals.counter_regressed,
    "backup-eligibility-changed": signals.backup_eligibility_changed,
}


def _utc_now() -> datetime:
    return datetime.now(UTC)


class RelyingParty:
    """The use cases of one app.

    :param pending: keeps ceremonies between begin and finish.
    :param trust: what attestation must chain to, if anything.
    :param secret: makes decoys; the app's, the same on all its machines.
    :param sender: the sender of signals.
    :param clock: the time, aware.
    """

    def __init__(
        self,
        *,
        config: PasskeyConfig,
        accounts: Accounts,
        credentials: CredentialRepository,
        pending: PendingCeremonies,
        trust: Trust,
        secret: bytes = b"",
        sender: object = None,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        self.config = config
        self.accounts = accounts
        self.credentials = credentials
        self._pending = pending
        self._trust = trust
        self._secret = secret
        self._sender = sender
        self._clock = clock
        #: Enrolment grants: ways to a passkey for people who cannot sign in.
        self.grants = Grants(
            accounts=accounts,
            credentials=credentials,
            rp_id=config.rp_id,
            sender=sender,
            clock=lambda: self._clock(),
        )
        self._freshness = Freshness(config=config, accounts=accounts, credentials=credentials, clock=clock)

    # Sign-in and step-up

    def begin_sign_in(self, visitor: Visitor, *, user_name: str | None = None) -> Begun:
        """Begin a sign-in in which the user need not say who they are, but may (section 7.2).

        :param user_name: at most 255 characters; only passkeys of this account will do. Names without any get decoys.
        :returns: ``options`` is a ``PublicKeyCredentialRequestOptionsJSON``.
        :raises FeatureOff: a name is given, and the app does not want that.
        :raises MalformedRequest: the name cannot be one.
        """
        allowed = () if user_name is None else self._passkeys_of(clean_user_name(user_name))
        return self._begin(visitor, *authentication.begin(config=self.config, allowed=allowed))

    def _passkeys_of(self, user_name: str) -> list[dict[str, Any]]:
        """Describe an account's passkeys, or such as it could have; the work is the same for both."""
        if not self.config.username_first:
            raise FeatureOff("sign-in by name is off: add a @passkey.find_user hook, and PASSKEY_USERNAME_FIRST = True")
        user = self.accounts.find(user_name)
        info = None if user is None else self.accounts.describe(user)
        records = records_of(self.credentials, info)
        # Decoys have transports, so all have.
        real = [authentication.descriptor(record) | {"transports": list(record.transports)} for record in records]
        invented = decoys(self.accounts.canonical_name(user_name), secret=self._secret)
        return real or invented

    def begin_step_up(self, visitor: Visitor) -> Begun:
        """Begin a sign-in with one of the signed-in user's own passkeys.

        :returns: ``options`` is a ``PublicKeyCredentialRequestOptionsJSON``.
        :raises SignInRequired: nobody is signed in.
        :raises CredentialNotFound: the account has no passkey.
        """
        info = self._freshness.require_sign_in(visitor)
        allowed = [authentication.descriptor(record) for record in records_of(self.credentials, info)]
        if not allowed:
            raise CredentialNotFound("the account has no passkey to step up with")
        return self._begin(visitor, *authentication.begin(config=self.config, user_id=info.id, allowed=allowed))

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
        read = authentication.read(pending, response, config=self.config)
        record = self.credentials.get(read.credential_id)
        if record is None and pending.allowed:
            authentication.refuse_unknown(pending, read)
        if record is None:
            raise UnknownCredential("no credential has this ID")
        verified = authentication.finish(pending, read, record, config=self.config, now=self._clock())
        user, info = self.accounts.load(record.user_id)
        if not is_holder(info, record):
            raise AccountRefused(
                "this id belonged to another account when the passkey was made, by UserInfo.identity: call "
                "passkey.forget_user() when an account is deleted"
            )
        ids = self.credentials.record_use(verified.record, counter_must_grow=verified.counter_must_grow)
        if ids is None:
            raise ResponseRejected("the credential was deleted, or its counter moved on, in the meantime")
        for event in verified.events:
            self._tell(_EVENTS[event], info, user=user, credential=verified.record)
        account = AccountState(info, record.user_handle, ids, self.config.rp_id)
        return SignedIn(user, info, verified.record, account, pending.purpose, visitor)

    # Registration and sign-up

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
        if user_id is not None and visitor.info is not None and visitor.info.id != user_id:
            raise SignedInAlready("the page was made for another account than the one that is signed in")
        allowed = self._freshness.require_step_up(visitor)
        info = allowed.info
        if conditional and visitor.conditional_user_id != info.id:
            raise FeatureOff("no passkey is on offer: call passkey.offer_passkey() after a password sign-in")
        return self._begin_adding(visitor, info, allowed.records, conditional=conditional)

    def begin_enrolment(self, visitor: Visitor, *, grant: str) -> Begun:
        """Begin to add a passkey to the account of an enrolment grant (section 7.1). The grant is not spent by that.

        :param grant: the token of a link, or a recovery code as somebody typed it.
        :returns: ``options`` is a ``PublicKeyCredentialCreationOptionsJSON``.
        :raises GrantNotFound: it is unknown, used, expired, withdrawn, or for another account than the visitor's.
        :raises AccountRefused: the app does not let this account in.
        """
        found = self.grants.find(grant)
        _require_same_account(visitor, found.user_id)
        _, info = self.accounts.load(found.user_id)
        return self._begin_adding(visitor, info, records_of(self.credentials, info), grant=found.token_hash)

    def _begin_adding(
        self,
        visitor: Visitor,
        info: UserInfo,
        records: Sequence[CredentialRecord],
        *,
        conditional: bool = False,
        grant: bytes = b"",
    ) -> Begun:
        """Begin to add a passkey to an account that is there."""
        if len(records) >= self.config.max_credentials:
            raise TooManyCredentials(f"the account has {len(records)} passkeys; see PASSKEY_MAX_CREDENTIALS")
        handle = self.credentials.get_user_handle(info.id) or self.credentials.add_user(info.id, new_user_handle())
        begun = registration.begin(
            config=self.config,
            name=info.name,
            display_name=info.display_name,
            user_handle=handle,
            user_id=info.id,
            exclude=records,
            conditional=conditional,
            grant=grant,
        )
        return self._begin(visitor, *begun)

    def may_create_conditionally(self, visitor: Visitor) -> bool:
        """Tell whether the browser may be asked to make a passkey by itself.

        It may after the app has offered that to the signed-in user, and only for the account's first passkey: an
        account that has one must step up first.
        """
        user_id = visitor.user_id
        offered = user_id != "" and visitor.conditional_user_id == user_id
        return offered and self._freshness.may_add_first(visitor)

    def begin_sign_up(self, visitor: Visitor, *, name: str, display_name: str = "") -> Begun:
        """Begin to create an account with a passkey (section 7.1).

        :param name: 1 to 255 characters; what the user signs in with.
        :param display_name: at most 255 characters, may be empty; what the user likes to be called.
        :returns: ``options`` is a ``PublicKeyCredentialCreationOptionsJSON``.
        :raises SignedInAlready: somebody is signed in.
        :raises FeatureOff: the app has no sign-up.
        :raises MalformedRequest: a name cannot be one.
        :raises NameTaken: there is an account of this name.
        """
        if visitor.info is not None:
            raise SignedInAlready("a sign-up in a browser in which somebody is signed in")
        self._require_sign_up()
        name, display_name = clean_name(name), clean_display_name(display_name)
        if not self.accounts.is_available(name):
            raise NameTaken("the app's name_available hook says no")
        begun = registration.begin(
            config=self.config, name=name, display_name=display_name, user_handle=new_user_handle()
        )
        return self._begin(visitor, *begun)

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
        label = clean_label(label)
        # Before the claim, so that the browser can step up and repeat.
        allowed, pending = self._take_registration(visitor, ceremony_id)
        verified = registration.finish(
            pending,
            response,
            config=self.config,
            label=label,
            user_id=pending.user_id,
            now=self._clock(),
            trust=self._trust,
        )
        others = allowed.records if allowed else self.credentials.of_user(pending.user_id)
        record = replace(verified.record, label=label or _label_for(verified.record, user_agent, others))
        if pending.purpose == ENROLMENT:
            registered = self._enrol(visitor, pending, record)
        elif allowed and pending.purpose == REGISTRATION:
            registered = self._add(visitor, allowed, record)
        else:
            registered = self._create_account(visitor, pending, record)
        registered = replace(registered, attestation_verified=verified.attestation_verified)
        self._tell(
            signals.registered,
            registered.info,
            user=registered.user,
            credential=registered.credential,
            purpose=pending.purpose,
            attestation_verified=registered.attestation_verified,
        )
        return registered

    def _take_registration(self, visitor: Visitor, ceremony_id: str) -> tuple[StepUp | None, PendingCeremony]:
        """Claim a ceremony that makes a passkey.

        Where a step-up is needed that is told before the claim, so that the browser can step up and repeat. Whoever
        is signed in and has a grant needs none.
        """
        if visitor.info is None:
            return None, self._take(visitor, ceremony_id, (SIGN_UP, ENROLMENT))
        try:
            allowed = self._freshness.require_step_up(visitor)
        except StepUpRequired:
            with suppress(CeremonyNotFound):
                return None, self._take(visitor, ceremony_id, (ENROLMENT,))
            raise
        return allowed, self._take(visitor, ceremony_id, (REGISTRATION, SIGN_UP, ENROLMENT))

    def _enrol(self, visitor: Visitor, pending: PendingCeremony, record: CredentialRecord) -> Registered:
        """Spend the grant and add the credential, both or neither."""
        _require_same_account(visitor, pending.user_id)
        self._refuse_taken(record.id)
        with self.credentials.transaction():
            grant = self.grants.claim(base64url_decode(pending.grant))
            user, info = self.accounts.load(pending.user_id)
            record = replace(record, identity=info.identity or None)
            self.credentials.add(record, limit=self.config.max_credentials)
        self._tell(signals.enrolled, info, user=user, credential=record, grant=grant)
        return Registered(record, info, visitor, user=user)

    def _add(self, visitor: Visitor, allowed: StepUp, record: CredentialRecord) -> Registered:
        """Add a credential; whoever has no fresh sign-in adds the first, also if many try at once."""
        record = replace(record, identity=allowed.info.identity or None)
        self._refuse_taken(record.id)
        limit = self.config.max_credentials if allowed.is_fresh else 1
        try:
            self.credentials.add(record, limit=limit + allowed.others)
        except TooManyCredentials as exc:
            if allowed.is_fresh:
                raise
            raise StepUpRequired("another request has added the account's first passkey") from exc
        return Registered(record, allowed.info, visitor, user=visitor.user)

    def _create_account(self, visitor: Visitor, pending: PendingCeremony, record: CredentialRecord) -> Registered:
        """Create account and credential in one transaction, as far as the app's accounts share the database."""
        self._require_sign_up()
        self._refuse_taken(record.id)  # before an account is made that may live elsewhere
        with self.credentials.transaction():
            user = self.accounts.create(pending.name, pending.display_name)
            info = self.accounts.describe(user)
            record = replace(record, user_id=info.id, identity=info.identity or None)
            if self.credentials.add_user(info.id, record.user_handle) != record.user_handle:
                raise Misconfigured("create_user gave an id with passkeys: call passkey.forget_user() on deletion")
            self.credentials.add(record)
        return Registered(record, info, visitor, user, self.accounts.may_sign_in(user), user=user)

    def _refuse_taken(self, credential_id: bytes) -> None:
        """Refuse an ID that is registered, or that we invented: the answer must not tell which of both it is."""
        invented = self.config.username_first and is_decoy(credential_id, secret=self._secret)
        if self.credentials.get(credential_id) is not None or invented:
            raise CredentialExists("the credential ID is already registered, or one of our decoys")

    def require_recent_sign_in(self, visitor: Visitor, *, max_age: int | None = None) -> None:
        """Require a fresh sign-in by the signed-in user, for anything that needs care.

        :param max_age: in seconds; ``PASSKEY_STEP_UP_AGE`` unless given.
        :raises SignInRequired: nobody is signed in.
        :raises StepUpRequired: there was none, or too long ago, or by a passkey that is gone.
        """
        self._freshness.require_recent(visitor, max_age=self.config.step_up_age if max_age is None else max_age)

    def still_valid(self, visitor: Visitor) -> bool:
        """Tell whether a session may go on: not when the passkey it signed in with was deleted by another session."""
        return self._freshness.still_valid(visitor)

    # The user's own credentials

    def require_sign_in(self, visitor: Visitor) -> UserInfo:
        """Require that somebody is signed in who may be, and return what the app tells of them.

        :raises SignInRequired: nobody is signed in.
        :raises AccountRefused: the app's account check says no.
        """
        return self._freshness.require_sign_in(visitor)

    def list_credentials(self, visitor: Visitor) -> CredentialList:
        """Return the signed-in user's credentials.

        :raises SignInRequired: nobody is signed in.
        """
        info = self._freshness.require_sign_in(visitor)
        records = records_of(self.credentials, info)
        return CredentialList(records, self._account_state(info, records), visitor.current)

    def rename(self, visitor: Visitor, credential_id: bytes, label: str) -> CredentialRecord:
        """Give one of the signed-in user's credentials another label.

        :param credential_id: raw bytes.
        :param label: 1 to 64 characters.
        :raises MalformedRequest: the label cannot be one.
        :raises StepUpRequired: there is no fresh sign-in.
        :raises CredentialNotFound: the user has no such credential.
        """
        info = self._freshness.require_step_up(visitor).info
        record = self.credentials.rename(credential_id, user_id=info.id, label=clean_label(label, required=True))
        self._tell(signals.renamed, info, user=visitor.user, credential=record)
        return record

    def delete(self, visitor: Visitor, credential_ids: Iterable[bytes]) -> Deleted:
        """Delete some of the signed-in user's credentials, each one or not at all.

        :param credential_ids: raw bytes.
        :raises StepUpRequired: there is no fresh sign-in.
        """
        info = self._freshness.require_step_up(visitor).info
        keep_last = not self.accounts.has_other_way_in(visitor.user)
        deleted: list[bytes] = []
        refused: dict[bytes, Refusal] = {}
        with self.credentials.transaction():
            before = {record.id: record for record in records_of(self.credentials, info)}
            for credential_id in dict.fromkeys(credential_ids):
                try:
                    self.credentials.delete(credential_id, user_id=info.id, keep_last=keep_last)
                    deleted.append(credential_id)
                except (CredentialNotFound, LastCredential) as refusal:
                    refused[credential_id] = refusal
            records = records_of(self.credentials, info)
            result = Deleted(deleted, refused, self._account_state(info, records, handles_of=[*before.values()]))
        if deleted:
            self._tell_deleted(visitor.user, deleted, before, audit=self.audit_of(info))
        return result

    def delete_of(self, user_id: str, credential_id: bytes) -> None:
        """Delete one credential of somebody else, for an administrator; it may be the last one.

        :param user_id: the id as in :class:`~flask_passkey.UserInfo`.
        :param credential_id: raw bytes.
        :raises CredentialNotFound: the account has no such credential.
        """
        with self.credentials.transaction():
            known = {record.id: record for record in self.credentials.of_user(user_id)}
            self.credentials.delete(credential_id, user_id=user_id, keep_last=False)
        self._tell_deleted(self.accounts.get(user_id), [credential_id], known, audit={"user_id": user_id})

    def _tell_deleted(
        self, user: Any, ids: list[bytes], known: Mapping[bytes, CredentialRecord], *, audit: Mapping[str, str]
    ) -> None:
        credentials = [known[id_] for id_ in ids if id_ in known]
        signals.send(signals.deleted, self._sender, audit=audit, user=user, credential_ids=ids, credentials=credentials)

    def forget_user(self, user_id: str) -> None:
        """Forget an account's passkeys and enrolment grants, as the app deletes the account.

        :param user_id: the id as in :class:`~flask_passkey.UserInfo`.
        """
        self.credentials.delete_user(user_id)
        audit.write("forgotten", {}, user_id=user_id)

    def try_ceremony_store(self) -> None:
        """Find out whether the store of pending ceremonies answers.

        :raises CeremonyStoreUnavailable: it does not.
        """
        self._pending.try_store()

    # Parts

    def _tell(self, signal: NamedSignal, info: UserInfo, **about: Any) -> None:
        signals.send(signal, self._sender, audit=self.audit_of(info), **about)

    def audit_of(self, info: UserInfo) -> dict[str, str]:
        """Return what the audit log says of an account."""
        return {"user_id": info.id, "name": info.name if self.config.audit_names else ""}

    def _begin(self, visitor: Visitor, options: dict[str, Any], pending: PendingCeremony) -> Begun:
        ceremony_id = self._pending.put(pending, secret=visitor.secrets[0], lifetime=self.config.lifetime)
        return Begun(ceremony_id, options)

    def _take(self, visitor: Visitor, ceremony_id: str, purposes: Sequence[str]) -> PendingCeremony:
        """Claim a ceremony of one of these purposes that was begun by this visitor."""
        return self._pending.take(ceremony_id, secrets=visitor.secrets, purposes=purposes, user_id=visitor.user_id)

    def _require_sign_up(self) -> None:
        wanted = self.accounts.can_create if self.config.sign_up is None else self.config.sign_up
        if not wanted:
            raise FeatureOff("sign-up is off: add a @passkey.create_user hook, and PASSKEY_SIGN_UP = True")

    def _account_state(
        self, info: UserInfo, records: Sequence[CredentialRecord], *, handles_of: Sequence[CredentialRecord] = ()
    ) -> AccountState:
        """Describe an account to password managers.

        :param handles_of: records whose user handles count, those that were deleted among them.
        """
        found = dict.fromkeys(record.user_handle for record in handles_of or records)
        handle, *others = found or [self.credentials.get_user_handle(info.id) or b""]
        return AccountState(info, handle, [record.id for record in records], self.config.rp_id, others)


def _require_same_account(visitor: Visitor, user_id: str) -> None:
    """Refuse a grant of another account than the visitor's; nobody need be signed in."""
    if visitor.user_id not in ("", user_id):
        raise GrantNotFound("the grant is for another account than the one that is signed in")


def _label_for(record: CredentialRecord, user_agent: str, others: Sequence[CredentialRecord]) -> str:
    return automatic_label(record.aaguid, user_agent, taken={other.label for other in others})
