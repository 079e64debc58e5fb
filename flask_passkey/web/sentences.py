"""The sentences of ``passkey.js`` for pages in other languages, which bring them along: the module is English."""

from __future__ import annotations

from functools import lru_cache
from gettext import NullTranslations

from ..words import N_
from .words import catalog

#: By their key in the module's ``MESSAGES``.
SENTENCES = {
    "cancelled": N_(
        "No passkey was used. You can try again, choose another device, such as a phone or a security key, "
        "or sign in another way."
    ),
    "register.cancelled": N_(
        "No passkey was created. You can try again, or choose another device, such as a phone or a security key."
    ),
    "sign-up.cancelled": N_("No passkey was created, and no account. You can try again."),
    "enrol.cancelled": N_("No passkey was created. Your link or code is still good: you can try again."),
    "step-up.cancelled": N_("Nothing was changed. Please confirm with a passkey to go on."),
    "expired": N_("That took too long. Please try again."),
    "duplicate": N_(
        "This device or password manager already has a passkey for your account. To add another one, choose "
        "another device."
    ),
    "enrol.duplicate": N_(
        "This device or password manager already has a passkey for your account. You can sign in with it."
    ),
    "domain": N_("Passkeys do not work on this address. Please open the usual address of this site."),
    "loopback": N_("Passkeys do not work on this address. Open {address} instead."),
    "insecure": N_("Passkeys need a secure address. Open {address} instead."),
    "unsupported": N_(
        "This browser cannot use passkeys here. Please use a current version of Chrome, Edge, Firefox or Safari."
    ),
    "unsupported_device": N_(
        "This device cannot create the kind of passkey this site needs. Please try another device, or a security key."
    ),
    "busy": N_("Another passkey request is open. Close it and try again."),
    "authenticator": N_("Your device could not complete this. Try again or use another passkey."),
    "network": N_("We could not reach the server. Check your connection and try again."),
    "server": N_("Something went wrong. Please try again."),
    "unavailable": N_("The service is unavailable for the moment. Please try again."),
    "rate_limited": N_("Too many tries. Please wait a minute."),
    "sign_in_required": N_("Please sign in first."),
    "authenticate.forbidden": N_(
        "You cannot sign in here with this passkey. Use another one, or ask the people who run this site."
    ),
    "forbidden": N_("This was not allowed. Please reload the page and try again."),
    "invalid": N_("Please check what you entered."),
    "name_missing": N_("Please enter a name."),
    "not_found": N_("This passkey is no longer in your list. Please reload the page."),
    "name_taken": N_("This name is taken. Please choose another one, or sign in if it is yours."),
    "too_many_passkeys": N_("You have as many passkeys as you can have here. Delete one first."),
    "last_passkey": N_("This is your only passkey. Add another one before you delete it."),
    "switched_off": N_("This is switched off here. Please ask the people who run this site."),
    "rejected": N_("The passkey could not be verified. Please try again."),
    "unknown_credential": N_(
        "This passkey is no longer registered here. Please use another one, or sign in another way and "
        "create a new one."
    ),
    "other_account": N_("Somebody else is signed in here by now. Please reload the page."),
    "sign-up.other_account": N_("You are signed in already. Sign out to create another account."),
    "step_up_required": N_("Please sign in with your passkey again, then repeat."),
    "grant_not_found": N_(
        "This link or code does not work: it may be mistyped, used already, expired, or for another account. "
        "Check it, or ask for a new one."
    ),
    "preparing": N_("One moment, please."),
    "confirming": N_("First confirm that it is you: follow the steps that your browser or device shows."),
    "finishing": N_("Almost done."),
    "waiting": N_("Follow the steps that your browser or device shows."),
    "done": N_("Done."),
    "authenticate.other_name": N_("You are signed in as {name}."),
    "conditional-create.done": N_(
        "Your password manager made a passkey: next time you can sign in without the password."
    ),
}


def translated() -> dict[str, str]:
    """Return the sentences in the visitor's language by key; not those that are the module's own."""
    return dict(_of(catalog()))


@lru_cache(maxsize=32)
def _of(texts: NullTranslations) -> dict[str, str]:
    found = {key: texts.gettext(sentence) for key, sentence in SENTENCES.items()}
    return {key: text for key, text in found.items() if text != SENTENCES[key]}
