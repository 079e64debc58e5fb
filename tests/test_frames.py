"""Pages inside pages of other sites, and what a browser's request says about where it comes from."""

from __future__ import annotations

import pytest
from apps import SITE, App


# Origins that are null


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "null", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "null"}, 403),
        ({"Origin": "null", "Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "null", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "null", "Sec-Fetch-Site": "none"}, 403),
        ({"Origin": "null", "Sec-Fetch-Site": "Same-Origin"}, 403),
        ({"Origin": "NULL", "Sec-Fetch-Site": "same-origin"}, 403),
        ({"Origin": "", "Sec-Fetch-Site": "same-origin"}, 403),
        ({"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"}, 403),
        ({"Origin": f"{SITE}, null", "Sec-Fetch-Site": "same-origin"}, 403),
    ],
)
def test_null_is_taken_from_the_same_origin_only(site: App, headers: dict[str, str], status: int) -> None:
    """A page without referrers may use our routes and the app's forms; null from elsewhere, and other origins, may not."""

    @site.app.post("/form")
    def form() -> str:
        site.passkey.refuse_cross_site()
        return "done"

    client = site.app.test_client()
    assert client.put("/session/authn", headers=headers).status_code == status
    assert client.post("/form", headers=headers).status_code == status
