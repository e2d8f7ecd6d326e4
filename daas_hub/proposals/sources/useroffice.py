"""Proposals from a User Office (UserOfficeCore: ESS, STFC and others), by its GraphQL API.

The office identifies people by the subject of their login (`oidcSub`), which is asked for one issuer only: the same
subject of another issuer is another person. The person in the answer must be the one in the query.

To a token that was deleted, or that lacks the permission, the office says about everybody what it says about a person
it does not know: null, with status 200. So that answer is believed only if the same token finds somebody else.
"""

from __future__ import annotations

from typing import Any

from traitlets import Bool, Unicode
from traitlets.config import Configurable

from daas_hub.accounts import Account
from daas_hub.errors import ConfigurationError, ErrorKind
from daas_hub.proposals.http_source import ProposalService
from daas_hub.services.http import ServiceClient
from daas_hub.services.secret_file import read_secret

QUERY = """
query ProposalsOfAPerson($user: String!) {
  person: userByOIDCSub(oidcSub: $user) {
    oidcSub
    proposals {
      proposalId
      title
      abstract
      instruments { name }
      experiments { experimentPk experimentId startsAt endsAt instrument { name } }
    }
  }
}
"""


#: Proposals of an instrument, for its scientists. The permission is ProposalQueries.getAll.
OF_INSTRUMENTS = """
query InstrumentsOfAPerson($user: String!) {
  person: userByOIDCSub(oidcSub: $user) { oidcSub instruments { id } }
}
"""
OF_AN_INSTRUMENT = """
query ProposalsOfAnInstrument($instrument: Int!, $first: Int!, $offset: Int!) {
  found: proposals(filter: { instrumentId: $instrument }, first: $first, offset: $offset) {
    proposals {
      proposalId
      title
      abstract
      instruments { name }
      experiments { experimentPk experimentId startsAt endsAt instrument { name } }
    }
  }
}
"""
#: Proposals of an instrument per request.
PAGE = 100

#: The same question without what it is for: whether somebody is found at all.
KNOWN = "query KnownPerson($user: String!) { person: userByOIDCSub(oidcSub: $user) { oidcSub } }"


class UserOfficeProposals(ProposalService):
    """Proposals from a User Office's GraphQL API: `Facility.proposals = "useroffice"`."""

    source = "useroffice"
    called = "The user office"
    FIELDS = {
        "id": "proposalId",
        "title": "title",
        "abstract": "abstract",
        "beamlines": "instruments.name",
        "visits": "experiments",
        "visit.number": "experimentPk",
        "visit.name": "experimentId",
        "visit.beamline": "instrument.name",
        "visit.start": "startsAt",
        "visit.end": "endsAt",
    }

    url = Unicode(
        config=True,
        help="""
        URL of the GraphQL API. No default. Example: "https://useroffice.facility.org/graphql".
        """,
    )
    token_file = Unicode(
        config=True,
        help="""
        File with an API access token of the user office, readable by the hub's user only. It is read again for each
        query. No default. Example: "/etc/daas-hub/secrets/useroffice".
        """,
    )
    issuer = Unicode(
        config=True,
        help="""
        Issuer of the subjects that the user office knows, exactly as in `UmbrellaAuthenticator.oidc_issuer`. Logins of
        other issuers have no proposals. No default. Example: "https://keycloak.facility.org/realms/users".
        """,
    )
    known_subject = Unicode(
        config=True,
        help="""
        Subject of a login that the user office always knows, of a functional account for instance. An unknown person is
        believed to be unknown only if this one is found: to a deleted token, everybody is unknown. Default: the person
        found last; none after a start of the hub. Example: "f0a1c2d3-daas".
        """,
    )
    includes_instruments = Bool(
        False,
        config=True,
        help="""
        Whether instrument scientists see all proposals of their instruments. The token then also needs the permission
        ProposalQueries.getAll. Default: False.
        """,
    )
    query = Unicode(
        QUERY,
        config=True,
        help="""
        GraphQL query, for versions of the user office with other fields. It must use $user and return `person` with
        `oidcSub` and `proposals`. Default: the query in daas_hub/proposals/sources/useroffice.py.
        """,
    )

    def __init__(self, facility: Configurable | None = None, **kwargs: Any) -> None:
        super().__init__(facility, **kwargs)
        read_secret(self.setting("token_file"), self.token_file)
        if not self.issuer:
            raise ConfigurationError(
                self.setting("issuer"), "", "is not set", remedy="Set it to your provider's issuer."
            )
        missing = [word for word in ("$user", "person", "oidcSub", "proposals") if word not in self.query]
        if missing:
            raise ConfigurationError(
                self.setting("query"),
                self.query,
                f"does not contain {missing[0]}",
                remedy="Remove the setting to use the default query.",
            )
        self._found_last = ""

    async def records_of(self, client: ServiceClient, account: Account, limit: int) -> list[Any]:
        """Ask for the proposals of the person with this login; a person unknown to the office has none."""
        login = account.login
        if login is None or login.issuer != self.issuer:
            return []
        person = await self._person(client, self.query, login.subject, "the proposals of a person")
        if person is None:
            await self.verify_login(client)
            return []
        self._found_last = login.subject
        proposals = person.get("proposals")
        if not isinstance(proposals, list):
            client.fail("a person without a list of proposals")
        self.require_within(proposals, limit)
        if not self.includes_instruments:
            return proposals
        return await self._with_those_of_instruments(client, login.subject, proposals, limit)

    async def verify_login(self, client: ServiceClient) -> str:
        """Ask for a person whom the office knows."""
        known = self.known_subject or self._found_last
        if not known:
            self.problem_log.error(
                "it cannot be verified that the token is valid: to a deleted one, everybody is unknown. Set "
                f"{self.setting('known_subject')}."
            )
            return ""
        if await self._person(client, KNOWN, known, "a person who is known") is None:
            client.fail(
                "nobody: the token was deleted, or lacks the permission UserQueries.getByOidcSub",
                ErrorKind.CREDENTIALS_REFUSED,
            )
        return "it finds a person who is known"

    async def _with_those_of_instruments(
        self, client: ServiceClient, subject: str, proposals: list[Any], limit: int
    ) -> list[Any]:
        person = await self._person(client, OF_INSTRUMENTS, subject, "the instruments of a person") or {}
        ids = [one.get("id") for one in person.get("instruments") or [] if isinstance(one, dict)]
        found = list(proposals)
        for instrument in ids:
            offset = 0
            while True:
                variables = {"instrument": instrument, "first": PAGE, "offset": offset}
                data = await self._data(client, OF_AN_INSTRUMENT, variables, "the proposals of an instrument")
                answer = data.get("found")
                rows = answer.get("proposals") if isinstance(answer, dict) else None
                if not isinstance(rows, list):
                    client.fail(
                        "nothing: the token lacks the permission ProposalQueries.getAll", ErrorKind.CREDENTIALS_REFUSED
                    )
                known = {one.get("proposalId") for one in found if isinstance(one, dict)}
                found += [one for one in rows if not isinstance(one, dict) or one.get("proposalId") not in known]
                self.require_within(found, limit)
                if len(rows) < PAGE:
                    break
                offset += PAGE
        return found

    async def _person(self, client: ServiceClient, query: str, subject: str, asked_for: str) -> dict[str, Any] | None:
        """Return the person with this subject; None if the office says that there is none."""
        data = await self._data(client, query, {"user": subject}, asked_for)
        if "person" not in data:
            client.fail("an object without a person")
        person = data["person"]
        if person is not None and (not isinstance(person, dict) or person.get("oidcSub") != subject):
            client.fail("another person")
        return person

    async def _data(
        self, client: ServiceClient, query: str, variables: dict[str, Any], asked_for: str
    ) -> dict[str, Any]:
        reply = await client.post(
            self.service.url,
            asked_for,
            document={"query": query, "variables": variables},
            headers={"Authorization": f"Bearer {await self.secret('token_file')}"},
        )
        if (code := _error(reply.document)) is not None:
            client.fail(f"the error {code} (status {reply.status})", ErrorKind.REQUEST_REJECTED)
        data = client.require(reply, dict).get("data")
        if not isinstance(data, dict):
            client.fail("an object without a person")
        return data


def _error(document: Any) -> str | None:
    """Return the code of the first error of a GraphQL response, or None. Its message may repeat the request."""
    errors = document.get("errors") if isinstance(document, dict) else None
    if not errors:
        return None
    first = errors[0] if isinstance(errors, list) else None
    extensions = first.get("extensions") if isinstance(first, dict) else None
    code = extensions.get("code") if isinstance(extensions, dict) else None
    return code[:40] if isinstance(code, str) and code.isprintable() else "without a code"
