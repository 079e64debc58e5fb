"""An app with the ready pages and nothing else, for ``page.py``."""

from __future__ import annotations

import os

from cachelib import SimpleCache
from flask import Flask
from flask_session import Session

from flask_passkey import MemoryCredentialRepository, Passkey

app = Flask(__name__)
app.config.update(
    SECRET_KEY="bench", SESSION_TYPE="cachelib", SESSION_CACHELIB=SimpleCache(), PASSKEY_RP_ID="localhost"
)
app.config["PASSKEY_ORIGINS"] = os.environ["FLASK_PASSKEY_ORIGINS"]
Session(app)
passkey = Passkey(app, credentials=MemoryCredentialRepository(), pages=True)
passkey.get_current_user(lambda: None)
passkey.load_user(lambda user_id: None)
