"""The ceremonies of `W3C WebAuthn Level 3 <https://www.w3.org/TR/webauthn-3/>`_ as pure functions.

No Flask, no session, no database, no clock of their own: what they need is handed in, what they find is
returned or raised as :class:`~flask_passkey.errors.ResponseRejected`.
"""
