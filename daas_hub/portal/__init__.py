"""The pages a user sees, their forms and live events. Handlers here speak HTTP; what may be done is asked elsewhere."""

from daas_hub.portal.installation import portal_problems
from daas_hub.portal.routes import portal_handlers

__all__ = ["portal_handlers", "portal_problems"]
