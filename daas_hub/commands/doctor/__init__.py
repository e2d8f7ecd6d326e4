"""`daas-hub doctor`: tests every service that a configuration refers to, and says how to fix what fails.

It changes nothing: no account, no proposal and no file. Where a directory must be writable, it creates an empty file
and removes it again.
"""

from daas_hub.commands.doctor.report import as_json, as_plugin_output, as_text
from daas_hub.commands.doctor.run import Login, SignIn, examine

__all__ = ["Login", "SignIn", "as_json", "as_plugin_output", "as_text", "examine"]
