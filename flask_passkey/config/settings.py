"""The settings of one app: read from its ``PASSKEY_*`` configuration and checked once, at start-up.

What an RP ID and an origin may look like is
`W3C WebAuthn Level 3, section 5.1.2 <https://www.w3.org/TR/webauthn-3/#rp-id>`_ and
`section 13.4.9 <https://www.w3.org/TR/webauthn-3/#sctn-validating-origin>`_.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from difflib import get_close_matches
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar

from ..errors import ConfigurationError, Misconfigured
from .origins import (
    OriginTest,
    android_origin,
    check_below,
    check_page,
    check_related,
    check_schemes,
    default_origins,
    host_of,
    is_local,
    is_localhost,
    is_page_below,
    name_for,
    usual_name,
)
from .readers import READERS


# No slots, as cached_property needs a __dict__. What dataclass makes to take, compare and show so many fields takes
# longer to compile, at each import, than most modules take to load.
@dataclass(frozen=True, init=False, eq=False, repr=False)
class PasskeyConfig:
    """All settings of one app. Each field is the configuration key ``PASSKEY_<FIELD>`` in upper case."""

    #: The domain the passkeys belong to: ``"example.com"``. Every passkey is bound to it forever. No scheme, no port,
    #: lower case. ``localhost`` by default in debug and testing, otherwise required.
    rp_id: str = ""
    #: Name of the site as password managers show it. The RP ID by default.
    rp_name: str = ""
    #: Origins of the pages, as a list or text separated by commas: ``["https://example.com"]``. Each is at the RP ID
    #: or below it. ``https://<rp_id>`` by default; on localhost ``http://localhost`` and ``http://localhost:5000``, and
    #: in debug and testing any port. A function instead, or in the list, says which others there are:
    #: ``(origin: str) -> bool``.
    origins: tuple[str, ...] = ()
    #: Origins on other domains that may use this RP ID; published as ``/.well-known/webauthn``. They are on https if
    #: the others are, and have at most five different names left of the public suffix: browsers look at no more.
    related_origins: tuple[str, ...] = ()
    #: Path in front of all routes but the well-known ones: ``"/api/v4"``. Without one ``/user/authn`` is inside an
    #: app's ``/user/<name>``, where no user can be called ``authn``.
    url_prefix: str = ""
    #: Life of a ceremony in milliseconds, at most 600000; less than 60000 shuts out people who need time.
    timeout: int = 300_000
    #: ``required``: fingerprint, face or PIN every time. ``preferred`` or ``discouraged`` also accept a mere touch.
    user_verification: str = "required"
    #: Key types offered to and accepted from authenticators, by COSE number, best first: ES256, EdDSA and RS256. Others
    #: that work: -36, -37, -38, -39, -258, -259, and ML-DSA: -48, -49, -50.
    algorithms: tuple[int, ...] = (-7, -8, -257)
    #: Whether to ask authenticators to prove their model: ``none``, ``indirect``, ``direct`` or ``enterprise``.
    attestation: str = "none"
    #: Formats of attestation statements that are liked best, best first: ``["packed", "tpm"]``. Authenticators need not
    #: heed them. Only sent where attestation is asked for.
    attestation_formats: tuple[str, ...] = ()
    #: Files with the certificates that attestation must lead to, by format: ``{"packed": ["roots.pem"]}``. They need
    #: not be roots. Then only authenticators below them can be registered.
    attestation_roots: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: FIDO metadata blob, downloaded from https://mds3.fidoalliance.org/: its roots count as well, and models that
    #: it does not know or that were compromised are refused. Needs the extra ``mds``.
    mds_file: str = ""
    #: File with the certificate that the metadata blob is signed below.
    mds_root: str = ""
    #: What to do about a metadata blob that should have been renewed: ``warn`` or ``refuse``. It is read at start-up
    #: only.
    mds_stale: str = "warn"
    #: Models of authenticators that may be registered; empty for all.
    allowed_aaguids: tuple[str, ...] = ()
    #: Models of authenticators that may not be registered.
    denied_aaguids: tuple[str, ...] = ()
    #: Which kinds of authenticators browsers should show first, best first: ``client-device``, ``security-key``,
    #: ``hybrid`` (a phone). They hint and shut nobody out: browsers that do not know them show all kinds.
    hints: tuple[str, ...] = ()
    #: When a signature counter that did not grow is refused: ``device-bound`` (passkeys that cannot be synced),
    #: ``always``, or ``never``. The log has it in any case; where it is accepted the signal ``counter_regressed`` tells
    #: whose it is.
    counter_policy: str = "device-bound"
    #: Which changes of a passkey's "can be synced" flag are accepted: with ``upgrade`` from off to on, once, if the
    #: passkey does not count its signatures; with ``fixed`` none; with ``any`` all.
    backup_policy: str = "upgrade"
    #: Accept ceremonies from an ``<iframe>`` inside a page of another origin. Where all pages are on https, the
    #: browser's secret is kept in a cookie that browsers send from there, too.
    allow_cross_origin: bool = False
    #: With ``allow_cross_origin``: the origins of outer pages that are accepted, where the browser reports them.
    top_origins: tuple[str, ...] = ()
    #: Let people create an account with a passkey. On by default if the app has a ``create_user`` hook.
    sign_up: bool | None = None
    #: Also accept a user name at the start of a sign-in, for authenticators that keep no passkeys themselves. Needs a
    #: ``find_user`` hook and ``SECRET_KEY``: names without an account get decoys that cannot be told apart.
    #: U2F keys verify nobody, and so need ``user_verification`` to be ``preferred`` or ``discouraged``, too.
    username_first: bool = False
    #: Where the app keeps the id of who is signed in, in ``flask.session``: ``"user_id"``. The hooks
    #: ``get_current_user`` and ``login_user`` are not needed then.
    user_session_key: str = ""
    #: For so many seconds after a fresh sign-in passkeys can be added, renamed and deleted. Then it takes a step-up.
    step_up_age: int = 600
    #: Have Flask-Login remember whoever signs in with a passkey, in a cookie that outlives the session, for its
    #: ``REMEMBER_COOKIE_DURATION``.
    remember: bool = False
    #: The first passkey of an account takes a fresh sign-in, too: ``passkey.confirm_user()``. Without it, being signed
    #: in is enough.
    fresh_first: bool = False
    #: The most passkeys that an account can have, at most 1000. One more is refused with code 40093.
    max_credentials: int = 20
    #: Put names of accounts into the audit log, too; their ids are in it anyway.
    audit_names: bool = False
    #: ``False`` answers HTTP 200 to everything, for clients that read only the envelope.
    http_status: bool = True
    #: Longest accepted request body in bytes.
    max_body: int = 65_536
    #: SQLAlchemy URL of the credentials: ``"postgresql+psycopg://…"``. By default ``passkey.sqlite3`` in the
    #: instance folder.
    database_uri: str = field(default="", repr=False)
    #: Where pending ceremonies are kept: in the store behind ``flask-session``, or in the ``database`` of the
    #: credentials; then the app's sessions may be of any kind.
    ceremony_store: str = "flask-session"
    #: Pages for password managers to link to, published as ``/.well-known/passkey-endpoints``:
    #: ``{"enroll": "https://…", "manage": "https://…"}``.
    endpoints: Mapping[str, str] = field(default_factory=dict)
    #: Android apps that use this site's passkeys: SHA-256 fingerprints of their signing certificates by package,
    #: ``{"com.example.app": ["AB:CD:…"]}``. Published as ``/.well-known/assetlinks.json``, and their origins
    #: (``android:apk-key-hash:…``) are accepted: no need to list them in ``origins``.
    android_apps: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: Apps of Apple's systems that use this site's passkeys, as team and bundle: ``["ABCDE12345.com.example.app"]``.
    #: Published as ``/.well-known/apple-app-site-association``. Their origin is the site's own.
    apple_apps: tuple[str, ...] = ()
    #: The app's page that takes enrolment grants: ``passkey.invite()`` makes links to it. With the ready pages theirs,
    #: unless given.
    enrol_url: str = ""
    #: More relying parties, by RP ID, each with ``origins``, ``name``, ``related_origins`` and ``enrol_url``. The hook
    #: ``rp_id_for`` chooses one for each request.
    relying_parties: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    #: Path in front of the ready pages, which ``Passkey(app, pages=True)`` adds.
    pages_prefix: str = "/passkeys"
    #: The template that the ready pages extend: one of the app's with a block ``content``.
    base_template: str = "passkey/base.html"
    #: Serve the routes as an OpenAPI document, at ``/passkey/openapi.json``. Needs the extra ``openapi``.
    openapi: bool = False

    # Is it ``PASSKEY_RP_ID``'s, and not one of ``PASSKEY_RELYING_PARTIES``?
    is_first: ClassVar[bool] = True
    # The same settings for each of ``PASSKEY_RELYING_PARTIES``.
    others: ClassVar[tuple[PasskeyConfig, ...]] = ()
    # What the app has written, by key.
    given: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    # Functions of the app that say which other origins there are.
    origin_tests: ClassVar[tuple[OriginTest, ...]] = ()
    # Origin and path of the ready page for links, where ``enrol_url`` is its address: between them is what the app is
    # below, which a request knows better than the configuration.
    enrol_page: ClassVar[tuple[str, str] | None] = None

    def __init__(self, **given: Any) -> None:
        """Take settings that are right: :meth:`from_mapping` reads and checks them."""
        usual = {setting.name: _default_of(setting) for setting in fields(self)}
        if unknown := given.keys() - usual:
            raise TypeError(f"PasskeyConfig has no setting {', '.join(sorted(unknown))}")
        vars(self).update(usual | given)

    def __eq__(self, other: object) -> bool:
        names = [setting.name for setting in fields(self)]
        return type(other) is type(self) and all(getattr(self, name) == getattr(other, name) for name in names)

    def __repr__(self) -> str:
        shown = (f"{setting.name}={getattr(self, setting.name)!r}" for setting in fields(self) if setting.repr)
        return f"{type(self).__name__}({', '.join(shown)})"

    @staticmethod
    def _in_development() -> bool:
        return False

    @property
    def site(self) -> str:
        """An origin of a page, to be written in messages."""
        return next((origin for origin in self.origins if host_of(origin)), default_origins(self.rp_id)[0])

    @cached_property
    def all_origins(self) -> tuple[str, ...]:
        """Every origin a ceremony may run on."""
        return tuple(dict.fromkeys((*self.origins, *self.related_origins, *self._android_origins)))

    @property
    def _android_origins(self) -> list[str]:
        return [android_origin(text) for texts in self.android_apps.values() for text in texts]

    def allows(self, origin: str) -> bool:
        """Tell whether a ceremony may run on an origin: a listed one or, in debug and testing, localhost at any port.

        The latter only where the RP ID is ``localhost``. A function among the origins is asked about all others that
        are at the RP ID or below it.

        :raises Misconfigured: it says neither yes nor no.
        """
        return (
            origin in self.all_origins
            or (self.rp_id == "localhost" and is_localhost(origin) and self._in_development())
            or (self.origin_tests != () and is_page_below(origin, self.rp_id) and any(self._ask(origin)))
        )

    def _ask(self, origin: str) -> Iterator[bool]:
        for test in self.origin_tests:
            found = test(origin)
            if not isinstance(found, bool):
                raise Misconfigured(f"a function in {self.name_of('origins')} returned {found!r}, not True or False")
            yield found

    def enrol_url_below(self, root: str) -> str:
        """Return the address of the page that takes enrolment grants.

        :param root: path that the app is below, empty at the site's root.
        """
        if self.enrol_page is None:
            return self.enrol_url
        origin, path = self.enrol_page
        return f"{origin}{root}{path}"

    def name_of(self, setting: str) -> str:
        """Return the name of a setting that each relying party has, as it is written in the app's configuration."""
        return (usual_name if self.is_first else name_for(self.rp_id))(setting)

    @cached_property
    def https_only(self) -> bool:
        """Do all pages use https? Then cookies are ``Secure``."""
        others = self.origin_tests != () and is_local(self.rp_id)
        return not others and not any(origin.startswith("http:") for origin in self.all_origins)

    @cached_property
    def in_frames(self) -> bool:
        """May our pages be inside those of other sites? Then browsers have to send cookies from there.

        Not on http: that is for localhost only, where the pages of all ports are of one site.
        """
        return self.allow_cross_origin and self.https_only

    @property
    def rp_ids(self) -> tuple[str, ...]:
        """What ``rp_id`` of a credential record is when its passkey can be used here.

        Records that say nothing were made before it was kept.
        """
        return (self.rp_id, "") if self.is_first else (self.rp_id,)

    @property
    def lifetime(self) -> int:
        """Life of a ceremony in whole seconds."""
        return self.timeout // 1000

    @classmethod
    def from_mapping(
        cls, values: Mapping[str, Any], *, development: bool | Callable[[], bool] = False
    ) -> PasskeyConfig:
        """Read and check the ``PASSKEY_*`` keys of a configuration.

        :param values: the app's configuration; its other keys are ignored.
        :param development: the app is in debug or testing, or a function that tells: the RP ID is ``localhost`` unless
            given, and localhost may have any port.
        :raises ConfigurationError: a setting is wrong; the message has its key and the line to write.
        """
        _refuse_unknown_keys(values)
        # None and the empty text, which an environment variable can have, count as not given.
        given = {name: value for name in READERS if (value := values.get(_key(name))) not in (None, "")}
        in_development = development if callable(development) else lambda: development
        given = {"rp_id": "localhost" if in_development() else ""} | given
        read = {name: READERS[name](_key(name), value) for name, value in given.items()}
        read.setdefault("rp_name", read["rp_id"])
        parties = read.get("relying_parties", {})
        if read["rp_id"] in parties:
            raise ConfigurationError(
                f"PASSKEY_RELYING_PARTIES has {read['rp_id']!r}, which is PASSKEY_RP_ID. Write PASSKEY_ORIGINS = …"
            )
        config = cls._made(read, in_development, is_first=True)
        own = {name: read[name] for name in read if name not in ("rp_id", "origins", "related_origins", "enrol_url")}
        others = [cls._made(own | {"rp_id": rp_id, **entry}, in_development) for rp_id, entry in parties.items()]
        vars(config).update(others=tuple(others), given=_given(values))
        return config

    def changed_since(self, values: Mapping[str, Any]) -> list[str]:
        """Return the keys whose values have changed since the settings were read, which has no effect.

        :param values: the app's configuration of now.
        """
        now = _given(values)
        return [key for key in sorted(now.keys() | self.given) if now.get(key) != self.given.get(key)]

    @classmethod
    def _made(
        cls, read: Mapping[str, Any], in_development: Callable[[], bool], *, is_first: bool = False
    ) -> PasskeyConfig:
        """Return checked settings, with what is no setting of the app's beside them."""
        given = read.get("origins") or default_origins(read["rp_id"])
        tests = tuple(item for item in given if not isinstance(item, str))
        config = cls(**{**read, "origins": tuple(item for item in given if isinstance(item, str))})
        vars(config).update(_in_development=in_development, origin_tests=tests, is_first=is_first)
        _check_together(config)
        return config


def _default_of(setting: Field[Any]) -> Any:
    return setting.default if setting.default_factory is MISSING else setting.default_factory()


def _key(name: str) -> str:
    return f"PASSKEY_{name.upper()}"


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key.startswith("PASSKEY_")}


def _refuse_unknown_keys(values: Mapping[str, Any]) -> None:
    known = [_key(name) for name in READERS]
    for key in _given(values):
        if key not in known:
            meant = get_close_matches(key, known, n=1, cutoff=0)[0]
            raise ConfigurationError(f"There is no setting {key}. Write {meant} = …, or one of {', '.join(known)}.")


def _check_together(config: PasskeyConfig) -> None:
    check_below(config.origins, config.rp_id, config.name_of)
    check_related(config.related_origins, config.name_of)
    check_page(
        config.name_of("enrol_url"),
        config.enrol_url,
        origin=config.site,
        allows=config.allows,
        key_of_origins=config.name_of("origins"),
    )
    check_schemes(config.origins, config.related_origins, config.name_of)
    if (config.attestation_roots or config.mds_file) and config.attestation not in ("direct", "enterprise"):
        raise ConfigurationError(
            "PASSKEY_ATTESTATION_ROOTS or PASSKEY_MDS_FILE is set, but browsers are not asked for attestation. Write "
            "PASSKEY_ATTESTATION = 'direct'"
        )
    if config.attestation_formats and config.attestation == "none":
        raise ConfigurationError(
            "PASSKEY_ATTESTATION_FORMATS is set, but browsers are not asked for attestation. Write PASSKEY_ATTESTATION "
            "= 'direct'"
        )
    if config.mds_file and not config.mds_root:
        raise ConfigurationError(
            "PASSKEY_MDS_FILE is set without the certificate it is signed below. Write PASSKEY_MDS_ROOT = "
            "'root-r3.crt' (from https://valid.r3.roots.globalsign.com/)"
        )
    if config.top_origins and not config.allow_cross_origin:
        raise ConfigurationError(
            "PASSKEY_TOP_ORIGINS is set, but pages in an <iframe> are refused. Write PASSKEY_ALLOW_CROSS_ORIGIN = True"
        )
