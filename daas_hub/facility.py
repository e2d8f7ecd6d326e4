"""The composition root: one object that represents the facility, created from the configuration.

Authenticators, spawners and the portal ask it for the account of an identity, for the proposals of an account, and
whether a launch is allowed. It composes; decisions are made in `launch/` and `accounts/rules.py`.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from traitlets.config import Config, SingletonConfigurable

from daas_hub.accounts import (
    Account,
    AccountSource,
    Identity,
    LimitedToIssuers,
    NamedAccounts,
    RestrictsOwnResources,
    claims_read_by,
)
from daas_hub.accounts.hub_user import identity_of_user
from daas_hub.accounts.roles import OWN_RESOURCES
from daas_hub.accounts.rules import account_rules
from daas_hub.accounts.sources.linked import LinkedSource
from daas_hub.catalogue import Catalogue, Kind, read_catalogue
from daas_hub.errors import AccountRefused, ConfigurationError, DaasError, DocumentError, ErrorKind, NoAccount, Refused
from daas_hub.launch import (
    Choice,
    Launch,
    LaunchRequest,
    Link,
    Option,
    Plan,
    RunAs,
    account_name_for,
    beamtimes_of,
    groups_for_quotas,
    make_plan,
    meanings,
    options,
    placed,
    proposals_named_in,
    require_choice,
    require_named,
    require_place,
    require_template,
)
from daas_hub.mail import Mail
from daas_hub.policy.end_dates import EndDates
from daas_hub.policy.facility_settings import FacilitySettings
from daas_hub.policy.lifetime_settings import Lifetimes
from daas_hub.policy.mount_settings import MountRules
from daas_hub.policy.place_settings import Places
from daas_hub.policy.proposal_accounts import ProposalAccounts
from daas_hub.policy.role_rules import RoleRules
from daas_hub.policy.time_zone import machine_zone, read_zone
from daas_hub.proposals import (
    CachedProposals,
    LeftOut,
    Page,
    Proposal,
    ProposalsAnswer,
    ProposalSource,
    Query,
    SourceAnswer,
    Visit,
)
from daas_hub.services.web_proxy import LOOPBACK
from daas_hub.sources import named_sources, one_of_accounts, one_of_proposals

_log = logging.getLogger("jupyterhub.daas")


class Facility(FacilitySettings, SingletonConfigurable):
    """This facility: its name, its accounts, its proposals, its applications."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        require_template("Facility.visit_url", self.visit_url)
        self.account_rules = account_rules(self.min_id, self.max_id, self.account_name_pattern)
        rules = MountRules(parent=self)
        self.zone = read_zone("Facility.timezone", self.timezone) if self.timezone else rules.zone() or machine_zone()
        self.policy = rules.policy(self.state, self.zone)
        self.roles = RoleRules(parent=self).roles()
        self.mail = Mail(parent=self)
        self.end_rules = EndDates(parent=self).rules(self.zone)
        self.lifetimes = Lifetimes(parent=self)
        #: what a login needs for an elevated role; the authenticator, who knows the login, withholds it
        self.elevation = RoleRules(parent=self).elevation()
        #: what each source is called in the configuration, and the source itself: the doctor asks each by itself
        self.account_sources: dict[str, AccountSource] = named_sources("accounts", self)
        self._own_resources_restricted = RoleRules(parent=self).restricts_own_resources or any(
            isinstance(one, RestrictsOwnResources) and one.restricts_own_resources
            for one in self.account_sources.values()
        )
        self._accounts = one_of_accounts(self.account_sources, merge_groups=self.merge_groups)
        self.run_as = self._run_as_rules()
        self.proposal_sources: dict[str, ProposalSource] = named_sources("proposals", self)
        self._proposals = CachedProposals(
            one_of_proposals(self.proposal_sources), cache_s=self.cache_s, stale_cache_s=self.stale_cache_s
        )
        #: the backends of this portal, where it has several
        self.places = Places(parent=self).rules()
        self.applications, self.problems = self._read_catalogue()

    @classmethod
    def of(cls, config: Config) -> Facility:
        """Return the one facility of this process, built from `config` at the first call.

        Raises:
            ConfigurationError, DocumentError: the configuration cannot work.
        """
        if not cls.initialized():
            cls.instance(config=config)
        return cls.instance()

    @property
    def claims(self) -> frozenset[str]:
        """The claims of a login that this configuration reads; an authenticator keeps these, and no others."""
        of_roles = {name for wanted in self.roles.claims.values() for name in wanted}
        return claims_read_by(self._accounts) | of_roles | self.end_rules.claims | self.mail.claims

    @property
    def links(self) -> LinkedSource | None:
        """The source of accounts that people connected their logins with, if the configuration has it."""
        return next((one for one in self.account_sources.values() if isinstance(one, LinkedSource)), None)

    async def identity_of_user(self, user: Any) -> Identity | None:
        """Return the identity of a hub user: what `identity_of` returns, or what UmbrellaAuthenticator keeps.

        Raises:
            ConfigurationError: `identity_of` failed, or returned something else than an identity or None.
        """
        return await identity_of_user(user, self.identity_of)

    async def account_of(self, identity: Identity) -> Account:
        """Return the account a session of this identity would run as, asked for now.

        Raises:
            NoAccount: there is none, or it may not run sessions.
            SourceUnavailable: the source did not answer.
        """
        account = self.account_rules.require_allowed(await self._accounts.account_of(identity))
        roles = account.roles | self.roles.roles_of(account, identity)
        return self.end_rules.require_current(replace(account, login=identity, roles=roles), identity)

    def may_have_own_resources(self, account: Account) -> bool:
        """Return whether this account may launch applications without a proposal."""
        return not self._own_resources_restricted or OWN_RESOURCES in account.roles

    def issuers_by_source(self) -> dict[str, frozenset[str] | None]:
        """Return the issuers each source of accounts is asked about; None for one that is asked about all."""
        return {
            name: (one.issuers or None) if isinstance(one, LimitedToIssuers) else None
            for name, one in self.account_sources.items()
        }

    async def proposals_of(self, account: Account, *, fresh: bool = False) -> ProposalsAnswer:
        """Return this account's proposals; `fresh` asks the provider itself.

        Raises:
            SourceUnavailable: the provider did not answer, and nothing is remembered that may be shown.
        """
        return await self._proposals.proposals_of(account, fresh=fresh)

    async def page_of(self, account: Account, query: Query) -> SourceAnswer[Page]:
        """Return one page of this account's proposals, however many there are.

        Raises:
            SourceUnavailable: as `proposals_of`; also if they are too many for what was asked.
        """
        return await self._proposals.page_of(account, query)

    def left_out_of(self, account: Account) -> tuple[LeftOut, ...]:
        """Return which of this account's records could not be used when its proposals were read last."""
        return self._proposals.left_out_of(account)

    async def proposal_of(
        self, account: Account, proposal_id: str, *, fresh: bool = False
    ) -> SourceAnswer[Proposal | None]:
        """Return one proposal of this account by its exact id; None if it is not theirs, or not there at all.

        Raises:
            SourceUnavailable: as `proposals_of`.
        """
        return await self._proposals.proposal_of(account, proposal_id, fresh=fresh)

    async def visits_meant(self, account: Account, link: Link) -> tuple[tuple[Proposal, Visit | None], ...]:
        """Return what a link from outside may mean among this account's proposals, asked for now.

        Raises:
            SourceUnavailable: the provider did not answer.
        """
        if link.proposal:
            return meanings((await self._proposals.proposals_called(account, link.proposal, fresh=True)).value, link)
        proposals = await self._proposals.proposals_unless_many(account)
        if proposals is not None:
            return meanings(proposals, link)
        # of many only one can be asked for: the one whose id begins the visit's name
        found = [
            one
            for name in proposals_named_in(link.visit)
            for one in (await self._proposals.proposals_called(account, name, fresh=True)).value
        ]
        return meanings(found, link)

    async def authorise(
        self, identity: Identity, request: LaunchRequest, *, withheld: frozenset[str] = frozenset()
    ) -> Plan:
        """Turn a request into a plan, if this identity may launch it now. Called for every start, also a repeated one.

        Args:
            withheld: roles of the account that this login does not have.

        Raises:
            Refused, SourceUnavailable: with the sentence for the user.
        """
        person = await self.account_of(identity)
        asked = [self.proposal_of(person, one, fresh=True) for one in request.proposals]
        proposals = [answer.value for answer in await asyncio.gather(*asked) if answer.value is not None]
        try:
            may = self.may_have_own_resources(person)
            choice = require_choice(self.applications, proposals, request, own_resources=may)
            desktops = tuple(one for one in self.applications.applications.values() if one.kind is Kind.DESKTOP)
            account = await self._account_for(choice, person)
            # a session runs as the account, and has nothing to do with anybody's login
            plan = make_plan(choice, replace(account, login=None), self.policy, desktops)
            plan = replace(
                plan,
                person_groups=groups_for_quotas(person.roles - withheld, person.memberships),
                beamtimes=beamtimes_of(choice, self.zone),
            )
            if self.places:
                launch = self._launch_of(choice, request, plan, person, withheld)
                plan = placed(plan, require_place(self.places, launch, request.place), launch)
            elif request.place is not None:
                raise Refused(f"There is no place {request.place} that you may use.", remedy="Launch without a place.")
            roles = person.roles - withheld
            plan = replace(plan, limits=self.lifetimes.limits_of(plan.application.name, plan.size, roles))
        except Refused as refusal:
            _log.warning("refused account=%s request=%s: %s", person.name, request.as_json(), refusal)
            raise
        _log.info(
            "authorised account=%s uid=%d person=%s request=%s",
            account.name,
            account.uid,
            person.name,
            request.as_json(),
        )
        return plan

    async def place_options(
        self, person: Account, request: LaunchRequest, *, withheld: frozenset[str] = frozenset()
    ) -> tuple[Option, ...]:
        """Return the places that this person may choose for a launch; () where nothing is to be chosen.

        A page shows them before the launch, from cached proposals; `authorise` decides.

        Raises:
            DaasError: the launch is not possible anywhere.
        """
        if not self.places:
            return ()
        asked = [self.proposal_of(person, one) for one in request.proposals]
        proposals = [answer.value for answer in await asyncio.gather(*asked) if answer.value is not None]
        may = self.may_have_own_resources(person)
        choice = require_choice(self.applications, proposals, request, own_resources=may)
        plan = make_plan(choice, await self._account_for(choice, person), self.policy, ())
        return options(self.places, self._launch_of(choice, request, plan, person, withheld))

    def _launch_of(
        self, choice: Choice, request: LaunchRequest, plan: Plan, person: Account, withheld: frozenset[str]
    ) -> Launch:
        """Return what a place is asked about."""
        return Launch(
            person=replace(person, roles=person.roles - withheld),
            application=choice.application,
            sizes=self.applications.sizes_of(choice.application),
            mounts=plan.mounts,
            size=request.size,
            proposals=tuple(proposal for proposal, _ in choice.visits),
        )

    async def _account_for(self, choice: Choice, person: Account) -> Account:
        """Return the account an allowed choice runs under: the person's, or the proposal's, asked for now."""
        name = account_name_for(choice, self.run_as)
        if name is None:
            return person
        assert isinstance(self._accounts, NamedAccounts)
        try:
            account = await self._accounts.account_named(name)
        except AccountRefused:
            raise
        except NoAccount:
            raise Refused(
                f"The facility has no account {name} to run this session under.",
                remedy="Please tell the user office.",
                kind=ErrorKind.NO_PROPOSAL_ACCOUNT,
            ) from None
        return self.end_rules.require_current(self.account_rules.require_allowed(require_named(account, name)))

    def require_safe_address(self, bind_url: str) -> None:
        """Check where the portal will listen.

        Raises:
            ConfigurationError: the demo would be reachable from outside this machine.
        """
        if self.demo and urlsplit(bind_url).hostname not in LOOPBACK:
            raise ConfigurationError(
                "JupyterHub.bind_url",
                bind_url,
                "the demo's people have no passwords, so it listens on 127.0.0.1 only",
                remedy="Remove demo(c) from the configuration before you open the portal to a network.",
            )

    def _run_as_rules(self) -> RunAs:
        settings = ProposalAccounts(parent=self)
        rules = settings.rules()
        if (rules.template or rules.names) and not isinstance(self._accounts, NamedAccounts):
            raise settings.wrong(
                "template" if rules.template else "names",
                f"needs a source that knows accounts by name, and {self.accounts!r} does not",
                'Use "ldap", "nss", "table", or "rest" with an account_url.',
            )
        return rules

    def _read_catalogue(self) -> tuple[Catalogue, list[DocumentError]]:
        catalogue, problems = read_catalogue(*(Path(folder) for folder in self.catalogue))
        for problem in problems:
            _log.error("application left out: %s", problem)
        if not catalogue.applications:
            _log.error("Facility.catalogue: no application can be launched; the folders are %s", self.catalogue)
        return catalogue, problems


__all__ = ["DaasError", "Facility"]
