"""Where the routes are: the blueprint's name, and the host or subdomain in apps that tell those apart."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from copy import copy
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from flask import Blueprint, Flask
from werkzeug.routing import Rule

from ..config import PasskeyConfig
from ..errors import ConfigurationError
from . import views
from .ui import PAGES

log = logging.getLogger(__name__)


class Place(NamedTuple):
    """Where an app has our routes."""

    blueprint_name: str = "passkey"
    host: str | None = None
    subdomain: str | None = None

    def but(self, **given: str | None) -> Place:
        """Return this place with what is given instead."""
        return self._replace(**{name: value for name, value in given.items() if value is not None})


def check(app: Flask, config: PasskeyConfig, place: Place, *, pages: bool) -> None:
    """Refuse a place where no request would find the routes.

    :param pages: does the app want the ready pages, too?
    :raises ConfigurationError: with the line to write.
    """
    _check_name(app, place.blueprint_name)
    if pages and PAGES in app.blueprints:
        raise ConfigurationError(
            f"The app has a blueprint {PAGES!r} already, which is the ready pages' name. Write Blueprint('my_pages', …)"
        )
    if app.url_map.host_matching:
        _check_host(config, place)
    elif place.host is not None:
        raise ConfigurationError(
            f"host={place.host!r} has no effect, as the app does not tell hosts apart. Leave it out, or write "
            f"Flask(__name__, host_matching=True, static_host={place.host!r})"
        )
    elif place.subdomain:
        _check_subdomain(app, config, place.subdomain)
    elif app.subdomain_matching:
        _warn_without_subdomain(app, config)


def _check_name(app: Flask, name: str) -> None:
    if not name or "." in name or name == PAGES:
        raise ConfigurationError(
            f"blueprint_name is {name!r}: names of blueprints have no dot, and {PAGES!r} is the ready pages'. Write "
            "blueprint_name='webauthn'"
        )
    if name in app.blueprints:
        raise ConfigurationError(
            f"The app has a blueprint {name!r} already. Write Passkey(app, blueprint_name='webauthn'), and "
            "url_for('webauthn.static', filename='passkey.js')"
        )


def _check_host(config: PasskeyConfig, place: Place) -> None:
    if not place.host:
        host = urlsplit(config.origins[0]).netloc
        raise ConfigurationError(
            "The app tells hosts apart (host_matching), and Flask-Passkey is told none. Write "
            f"Passkey(app, host={host!r})"
        )
    meant = re.sub(r":(80|443)\Z", "", _as_in_requests(place.host))
    if meant != place.host:
        raise ConfigurationError(
            f"host={place.host!r} is not written as in requests: in lower case, with a port unless it is the scheme's "
            f"own. Write Passkey(app, host={meant!r})"
        )
    if place.subdomain is not None:
        raise ConfigurationError(
            f"subdomain={place.subdomain!r} has no effect in an app with host_matching. Write host={place.host!r} only"
        )


def _check_subdomain(app: Flask, config: PasskeyConfig, subdomain: str) -> None:
    if not app.subdomain_matching:
        raise ConfigurationError(
            f"subdomain={subdomain!r} finds no request, as the app does not tell subdomains apart. Write "
            "Flask(__name__, subdomain_matching=True)"
        )
    if not app.config.get("SERVER_NAME"):
        raise ConfigurationError(
            f"subdomain={subdomain!r} is below SERVER_NAME, which is not set. Write SERVER_NAME = {config.rp_id!r}"
        )
    meant = _as_in_requests(subdomain).removesuffix(_server(app)).strip(".")
    if meant != subdomain:
        raise ConfigurationError(
            f"subdomain={subdomain!r} is not what stands before SERVER_NAME in a host, in lower case. Write "
            f"Passkey(app, subdomain={meant!r})"
        )


def _as_in_requests(host: str) -> str:
    """Return a host as requests have it; variable parts, in angle brackets, keep their case."""
    bare = re.sub(r"\A\w+://|/.*\Z", "", host.strip())
    return "".join(part if part.startswith("<") else part.lower() for part in re.split("(<[^>]*>)", bare))


def _warn_without_subdomain(app: Flask, config: PasskeyConfig) -> None:
    """Warn of routes where none of the pages are; with pages on another origin than the routes that can be meant."""
    server = _server(app)
    hosts = [urlsplit(origin).hostname or "" for origin in config.origins]
    below = [host.removesuffix(f".{server}") for host in hosts if host.endswith(f".{server}")]
    if server and server not in hosts and below:
        log.warning(
            "The routes are at %s, and pages only at %s. If those should have them, write Passkey(app, subdomain=%r)",
            server,
            ", ".join(hosts),
            below[0],
        )


def _server(app: Flask) -> str:
    return str(app.config.get("SERVER_NAME") or "").partition(":")[0]


def site_at(app: Flask, config: PasskeyConfig, place: Place) -> str:
    """Return the origin of pages that are where the routes are; where none is, the first one."""
    at = place.host or (f"{place.subdomain}.{_server(app)}" if place.subdomain else "")
    return next((origin for origin in config.origins if at and urlsplit(origin).netloc == at), config.site)


def add_routes(app: Flask, config: PasskeyConfig, place: Place) -> Blueprint:
    """Add the routes; return the blueprint, which is this app's only."""
    blueprint = copy(views.blueprint)
    blueprint.name = place.blueprint_name
    app.register_blueprint(blueprint, url_prefix=config.url_prefix or None, host=place.host, subdomain=place.subdomain)
    if any(rule.arguments - views.VARIABLES for rule in app.url_map.iter_rules() if _is_of(blueprint, rule)):
        # Only there, as Flask takes longer to call it than it takes.
        app.url_value_preprocessors.setdefault(blueprint.name, []).append(views.take_host_values)
    return blueprint


def _is_of(blueprint: Blueprint, rule: Rule) -> bool:
    return str(rule.endpoint).rpartition(".")[0] == blueprint.name


def add_well_known(app: Flask, config: PasskeyConfig, place: Place) -> None:
    """Add the well-known documents that settings ask for, at the site root.

    :raises ConfigurationError: the app has such a route itself, so that only one of both would be served.
    """
    for setting, path, endpoint, view in (
        ("related_origins", "webauthn", "passkey_related_origins", views.related_origins),
        ("endpoints", "passkey-endpoints", "passkey_endpoints", views.passkey_endpoints),
        ("android_apps", "assetlinks.json", "passkey_android_apps", views.android_apps),
        ("apple_apps", "apple-app-site-association", "passkey_apple_apps", views.apple_apps),
    ):
        wanted = [each for each in (config, *config.others) if getattr(each, setting)]
        if not wanted:
            continue
        rule = f"/.well-known/{path}"
        for where in _well_known_places(app, config, place):
            if any(known.rule == rule and _is_at(known, where) for known in app.url_map.iter_rules()):
                key = wanted[0].name_of(setting)
                raise ConfigurationError(
                    f"The app has a route {rule} itself, and {key} has another document for it. Leave {key} out, or "
                    f"write {key} = {getattr(wanted[0], setting)!r} and delete the route."
                )
            app.add_url_rule(rule, endpoint, view, **where)


def _is_at(rule: Rule, where: dict[str, Any]) -> bool:
    return all((getattr(rule, name) or "") == (value or "") for name, value in where.items())


def _well_known_places(app: Flask, config: PasskeyConfig, place: Place) -> Iterator[dict[str, Any]]:
    """Yield where the documents are: where the routes are, and at each RP ID, where browsers look for them."""
    rp_ids = [each.rp_id for each in (config, *config.others)]
    if app.url_map.host_matching:
        yield from ({"host": host} for host in dict.fromkeys((place.host, *rp_ids)))
        return
    yield {"subdomain": place.subdomain}
    server = _server(app)
    for rp_id in rp_ids:
        if place.subdomain and (rp_id == server or rp_id.endswith(f".{server}")):
            at_rp_id = rp_id.removesuffix(server).rstrip(".")
            if at_rp_id != place.subdomain:
                yield {"subdomain": at_rp_id}
