"""The settings of the facility. An administrator sets them as `c.Facility`, which is a subclass."""

from __future__ import annotations

from traitlets import Bool, Callable, Dict, Float, Int, List, Unicode, Union, default
from traitlets.config import Configurable

from daas_hub.accounts.rules import NAME_PATTERN


class FacilitySettings(Configurable):
    """The settings of the facility; see `Facility`."""

    name = Unicode("This facility", config=True, help='Name of the facility, shown on every page. Example: "ALBA".')
    logo = Unicode("", config=True, help="Path of an SVG or PNG file, shown on every page. Default: our own.")
    help_text = Unicode("", config=True, help='Whom to ask for help, shown on every page. Example: "Call 1234".')
    user_office_url = Unicode(
        "", config=True, help="URL of the user office, shown to people who have no account yet. Default: none."
    )
    visit_url = Unicode(
        "",
        config=True,
        help="""
        URL of a visit's page in another application, SynchWeb for instance, linked from each visit. Fields: {proposal},
        {visit} (its name at the facility), {number}. Example: "https://synchweb.facility.org/dc/visit/{visit}".
        Default: none.
        """,
    )
    visit_url_title = Unicode("Open this visit in SynchWeb", config=True, help='Text of that link. Example: "Logbook".')
    state = Unicode(
        config=True,
        help="""
        Absolute path of the portal's own directory: homes and processed data, if the facility does not provide them.
        Every account must be able to enter it. Default: "/var/lib/daas-hub".
        """,
    )
    timezone = Unicode(
        "",
        config=True,
        help="""
        Time zone of the facility, by its IANA name: of dates on pages and in templates of directories, and of sessions.
        Times that a source states without a time zone are taken to be in it. Example: "Europe/Paris".
        Default: `MountRules.time_zone`, else the time zone of this machine.
        """,
    )
    accounts = Union(
        [Unicode(), List(Unicode())],
        default_value="table",
        config=True,
        help="""
        Sources of accounts: the name of an entry point in the group daas_hub.accounts, or a list of names. All sources
        that have an account for a login must agree on it; if one is unavailable, the login fails. Known: "table" (YAML
        file, `accounts_file`), "ldap" (LdapAccounts), "nss" (this machine's accounts, NssAccounts), "claims" (claims of
        the login, ClaimsAccounts), "rest" and "calipsoplus" (a user office, RestAccounts, CalipsoplusAccounts), "links"
        (in addition to another: logins that people connected themselves, LinkedAccounts). Example: ["ldap", "links"].
        Default: "table".
        """,
    )
    accounts_file = Unicode("", config=True, help='YAML file of accounts, for `accounts = "table"`.')
    merge_groups = Bool(
        False,
        config=True,
        help="""
        Give an account the groups of all sources in `accounts`. Otherwise sources with different groups disagree, and
        the login is refused. Default: False.
        """,
    )
    min_id = Int(1000, config=True, help="Lowest uid and gid of a session. 0 is always refused.")
    max_id = Int(60_000_000, config=True, help="Highest uid and gid of a session.")
    account_name_pattern = Unicode(
        NAME_PATTERN,
        config=True,
        help="""
        Regular expression that the whole name of an account must match. Never allowed, whatever it is: "/", ":",
        spaces, "..", a dot or hyphen at the beginning, digits only. Default: letters of both cases, digits, "_", ".",
        "-", up to 32. Example, for lower case only: "[a-z_][a-z0-9_-]{0,31}".
        """,
    )
    proposals = Union(
        [List(Unicode()), Unicode()],
        default_value="static",
        config=True,
        help="""
        Sources of proposals: the name of an entry point in the group daas_hub.proposals, or a list of names, whose
        proposals are joined. A proposal on which two sources disagree (group, directories) is skipped and logged.
        Known: "static" (a YAML file, `proposals_file`), "calipsoplus", "icat", "icatplus", "scicat", "ispyb",
        "useroffice", "groups". Example: ["icat", "static"].
        """,
    )
    proposals_file = Unicode("", config=True, help='YAML file of proposals, for `proposals = "static"`.')
    cache_s = Float(
        60.0,
        config=True,
        help="Seconds to cache proposals for pages. A launch always queries the source. Default: 60.",
    )
    stale_cache_s = Float(
        43_200.0,
        config=True,
        help="""
        Seconds to show cached proposals, marked with their age, while the source is down. Nothing can be launched from
        them. 0 disables this. Default: 43200 (12 hours).
        """,
    )
    catalogue = List(
        Unicode(),
        config=True,
        help="""
        Folders with one YAML file per application, and sizes.yaml. Example: ["/etc/daas-hub/applications"].
        Default: none; the portal then offers no applications.
        """,
    )
    sessions_per_person = Int(10, min=1, config=True, help="Maximum number of sessions per person. Default: 10.")
    demo = Bool(
        False,
        config=True,
        help="""
        Set by demo(c). The demo's people have no passwords, so the hub refuses to listen on any address other than
        localhost. Do not set it yourself.
        """,
    )
    environment = Dict(
        config=True,
        help='Environment variables of all sessions. Example: {"LANG": "C.UTF-8"}. Default: none.',
    )
    identity_of = Callable(
        None,
        allow_none=True,
        config=True,
        help="""
        Function that returns the identity of a hub user, for an authenticator other than UmbrellaAuthenticator. It is
        called as `identity_of(user, auth_state)` at every launch and may be async. `user` is the hub's user;
        `auth_state` needs `Authenticator.enable_auth_state`; otherwise None is passed. Returns a
        `daas_hub.accounts.Identity`, whose account is then looked up, or None to refuse. Example:
        `lambda user, auth_state: Identity("https://login.facility.org", user.name)`. Default: None, the identity that
        UmbrellaAuthenticator keeps; the hub refuses to start with any other authenticator.
        """,
    )

    @default("state")
    def _state_default(self) -> str:
        return "/var/lib/daas-hub"
