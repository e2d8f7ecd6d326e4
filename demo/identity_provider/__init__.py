"""The demo's identity provider: oidc-provider-mock with our four people and pages that need no other host."""
