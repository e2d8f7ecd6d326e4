"""The keys that encrypt auth_state."""

from __future__ import annotations

from typing import Any

from jupyterhub.crypto import CryptKeeper
from traitlets import TraitError

from daas_hub.errors import ConfigurationError


def require_keys(config: Any) -> None:
    """Check that auth_state can be encrypted.

    Raises:
        ConfigurationError: there is no key, or one is invalid; keys are never shown.
    """
    why = ""
    try:
        if not CryptKeeper(config=config).keys:
            why = "is not set, and login tokens are never stored unencrypted"
    except (TraitError, ValueError):
        why = "is not 32 bytes in hexadecimal or base64 (separate several by ';')"
    if why:
        raise ConfigurationError(
            "JUPYTERHUB_CRYPT_KEY",
            "(not shown)",
            why,
            remedy="Set it to the output of `openssl rand -hex 32`, the same at every start.",
        )
