"""The interface of an authenticator with several login methods, such as `UmbrellaAuthenticator`."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class OffersLogins(Protocol):
    """An authenticator with login methods of its own. For any other, JupyterHub shows its own button or form."""

    def login_methods(self, base_url: str) -> list[dict[str, str]]:
        """Return name, title and address of each login method, in the order of the login page.

        Args:
            base_url: the hub's prefix.
        """
        ...

    def title_of(self, issuer: str) -> str:
        """Return the title of the login method with this issuer; "" if there is none."""
        ...
