"""From what a service said to what an administrator does about it: one table, in words. Pure.

The sources word what came instead of an answer once, for the log (`daas_hub.services.http`, `daas_hub.accounts`); here
each kind of it has its remedy. tests/commands/doctor/test_doctor.py has a broken site for every line.
"""

from __future__ import annotations

import re

#: (what stands in the words, what to do). The first that fits is taken: the exact ones come first.
_TABLE: tuple[tuple[str, str], ...] = (
    (r"certificate|CERTIFICATE|SSLError|SSLCertVerification",
     "Set ca_file of this source to the authority that signed the server's certificate, or mend that certificate: its "
     "name, its dates."),
    (r"StartTLS", "Use ldaps://, or switch StartTLS on in the directory."),
    (r"invalidCredentials|accept the bind", "Correct bind_dn, or what stands in its password_file."),
    (r"noSuchObject", "Correct the base that is named here: the directory has no such branch."),
    (r"insufficientAccessRights|unwillingToPerform|confidentialityRequired",
     "Give the portal's bind_dn the right to read people and groups."),
    (r"filter", "Correct the filter; it is an LDAP filter (RFC 4515) with fields in braces."),
    (r"status 40[13]|credentials",
     "Correct the name and the secret the portal has for this service (user, password_file or token_file, plugin)."),
    (r"redirect \(\d+\) to (?:another path|the same path)",
     "Write the address exactly as the service does: a slash at its end more or less."),
    (r"redirect", "The service sends the portal elsewhere, to a page to sign in perhaps. Name the address of its API."),
    (r"HTML|text/html", "This is the address of a page. Name the address of the service's API."),
    (r"status 404", "There is no such address at the service. Correct the url."),
    (r"status 4\d\d",
     "The service does not understand the question. Compare its version with the source's how-to page."),
    (r"status 5\d\d|\b50[0-9]\b", "The service itself fails. Its administrators find the reason in its log."),
    (r"more than \d+ (?:bytes|records)",
     "Raise max_bytes or max_records of this source, or find out why it says so much."),
    (r"no answer within", "The service is slow or hangs. Ask its administrators, or raise timeout_s of this source."),
    (r"no connection|Connection refused|ConnectionRefused|ServerDisconnected|LDAPSocket|timed out|no answer",
     "Is the address right, does the service run, and may this machine reach it (firewall)?"),
    (r"no JSON|nothing where|null|where (?:an object|a list) was expected|not (?:an object|a list)",
     "This is not what the service's interface says. Compare url and version with the source's how-to page."),
    (r"can be read by others|chmod", "Make the file the hub's alone: chmod 600."),
    (r"access token", "This source is asked in the person's name: give --token-file with an access token of theirs."),
    (r"cannot be read|no such file|does not hold|one line",
     "Put the secret, and nothing else, into the file that is named."),
    (r"is not a database|malformed|this release knows form",
     "The file of connected logins is damaged, or of a newer release: put a backup in its place, or that release."),
    (r"Line \d+|line \d+", "Mend the file at that line."),
)  # fmt: skip

_ELSE = "The hub's log has the same words at the time of a launch; the source's how-to page says what it expects."


def remedy_for(words: str) -> str:
    """Return what to do about these words of a source."""
    return next((remedy for pattern, remedy in _TABLE if re.search(pattern, words)), _ELSE)
