"""Firefox without a window, driven over Marionette: Firefox's own protocol, for which nothing has to be installed.

https://firefox-source-docs.mozilla.org/testing/marionette/Protocol.html
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from services import find

#: Seconds within which anything happens, on a busy machine too.
PATIENCE = 30
PREFERENCES: dict[str, Any] = {
    "marionette.port": 0,  # a free one; it is written into the profile
    "security.webauth.webauthn_enable_softtoken": True,
    "security.webauth.webauthn_enable_usbtoken": False,
    "termsofuse.bypassNotification": True,
    "intl.accept_languages": "en-GB,en",
    "devtools.console.stdout.content": True,  # what pages say with console.…() is in the log
    # Nobody is called from here.
    "app.normandy.enabled": False,
    "app.update.disabledForTesting": True,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.systemAddon.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "toolkit.telemetry.server": "",
}
#: Scripts' errors and refusals of the CSP, on pages of one site.
CONSOLE = """
return Services.console.getMessageArray().filter((message) => message instanceof Ci.nsIScriptError)
  .filter(({ sourceName }) => sourceName.startsWith(arguments[0]))
  .map(({ category, errorMessage }) => `${category}: ${errorMessage}`);
"""
#: In the log; Firefox itself writes such lines too, with the name of one of its parts in front instead of a value.
SAID_BY_A_PAGE = re.compile(r"""console\.\w+: ["(\[]""")


class Refused(Exception):
    """Firefox could not do what a command asks for."""


class Marionette:
    """A connection to Firefox."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._stream = self._socket.makefile("rb")
        self._count = 0
        self._read()

    def __call__(self, command: str, **parameters: Any) -> Any:
        """Send a command of WebDriver or of Firefox's own, and return its result."""
        self._count += 1
        message = json.dumps([0, self._count, command, parameters]).encode()
        self._socket.sendall(b"%d:%b" % (len(message), message))
        _, _, error, result = self._read()
        if error:
            raise Refused(f"{command}: {error['error']}: {error['message']}")
        return result["value"] if isinstance(result, dict) and set(result) == {"value"} else result

    def close(self) -> None:
        self._stream.close()
        self._socket.close()

    def _read(self) -> Any:
        """Read one message: its length, a colon, and its text."""
        length = b""
        while (byte := self._stream.read(1)) != b":":
            assert byte, "Firefox has closed the connection"
            length += byte
        return json.loads(self._stream.read(int(length)))


class Firefox:
    """A browser with one window.

    :param log: what it writes to its standard output, and pages to their console.
    """

    def __init__(self, marionette: Marionette, log: Path) -> None:
        self.send = marionette
        self._log = log
        self._read = 0
        self._site = ""
        self._authenticator = ""

    def start_afresh(self) -> None:
        """Forget cookies and complaints, and have an empty authenticator."""
        self.send("WebDriver:Navigate", url="about:blank")
        self.privileged("Services.cookies.removeAll(); Services.console.reset();")
        self._read = self._log.stat().st_size
        self.replace_authenticator()

    def complaints(self) -> list[str]:
        """Return the errors of scripts, what the CSP refused, and everything that pages wrote to their console.

        The page of the test before may still be on its way out, and cut short there, when the next one begins.
        """
        written = self._log.read_bytes()[self._read :].decode(errors="replace").splitlines()
        found: list[str] = self.privileged(CONSOLE, self._site)
        return found + [line for line in written if SAID_BY_A_PAGE.match(line)]

    def privileged(self, script: str, *arguments: object) -> Any:
        """Run a script in the browser itself."""
        self.send("Marionette:SetContext", value="chrome")
        try:
            return self.run(script, *arguments)
        finally:
            self.send("Marionette:SetContext", value="content")

    def run(self, script: str, *arguments: object) -> Any:
        """Run a script in the page and return what it returns."""
        return self.send("WebDriver:ExecuteScript", script=script, args=arguments)

    # The page, as people see it

    def go(self, url: str) -> None:
        self._site = "/".join(url.split("/")[:3]) + "/"
        self.send("WebDriver:Navigate", url=url)

    def press(self, name: str) -> None:
        """Press the visible button, or open the fold, that is called so."""
        self._click(f"//*[self::button or self::summary][normalize-space()='{name}']")

    def type_into(self, label: str, text: str) -> None:
        """Replace what a field has in it."""
        field = self._visible(f"//input[@id=//label[normalize-space()='{label}']/@for]")
        self.send("WebDriver:ElementClear", id=field)
        self.send("WebDriver:ElementSendKeys", id=field, text=text)

    def texts(self, selector: str) -> list[str]:
        """Return the texts of such elements, as far as they have any."""
        found: list[str] | None = self.run(
            "return [...document.querySelectorAll(arguments[0])].map(({innerText}) => innerText).filter(Boolean)",
            selector,
        )
        return found or []  # also where the page went away while it was asked

    def wait_for_text(self, selector: str, text: str) -> None:
        """Wait until one of these elements has this text in it."""
        wait(lambda: any(text in had for had in self.texts(selector)), lambda: f"not {text}: {self.texts(selector)}")

    def _click(self, xpath: str) -> None:
        self.send("WebDriver:ElementClick", id=self._visible(xpath))

    def _visible(self, xpath: str) -> str:
        found: list[str] = []

        def look() -> bool:
            elements = self.send("WebDriver:FindElements", using="xpath", value=xpath)
            found[:] = [id for element in elements for id in element.values()]
            found[:] = [id for id in found if self.send("WebDriver:IsElementDisplayed", id=id)]
            return bool(found)

        wait(look, lambda: f"nothing visible is {xpath}")
        return found[0]

    # The authenticator

    def replace_authenticator(self) -> None:
        """Have an empty authenticator in place of the one before, as on another device."""
        if self._authenticator:
            self.send("WebAuthn:RemoveVirtualAuthenticator", authenticatorId=self._authenticator)
        has = dict.fromkeys(("hasResidentKey", "hasUserVerification", "isUserConsenting", "isUserVerified"), True)
        made = self.send("WebAuthn:AddVirtualAuthenticator", protocol="ctap2_1", transport="internal", **has)
        self._authenticator = made

    def verified(self, is_verified: bool) -> None:
        """Say whether fingerprint, face or PIN will be right from now on."""
        self.send("WebAuthn:SetUserVerified", authenticatorId=self._authenticator, isUserVerified=is_verified)

    @property
    def credentials(self) -> list[dict[str, Any]]:
        kept: list[dict[str, Any]] = self.send("WebAuthn:GetCredentials", authenticatorId=self._authenticator)
        return kept

    def change_credential(self, **members: Any) -> None:
        """Change members of the only credential."""
        (credential,) = self.credentials
        self.send("WebAuthn:RemoveAllCredentials", authenticatorId=self._authenticator)
        changed = {**credential, **members}
        self.send("WebAuthn:AddCredential", authenticatorId=self._authenticator, credentials=changed)


def wait(condition: Callable[[], bool], complaint: Callable[[], str]) -> None:
    """Wait until a condition holds, also while pages come and go."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            if condition():
                return
        except Refused:  # the page it asked is gone
            pass
        assert time.monotonic() < deadline, complaint()
        time.sleep(0.02)


@contextmanager
def firefox(folder: Path) -> Iterator[Firefox]:
    """Run Firefox with everything it keeps in a folder: ``FIREFOX``, or ``firefox-esr`` on the PATH."""
    program = os.environ.get("FIREFOX") or find("firefox-esr")
    profile, log = folder / "profile", folder / "log"
    profile.mkdir()
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in PREFERENCES.items()]
    (profile / "user.js").write_text("".join(lines))
    options = ["--headless", "--marionette", "--remote-allow-system-access", "--no-remote", "--profile", str(profile)]
    environment = {**os.environ, "HOME": str(folder), "MOZ_CRASHREPORTER_DISABLE": "1"}
    with log.open("wb") as output:
        process = subprocess.Popen([program, *options], stdout=output, stderr=output, env=environment)
    try:
        connection = Marionette(_port(profile / "MarionetteActivePort", process, log))
        try:
            connection("WebDriver:NewSession")
            yield Firefox(connection, log)
        finally:
            connection.close()
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _port(file: Path, process: subprocess.Popen[bytes], log: Path) -> int:
    """Return the port that Firefox listens on, as soon as it does."""

    def is_written() -> bool:
        assert process.poll() is None, f"Firefox did not start:\n{log.read_text(errors='replace')}"
        return file.exists() and file.read_text().strip().isdigit()

    wait(is_written, lambda: f"Firefox does not listen:\n{log.read_text(errors='replace')}")
    return int(file.read_text())
