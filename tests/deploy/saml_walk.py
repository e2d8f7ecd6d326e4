"""The sign-in through SAML as a browser does it, with scripts: from the portal's button to the provider and back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page

from tests.browser.conftest import SessionUser
from tests.deploy.site import Site


@contextmanager
def visitor(browser: Browser, site: Site, *, width: int, scheme: str) -> Iterator[SessionUser]:
    """Let somebody arrive whose browser trusts the site's certificate."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,  # type: ignore[arg-type]  # "light" or "dark"
        ignore_https_errors=True,
    )
    person = SessionUser(site.portal, context, context.new_page())
    person.watch(person.page)
    try:
        yield person
    finally:
        context.close()


def sign_in(page: Page, site: Site, name: str) -> None:
    """Press the portal's button, and fill in the identity provider's form; it posts its answer by a script."""
    page.goto(f"{site.portal.url}/hub/login")
    page.get_by_role("link", name="UmbrellaID").click()
    page.locator("input[name=username]").fill(name)
    page.locator("input[name=password]").fill("secret")
    page.locator("input[name=password]").press("Enter")
    page.wait_for_url(f"{site.origin}/**")
    page.wait_for_load_state()
