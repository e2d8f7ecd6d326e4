"""What an administrator does about each kind of error. Pure.

The wording of an error says what happened; its kind (`daas_hub.errors.ErrorKind`) alone chooses the remedy.
tests/commands/doctor/test_remedies.py checks that every kind is either here or in `EXPLAINED_BY_ERROR`.
"""

from __future__ import annotations

from daas_hub.errors import ErrorKind

REMEDIES: dict[ErrorKind, str] = {
    # -- a file of the portal
    ErrorKind.DOCUMENT: "Mend the file at that line.",
    ErrorKind.FILE_PERMISSIONS: "Make the file the hub's alone: chmod 600.",
    ErrorKind.SECRET_UNREADABLE: "Put the secret, and nothing else, into the file that is named.",
    ErrorKind.LINK_STORE_DAMAGED:
        "The file of connected logins is damaged, or of a newer release: put a backup in its place, or that release.",
    # -- a service that cannot be reached
    ErrorKind.DNS: "The host name does not resolve. Is the address right, and does this machine use the right DNS?",
    ErrorKind.NO_CONNECTION: "Is the address right, does the service run, and may this machine reach it (firewall)?",
    ErrorKind.CIRCUIT_OPEN:
        "It failed several times in a row, and is left alone for some seconds. Is the address right, does the service "
        "run, and may this machine reach it (firewall)?",
    ErrorKind.WEB_PROXY:
        "Correct the web proxy in the hub's environment (HTTPS_PROXY, HTTP_PROXY), or add the host to NO_PROXY.",
    ErrorKind.TLS_CERTIFICATE:
        "Set ca_file of this source to the authority that signed the server's certificate, or mend that certificate: "
        "its name, its dates.",
    ErrorKind.TIMEOUT: "The service is slow or hangs. Ask its administrators, or raise timeout_s of this source.",
    # -- a service that answers with something else
    ErrorKind.REDIRECT:
        "The service sends the portal elsewhere, to a page to sign in perhaps. Name the address of its API.",
    ErrorKind.REDIRECT_SAME_HOST:
        "Write the address exactly as the service does: a slash at its end more or less.",
    ErrorKind.HTML: "This is the address of a page. Name the address of the service's API.",
    ErrorKind.NOT_FOUND: "There is no such address at the service. Correct the url.",
    ErrorKind.REQUEST_REJECTED:
        "The service does not understand the question. Compare its version with the source's how-to page.",
    ErrorKind.SERVER_ERROR: "The service itself fails. Its administrators find the reason in its log.",
    ErrorKind.INVALID_RESPONSE:
        "This is not what the service's interface says. Compare url and version with the source's how-to page.",
    ErrorKind.RESPONSE_TOO_LARGE: "Raise max_bytes of this source, or find out why it says so much.",
    ErrorKind.TOO_MANY_RECORDS: "Raise max_records of this source, or find out why it says so much.",
    ErrorKind.INCOMPLETE_RESULT:
        "The directory cuts its answers short, or refers to another server. Raise its size limit, or ask that server; "
        "for groups see LdapAccounts.max_groups.",
    # -- a service that does not accept the portal, or the person
    ErrorKind.CREDENTIALS_REFUSED:
        "Correct the name and the secret the portal has for this service (user, password_file or token_file, plugin).",
    ErrorKind.NO_ACCESS_TOKEN:
        "This source is asked in the person's name: give --token-file with an access token of theirs.",
    ErrorKind.BIND_REFUSED: "Correct bind_dn, or what stands in its password_file.",
    ErrorKind.NO_STARTTLS: "Use ldaps://, or switch StartTLS on in the directory.",
    ErrorKind.NO_SUCH_BASE: "Correct the base that is named here: the directory has no such branch.",
    ErrorKind.NO_PERMISSION: "Give the portal's bind_dn the right to read people and groups.",
    ErrorKind.INVALID_FILTER: "Correct the filter; it is an LDAP filter (RFC 4515) with fields in braces.",
    # -- an account
    ErrorKind.UNKNOWN_PERSON:
        "Is the subject right, and the issuer one this source is asked about (its setting issuers)? Otherwise link "
        "this login to an account where the source keeps them.",
    ErrorKind.MISSING_CLAIM:
        "The look-up reads a claim this login does not have: give it with --claim NAME=VALUE, or have the provider "
        "send it.",
    ErrorKind.STALE_CLAIMS: "Sign in again, or raise ClaimsAccounts.claims_max_age_s.",
    ErrorKind.ACCOUNT_UNUSABLE: "Mend the entry it names, or the setting that chooses the entry.",
    ErrorKind.AMBIGUOUS_ACCOUNT: "Mend the entry it names, or the setting that chooses the entry.",
    ErrorKind.DISAGREEMENT:
        "Correct one of the sources. If only their groups differ and both are right: Facility.merge_groups.",
    ErrorKind.ID_OUT_OF_RANGE: "Is this account a person's? Otherwise set Facility.min_id and max_id.",
    # -- a plan
    ErrorKind.OUTSIDE_DATA_ROOTS:
        "The source names a directory that is not below MountRules.data_roots: add a root, or correct what the source "
        "says (`visit.data` in its `fields`).",
    ErrorKind.NO_DATA_DIRECTORY:
        "Set MountRules.data, or have the source name directories (`visit.data` in `fields`).",
    ErrorKind.UNSAFE_PATH_VALUE:
        "A value of this visit has characters no directory is named with. Use another field in MountRules, or a "
        "filter: {beamline|nodash}.",
    ErrorKind.MISSING_DATE: "Map `visit.start` in the source's `fields`, or take {start} out of MountRules.",
    ErrorKind.MISSING_VALUE: "Map that field in the source's `fields`, or take it out of MountRules.",
    ErrorKind.NOT_IN_GROUP: "Add the person to the proposal's group, or have the account source read groups.",
    ErrorKind.AMBIGUOUS_PATTERN:
        "Put another separator between * and the field in MountRules, or name the directory.",
    ErrorKind.AMBIGUOUS_VISIT: "Add {proposal} to the templates of MountRules.",
    ErrorKind.SEVERAL_DIRECTORIES: "Name one directory a visit, or take {path} out of MountRules.",
    ErrorKind.INVALID_PROPOSAL_ID: "Correct MountRules.proposal_pattern, or the source's `id`.",
    ErrorKind.NO_PROPOSAL_ACCOUNT: "Create the proposal's account, or correct ProposalAccounts.template.",
    # -- storage
    ErrorKind.DIRECTORY_MISSING:
        "Is it mounted here, and is its template in MountRules right? See the path that was tried.",
    ErrorKind.NO_SHARED_GROUP: "Give the proposal a group (`group` in the source's `fields`), or make it yourself.",
    ErrorKind.DIRECTORY_UNREADABLE: "The hub's user must be able to enter every directory on the way.",
    ErrorKind.SYMLINK: "Name the real directory in MountRules, below a root of its own.",
    ErrorKind.SEVERAL_MATCHES: "Make the template in MountRules exact enough for one directory.",
    ErrorKind.TOO_MANY_NAMES: "Look in a smaller directory: put more of the path before the *.",
    ErrorKind.STORAGE_TIMEOUT: "The file server hangs, or its automounter waits for it.",
    ErrorKind.NO_DATA_YET: "None of its directories is there. Are the templates of MountRules.data right?",
    ErrorKind.NOT_A_DIRECTORY:
        "Something else has that name. If it is a symbolic link: name the real directory in MountRules, below a root "
        "of its own.",
}  # fmt: skip

#: Kinds whose errors say themselves what to do.
EXPLAINED_BY_ERROR = frozenset(
    {
        ErrorKind.OTHER,
        ErrorKind.CONFIGURATION,
        ErrorKind.REFUSED,
        ErrorKind.SESSION,
        ErrorKind.STORAGE,
        ErrorKind.UNAVAILABLE,
        # the checks of a provider (`daas_hub.authenticators.doctor`) name the setting
        ErrorKind.ISSUER_MISMATCH,
        ErrorKind.INSECURE_ENDPOINT,
    }
)

_ELSE = "The hub's log has the same words at the time of a launch; the source's how-to page says what it expects."


def remedy_for(kind: ErrorKind | None, own: str = "") -> str:
    """Return what to do about an error of this kind.

    Args:
        own: what the error says itself, for a kind without a remedy here.
    """
    return (REMEDIES.get(kind) if kind is not None else None) or own or _ELSE
