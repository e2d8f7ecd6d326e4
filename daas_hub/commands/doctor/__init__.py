"""`daas-hub doctor`: asks everything a site's configuration names, for real, and says what came and what to do.

Nothing it does changes anything: no account, no proposal and no file of anybody is written, but an empty file that it
takes away again where a directory must be writable.
"""

from daas_hub.commands.doctor.report import as_json, as_text
from daas_hub.commands.doctor.run import Login, SignIn, examine

__all__ = ["Login", "SignIn", "as_json", "as_text", "examine"]
