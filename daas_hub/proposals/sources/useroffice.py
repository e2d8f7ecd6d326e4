"""Proposals from a User Office (UserOfficeCore: ESS, STFC and others), asked of its GraphQL interface.

The office knows people by the subject of their login (`oidcSub`), so that is what is asked for, of one provider only:
the same subject at another provider is another person. Whose proposals came is compared with whose were asked for.
"""

from __future__ import annotations

from typing import Any

from traitlets import Unicode
from traitlets.config import Configurable

from daas_hub.accounts import Account
from daas_hub.errors import ConfigurationError, ErrorKind
from daas_hub.proposals.http_source import ProposalService
from daas_hub.services.http import Conversation
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


class UserOfficeProposals(ProposalService):
    """Proposals from a User Office's GraphQL interface: `Facility.proposals = "useroffice"`."""

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
        Address of the GraphQL interface. Example: "https://useroffice.facility.org/graphql". No default.
        """,
    )
    token_file = Unicode(
        config=True,
        help="""
        File with an API access token of the user office, readable by the hub's user alone; it is read at every
        question. Example: "/etc/daas/secrets/useroffice". No default.
        """,
    )
    issuer = Unicode(
        config=True,
        help="""
        The OpenID provider whose subjects the user office knows, exactly as in `UmbrellaAuthenticator.oidc_issuer`. Who
        logs in elsewhere has no proposals. Example: "https://keycloak.facility.org/realms/users". No default.
        """,
    )
    query = Unicode(
        QUERY,
        config=True,
        help="""
        The question, if your version of the user office has other fields: it must use $user, and name the answer
        `person`, with `oidcSub` and `proposals` in it. Default: the code's.
        """,
    )

    def __init__(self, facility: Configurable | None = None, **kwargs: Any) -> None:
        super().__init__(facility, **kwargs)
        read_secret(self.setting("token_file"), self.token_file)
        if not self.issuer:
            raise ConfigurationError(self.setting("issuer"), "", "is not set", remedy="Give your provider's issuer.")
        missing = [word for word in ("$user", "person", "oidcSub", "proposals") if word not in self.query]
        if missing:
            raise ConfigurationError(
                self.setting("query"), self.query, f"lacks {missing[0]}", remedy="Leave it out to use the usual one."
            )

    async def records_of(self, talk: Conversation, account: Account, most: int) -> list[Any]:
        """Ask for the proposals of the person whose login this is; whom the office does not know has none."""
        login = account.login
        if login is None or login.issuer != self.issuer:
            return []
        reply = await talk.post(
            self.service.url,
            "the proposals of a person",
            document={"query": self.query, "variables": {"user": login.subject}},
            headers={"Authorization": f"Bearer {await self.secret('token_file')}"},
        )
        if (code := _error(reply.document)) is not None:
            talk.give_up(f"the error {code} (status {reply.status})", ErrorKind.REQUEST_REJECTED)
        data = talk.require(reply, dict).get("data")
        if not isinstance(data, dict) or "person" not in data:
            talk.give_up("an object without a person")
        person = data["person"]
        if person is None:
            return []
        if not isinstance(person, dict) or person.get("oidcSub") != login.subject:
            talk.give_up("another person")
        proposals = person.get("proposals")
        if not isinstance(proposals, list):
            talk.give_up("a person without a list of proposals")
        self.require_room(proposals, most)
        return proposals


def _error(document: Any) -> str | None:
    """Return the code of the first error of a GraphQL response, or None. Its message may repeat the request."""
    errors = document.get("errors") if isinstance(document, dict) else None
    if not errors:
        return None
    first = errors[0] if isinstance(errors, list) else None
    extensions = first.get("extensions") if isinstance(first, dict) else None
    code = extensions.get("code") if isinstance(extensions, dict) else None
    return code[:40] if isinstance(code, str) and code.isprintable() else "without a code"
