"""The sentences of ``passkey.js``, for their translation: a page in another language brings them with it."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

#: By their key in the module's ``MESSAGES``, and in its words; all but those of :data:`OWN_SENTENCES`.
SENTENCES = {
    "register.cancelled": _(
        "No passkey was created. You can try again, or choose another device, such as a phone or a security key."
    ),
    "sign-up.cancelled": _("No passkey was created, and no account. You can try again."),
    "enrol.cancelled": _("No passkey was created. Your link or code is still good: you can try again."),
    "step-up.cancelled": _("Nothing was changed. Please confirm with a passkey to go on."),
    "expired": _("That took too long. Please try again."),
    "duplicate": _(
        "This device or password manager already has a passkey for your account. To add another one, choose "
        "another device."
    ),
    "enrol.duplicate": _(
        "This device or password manager already has a passkey for your account. You can sign in with it."
    ),
    "domain": _("Passkeys do not work on this address. Please open the usual address of this site."),
    "loopback": _("Passkeys do not work on this address. Open {address} instead."),
    "insecure": _("Passkeys need a secure address. Open {address} instead."),
    "unsupported": _(
        "This browser cannot use passkeys here. Please use a current version of Chrome, Edge, Firefox or Safari."
    ),
    "unsupported_device": _(
        "This device cannot create the kind of passkey this site needs. Please try another device, or a security key."
    ),
    "busy": _("Another passkey request is open. Close it and try again."),
    "authenticator": _("Your device could not complete this. Try again or use another passkey."),
    "network": _("We could not reach the server. Check your connection and try again."),
    "server": _("Something went wrong. Please try again."),
    "unavailable": _("The service is unavailable for the moment. Please try again."),
    "rate_limited": _("Too many tries. Please wait a minute."),
    "sign_in_required": _("Please sign in first."),
    "authenticate.forbidden": _(
        "You cannot sign in here with this passkey. Use another one, or ask the people who run this site."
    ),
    "forbidden": _("This was not allowed. Please reload the page and try again."),
    "invalid": _("Please check what you entered."),
    "name_missing": _("Please enter a name."),
    "not_found": _("This passkey is no longer in your list. Please reload the page."),
    "name_taken": _("This name is taken. Please choose another one, or sign in if it is yours."),
    "too_many_passkeys": _("You have as many passkeys as you can have here. Delete one first."),
    "last_passkey": _("This is your only passkey. Add another one before you delete it."),
    "switched_off": _("This is switched off here. Please ask the people who run this site."),
    "rejected": _("The passkey could not be verified. Please try again."),
    "unknown_credential": _(
        "This passkey is no longer registered here. Please use another one, or sign in another way and create a new "
        "one."
    ),
    "other_account": _("Somebody else is signed in here by now. Please reload the page."),
    "sign-up.other_account": _("You are signed in already. Sign out to create another account."),
    "step_up_required": _("Please sign in with your passkey again, then repeat."),
    "grant_not_found": _(
        "This link or code does not work: it may be mistyped, used already, expired, or for another account. "
        "Check it, or ask for a new one."
    ),
    "preparing": _("One moment, please."),
    "confirming": _("First confirm that it is you: follow the steps that your browser or device shows."),
    "finishing": _("Almost done."),
    "waiting": _("Follow the steps that your browser or device shows."),
    "done": _("Done."),
    "authenticate.other_name": _("You are signed in as {name}."),
    "conditional-create.done": _(
        "Your password manager made a passkey: next time you can sign in without the password."
    ),
}
#: Where the demo says something else: it has no other way to sign in.
OWN_SENTENCES = {
    "cancelled": _(
        "No passkey was used. You can try again, or choose another device, such as a phone or a security key."
    )
}


def sentences() -> dict[str, str]:
    """Return every sentence in the language of the current request."""
    return {key: str(text) for key, text in (SENTENCES | OWN_SENTENCES).items()}
