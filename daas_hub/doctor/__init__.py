"""`daas-hub doctor`: asks everything a site's configuration names, for real, and says what came and what to do.

Nothing it does changes anything: no account, no proposal and no file of anybody is written, but an empty file that it
takes away again where a directory must be writable.
"""

from daas_hub.doctor.examination import Login, SignIn, examine
from daas_hub.doctor.report import as_json, as_text

__all__ = ["Login", "SignIn", "as_json", "as_text", "examine"]
