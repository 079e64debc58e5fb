"""The use cases: begin and finish sign-in, step-up, registration, sign-up and enrolment; list, rename, delete.

They know no HTTP, so an app's own views and commands can call them too. Each goes one way: claim the pending
ceremony, look up, verify, ask the app, store, send the signal. Whatever is refused on the way has changed nothing but
the ceremony, which is spent.

.. code-block:: text

    sign_in.py         sign-in and step-up
    registration.py    registration, sign-up, enrolment by a grant
    own_passkeys.py    a user's own passkeys: list, rename, delete; what administrators do
    parts.py           what they are composed of, and share
"""

from __future__ import annotations

from .own_passkeys import OwnPasskeys
from .registration import Registration
from .sign_in import SignIn


class RelyingParty(SignIn, Registration, OwnPasskeys):
    """The use cases of one app."""


__all__ = ["RelyingParty"]
