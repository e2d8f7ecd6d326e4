"""The pages a user sees, their forms and live events. Handlers speak HTTP; what is allowed is decided elsewhere."""

from daas_hub.portal.installation import portal_problems
from daas_hub.portal.routes import portal_handlers

__all__ = ["portal_handlers", "portal_problems"]
