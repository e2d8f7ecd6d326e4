"""Login at OpenID Connect providers."""
