"""What the portal's pages ask of an authenticator that offers several logins; `UmbrellaAuthenticator` does."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class OffersLogins(Protocol):
    """An authenticator with login methods of its own. Any other is offered by JupyterHub's one button or form."""

    def login_methods(self, base_url: str) -> list[dict[str, str]]:
        """Return name, title and address of each login method, in the order of the login page.

        Args:
            base_url: the hub's prefix.
        """
        ...

    def title_of(self, issuer: str) -> str:
        """Return the title of the login method with this issuer; "" if there is none."""
        ...
