"""What an administrator does about each kind of error. Pure.

The wording of an error says what happened; its kind (`daas_hub.errors.ErrorKind`) alone chooses the remedy.
tests/commands/doctor/test_remedies.py checks that every kind is either here or in `EXPLAINED_BY_ERROR`.
"""

from __future__ import annotations

from daas_hub.errors import ErrorKind

REMEDIES: dict[ErrorKind, str] = {
    # -- a file of the portal
    ErrorKind.DOCUMENT: "Correct the file at that line.",
    ErrorKind.FILE_PERMISSIONS: "Only the hub's user may read this file: chmod 600.",
    ErrorKind.SECRET_UNREADABLE: "Put the secret, and nothing else, into the file named here.",
    ErrorKind.LINK_STORE_DAMAGED:
        "The file of connected logins is damaged or was written by a newer release: restore a backup, or install that "
        "release.",
    # -- a service that cannot be reached
    ErrorKind.DNS: "The host name does not resolve. Check the address, and the DNS servers of this machine.",
    ErrorKind.NO_CONNECTION: "Check the address, that the service runs, and that this machine may reach it (firewall).",
    ErrorKind.CIRCUIT_OPEN:
        "The service failed several times in a row and is not queried for some seconds. Check the address, that the "
        "service runs, and that this machine may reach it (firewall).",
    ErrorKind.WEB_PROXY:
        "Correct the web proxy in the hub's environment (HTTPS_PROXY, HTTP_PROXY), or add the host to NO_PROXY.",
    ErrorKind.TLS_CERTIFICATE:
        "Set ca_file of this source to the CA that signed the server's certificate, or have that certificate replaced "
        "(host name, validity).",
    ErrorKind.TIMEOUT: "The service is slow or hangs. Ask its administrators, or raise timeout_s of this source.",
    # -- a service that answers with something else
    ErrorKind.REDIRECT:
        "The service redirects to another host, possibly to a sign-in page. Use the URL of its API.",
    ErrorKind.REDIRECT_SAME_HOST:
        "Write the URL exactly as the service does, with or without a trailing slash.",
    ErrorKind.HTML: "This is the URL of a web page. Use the URL of the service's API.",
    ErrorKind.NOT_FOUND: "The service does not have this URL. Correct the url.",
    ErrorKind.REQUEST_REJECTED:
        "The service rejects the request. Compare its version with the how-to page of this source.",
    ErrorKind.SERVER_ERROR: "The service itself fails. Its own log has the reason.",
    ErrorKind.INVALID_RESPONSE:
        "The response does not match the service's interface. Compare url and version with the source's how-to page.",
    ErrorKind.RESPONSE_TOO_LARGE: "Raise max_bytes of this source, or find out why the response is so large.",
    ErrorKind.TOO_MANY_RECORDS: "Raise max_records of this source, or find out why it has more records than that.",
    ErrorKind.INCOMPLETE_RESULT:
        "The directory truncates results, or refers to another server. Raise its size limit, or query that server; for "
        "groups see LdapAccounts.max_groups.",
    # -- a service that does not accept the portal, or the person
    ErrorKind.CREDENTIALS_REFUSED:
        "Correct the portal's credentials for this service (user, password_file or token_file, plugin).",
    ErrorKind.NO_ACCESS_TOKEN:
        "This source is queried on behalf of the person: pass --token-file with an access token of theirs.",
    ErrorKind.BIND_REFUSED: "Correct bind_dn, or the password in password_file.",
    ErrorKind.NO_STARTTLS: "Use ldaps:// (of a mail server: security = \"tls\"), or enable StartTLS on the server.",
    ErrorKind.NO_SUCH_BASE: "Correct the search base named here: the directory has no such entry.",
    ErrorKind.NO_PERMISSION: "Allow bind_dn to read people and groups.",
    ErrorKind.INVALID_FILTER: "Correct the filter; it is an LDAP filter (RFC 4515) with fields in braces.",
    # -- an account
    ErrorKind.UNKNOWN_PERSON:
        "Check the subject, and that the issuer is in the `issuers` of this source. Otherwise link this login to an "
        "account in the source.",
    ErrorKind.MISSING_CLAIM:
        "The login does not have a claim that the look-up uses: pass it with --claim NAME=VALUE, or configure the "
        "provider to send it.",
    ErrorKind.STALE_CLAIMS: "Sign in again, or raise ClaimsAccounts.claims_max_age_s.",
    ErrorKind.ACCOUNT_UNUSABLE: "Correct the entry named here, or the setting that selects it.",
    ErrorKind.ACCOUNT_CLOSED:
        "Enable, extend or unlock the account in the directory; the hub's log names the attribute. To let such "
        "accounts in, see LdapAccounts.ignored_account_state.",
    ErrorKind.AMBIGUOUS_ACCOUNT: "Correct the entry named here, or the setting that selects it.",
    ErrorKind.DISAGREEMENT:
        "Correct one of the sources. If only their groups differ and both are right, set Facility.merge_groups.",
    ErrorKind.ID_OUT_OF_RANGE: "Check that this is a person's account. If it is, adjust Facility.min_id and max_id.",
    # -- a plan
    ErrorKind.OUTSIDE_DATA_ROOTS:
        "The source returns a directory that is not below MountRules.data_roots: add a root, or correct `visit.data` "
        "in its `fields`.",
    ErrorKind.NO_DATA_DIRECTORY:
        "Set MountRules.data, or map `visit.data` in the `fields` of the source.",
    ErrorKind.UNSAFE_PATH_VALUE:
        "A value of this visit has characters that no path may have. Use another field in MountRules, or a "
        "filter: {beamline|nodash}.",
    ErrorKind.MISSING_DATE: "Map `visit.start` in the source's `fields`, or remove {start} from MountRules.",
    ErrorKind.MISSING_VALUE: "Map that field in the source's `fields`, or remove it from MountRules.",
    ErrorKind.NOT_IN_GROUP: "Add the person to the proposal's group, or let the account source read groups.",
    ErrorKind.AMBIGUOUS_PATTERN:
        "Put another separator between * and the field in MountRules, or name the directory.",
    ErrorKind.AMBIGUOUS_VISIT: "Add {proposal} to the templates of MountRules.",
    ErrorKind.SEVERAL_DIRECTORIES: "Return one directory for each visit, or remove {path} from MountRules.",
    ErrorKind.INVALID_PROPOSAL_ID: "Correct MountRules.proposal_pattern, or the source's `id`.",
    ErrorKind.NO_PROPOSAL_ACCOUNT: "Create the proposal's account, or correct ProposalAccounts.template.",
    # -- storage
    ErrorKind.DIRECTORY_MISSING:
        "Check that it is mounted here, and its template in MountRules; the path tried is given.",
    ErrorKind.NO_SHARED_GROUP: "Map the proposal's group (`group` in the source's `fields`), or create it yourself.",
    ErrorKind.DIRECTORY_UNREADABLE:
        "The account must be able to enter every directory of the path (a hub that is not root: the hub's user). If it "
        "may, it lacks the proposal's group.",
    ErrorKind.NOT_CREATED:
        "Create it with the command given here, as root where root has its rights: usually on the file server.",
    ErrorKind.NO_ROOM: "The file system is full, or the account's quota used up. Free some space, or raise the quota.",
    ErrorKind.NO_KERBEROS:
        "Sessions have no Kerberos tickets. Export the storage to this machine with sec=sys: see storage-on-nfs.md.",
    ErrorKind.WORLD_WRITABLE: "Run `chmod o-w` on it, or give it to root if everybody is meant to write there.",
    ErrorKind.SYMLINK: "Use the real directory in MountRules, below a root of its own.",
    ErrorKind.SEVERAL_MATCHES: "Make the template in MountRules exact enough to match one directory.",
    ErrorKind.TOO_MANY_NAMES: "Narrow the search: put more of the path before the *.",
    ErrorKind.STORAGE_TIMEOUT: "The file server hangs, or the automounter waits for it.",
    ErrorKind.NO_DATA_YET: "None of its directories exists. Check the templates of MountRules.data.",
    ErrorKind.NOT_A_DIRECTORY:
        "It is not a directory. If it is a symbolic link, use the real directory in MountRules, below a root of its "
        "own.",
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

_ELSE = "See the hub's log, and the how-to page of this source."


def remedy_for(kind: ErrorKind | None, own: str = "") -> str:
    """Return what to do about an error of this kind.

    Args:
        own: what the error says itself, for a kind without a remedy here.
    """
    return (REMEDIES.get(kind) if kind is not None else None) or own or _ELSE
