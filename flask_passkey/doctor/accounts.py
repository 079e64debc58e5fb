"""The app's accounts: the hooks that lead to them, and passkeys whose account is gone or that no browser uses."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import Refusal
from ..state import State
from .findings import Finding, error, warning

#: So many accounts are read at once.
BATCH = 500


def check_hooks(state: State) -> Iterator[Finding]:
    """Look for hooks without which a request ends with code 50005."""
    accounts, config = state.accounts, state.config
    wanted = {
        "get_current_user": True,
        "load_user": True,
        "login_user": True,
        "create_user": config.sign_up,
        "find_user": config.username_first,
        "rp_id_for": bool(config.others),
    }
    for name, is_wanted in wanted.items():
        if is_wanted and not accounts.has_hook(name):
            yield error(
                f"accounts.no-{name.replace('_', '-')}",
                f"The app has no {name} hook, and Flask-Login, if there is one, no user_loader.",
                f"@passkey.{name}, above a function of yours"
                if name in ("create_user", "find_user", "rp_id_for")
                else f"LoginManager(app).user_loader(…), or @passkey.{name} above a function of yours",
            )


def check_orphans(state: State, *, most: int | None, show_ids: bool) -> Iterator[Finding]:
    """Look for accounts that have passkeys here and are gone in the app.

    :param most: as many accounts the app is asked for; ``None`` for all.
    """
    if not state.accounts.has_hook("load_user"):
        return
    try:
        seen, orphans = _count(state, most)
    except Exception as exc:  # whatever the app's hook raises; its text may quote an id
        yield error(
            "accounts.unreadable",
            f"The app cannot be asked for its accounts: {_reason(exc)}.",
            "@passkey.load_user, above a function that returns None for an id that is none of the app's",
        )
        return
    if orphans:
        ids = f": {', '.join(map(repr, orphans))}" if show_ids else ""
        yield error(
            "accounts.orphans",
            f"{len(orphans)} of {seen} accounts with passkeys are gone in the app{ids}. Who gets such an id inherits "
            "the passkeys.",
            "passkey.forget_user(id) where the app deletes an account, or delete_with(Account); now `flask passkey "
            "forget ID`"
            + ("" if show_ids else ", for the IDs that `flask passkey check --show-ids` names")
            + "; for accounts that are only marked as deleted a @passkey.load_user that finds them",
        )


def check_rp_ids(state: State) -> Iterator[Finding]:
    """Look for passkeys that no browser uses here."""
    found = state.relying_party.credentials.count_by_rp_id()
    ours = {rp_id for each in (state.config, *state.config.others) for rp_id in each.rp_ids}
    others = {rp_id: count for rp_id, count in found.items() if rp_id not in ours}
    if others:
        counts = ", ".join(f"{count} for {rp_id!r}" for rp_id, count in sorted(others.items()))
        yield warning(
            "accounts.other-rp-ids",
            f"There are passkeys for other RP IDs: {counts}. No browser uses them here, and they count for nothing.",
            f"PASSKEY_RP_ID = {next(iter(sorted(others)))!r}, if they are to be used; else people make new ones",
        )


def _reason(exc: Exception) -> str:
    return exc.reason if isinstance(exc, Refusal) else type(exc).__qualname__


def _count(state: State, most: int | None) -> tuple[int, list[str]]:
    """Return how many accounts were looked at, and the ids of those that are gone."""
    seen, orphans, after = 0, [], ""
    while most is None or seen < most:
        batch = state.relying_party.credentials.user_ids(after=after, limit=BATCH)
        orphans += [user_id for user_id in batch if not state.accounts.exists(user_id)]
        seen += len(batch)
        if len(batch) < BATCH:
            break
        after = batch[-1]
    return seen, orphans
