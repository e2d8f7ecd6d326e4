"""What a link from outside may say, what it may mean, and where our own links outwards lead (DI16, D1, E1, A1).

How one is followed in a whole portal, also through a login, is in tests/hub/test_deep_links.py.
"""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daas_hub.errors import BadRequest, ConfigurationError
from daas_hub.launch import Link, address_of, meanings, proposals_named_in, require_template
from daas_hub.proposals import Proposal, Visit

MX = Proposal("mx12345", "Lysozyme", visits=(Visit(7, name="mx12345-7"), Visit(8, name="mx12345-8")))
GLASS = Proposal("MA-4242", "Roman glass", visits=(Visit(1), Visit(2)))
ICAT = Proposal("LS-1007", "Foils", visits=(Visit(101, name="1"), Visit(102, name="1.1-P"), Visit(1, name="2")))
TWIN = Proposal("sw9", "Twin", visits=(Visit(1, name="MX12345-8"),))
ALL = (MX, GLASS, ICAT, TWIN)


@pytest.mark.parametrize(
    ("query", "link"),
    [
        pytest.param("visit=mx12345-7", Link("", "mx12345-7"), id="SynchWeb"),
        pytest.param("proposal=MA-4242&visit=2", Link("MA-4242", "2"), id="proposal and visit"),
        pytest.param("proposal=MA-4242&session=S0011", Link("MA-4242", "S0011"), id="session is another word"),
        pytest.param("proposal=MA-4242", Link("MA-4242"), id="a proposal alone"),
        pytest.param("visit=mx12345-7&app=pymca", Link("", "mx12345-7", "pymca"), id="an application"),
        pytest.param("proposal=MA-4242&visit=&app=", Link("MA-4242"), id="empty is not said"),
        pytest.param("proposal=MA-4242&utm_source=x&next=//evil.example", Link("MA-4242"), id="others are ignored"),
    ],
)
def test_links_that_are_understood(query: str, link: Link) -> None:
    assert Link.from_query(parse_qs(query, keep_blank_values=True)) == link


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("", id="nothing"),
        pytest.param("app=pymca", id="neither proposal nor visit"),
        pytest.param("visit=1&visit=2", id="twice"),
        pytest.param("proposal=MA-4242&proposal=LS-1007", id="two proposals"),
        pytest.param("visit=1&session=1", id="both words"),
        pytest.param("visit=//evil.example", id="E1 another host"),
        pytest.param("visit=https://evil.example/", id="E1 an address"),
        pytest.param("proposal=javascript:alert(1)", id="C6 a script"),
        pytest.param("visit=%0d%0aLocation:%20https://evil.example", id="C5 a second header"),
        pytest.param("proposal=MA-4242%00", id="a null"),
        pytest.param("proposal=..", id="A1 upwards"),
        pytest.param("proposal=../../etc/passwd", id="A1 a path"),
        pytest.param("visit=..%2f..", id="A1 a path in a visit"),
        pytest.param("proposal=%EF%BC%ADA-4242", id="a letter that looks like M"),
        pytest.param("visit=%D0%BCx12345-7", id="a Cyrillic letter"),
        pytest.param("visit=mx12345-%D9%A7", id="an Arabic seven"),
        pytest.param("visit=" + "x" * 65, id="long"),
        pytest.param("proposal=" + "x" * 9000, id="very long"),
        pytest.param("visit=mx12345-7&app=../x", id="no application"),
        pytest.param("visit=mx12345-7&app=PyMCA", id="capitals in an application"),
        pytest.param("visit=mx12345-7&app=" + "a" * 33, id="a long application"),
        pytest.param("visit=mx12345-7%0a", id="a line end at the end"),
        pytest.param("visit=<script>", id="C6 a tag"),
    ],
)
def test_links_that_are_refused(query: str) -> None:
    with pytest.raises(BadRequest) as told:
        Link.from_query(parse_qs(query, keep_blank_values=True))
    assert told.value.remedy
    assert not {"evil", "script", "etc", "alert"} & set(str(told.value).lower().split()), (
        "a stranger's text is not told"
    )


@pytest.mark.parametrize(
    ("link", "meant"),
    [
        pytest.param(Link("", "mx12345-7"), [("mx12345", 7)], id="a visit's name"),
        pytest.param(Link("", "MX12345-7"), [("mx12345", 7)], id="in capitals"),
        pytest.param(Link("", "mx12345-8"), [("mx12345", 8)], id="exactly so, though another differs by capitals"),
        pytest.param(Link("", "Mx12345-8"), [("mx12345", 8), ("sw9", 1)], id="two that differ by capitals: a choice"),
        pytest.param(Link("", "ma-4242-2"), [("MA-4242", 2)], id="proposal and number, where visits have no names"),
        pytest.param(Link("", "mx12345-9"), [], id="no such visit"),
        pytest.param(Link("", "mx12345"), [], id="a proposal is no visit"),
        pytest.param(Link("", "x12345-7"), [], id="A11 the end of a name"),
        pytest.param(Link("", "1"), [], id="a number alone names no visit"),
        pytest.param(Link("MA-4242"), [("MA-4242", None)], id="a proposal"),
        pytest.param(Link("ma-4242"), [("MA-4242", None)], id="a proposal in small letters"),
        pytest.param(Link("MA-4242", "2"), [("MA-4242", 2)], id="a number"),
        pytest.param(Link("MA-4242", "3"), [], id="no such number"),
        pytest.param(Link("LS-1007", "2"), [("LS-1007", 1)], id="what it is called comes before its number"),
        pytest.param(Link("LS-1007", "101"), [("LS-1007", 101)], id="a number where no name is so"),
        pytest.param(Link("LS-1007", "1.1-p"), [("LS-1007", 102)], id="a name"),
        pytest.param(Link("LS-1007", "1"), [("LS-1007", 101)], id="a name that is another's number"),
        pytest.param(Link("XX-9", "1"), [], id="somebody else's"),
    ],
)
def test_what_a_link_means(link: Link, meant: list[tuple[str, int | None]]) -> None:
    found = [(proposal.id, visit.number if visit else None) for proposal, visit in meanings(ALL, link)]
    assert found == meant


@pytest.mark.parametrize(
    ("visit", "ids"),
    [("mx12345-7", ("mx12345",)), ("MA-4242-2", ("MA-4242",)), ("S0011", ()), ("-7", ()), ("../x-7", ()), ("", ())],
)
def test_of_which_proposal_a_visit_is(visit: str, ids: tuple[str, ...]) -> None:
    assert proposals_named_in(visit) == ids


def test_where_links_outwards_lead() -> None:
    template = "https://synchweb.facility.org/dc/visit/{visit}?p={proposal}&n={number}"
    require_template("Facility.visit_url", template)
    visit = MX.visits[0]
    assert address_of(template, MX, visit) == "https://synchweb.facility.org/dc/visit/mx12345-7?p=mx12345&n=7"
    assert address_of("", MX, visit) == ""
    assert address_of("https://x.org/{visit}", GLASS, GLASS.visits[1]) == "https://x.org/2"


@settings(max_examples=200)
@given(st.text(min_size=1, max_size=20))
def test_a_visits_name_never_leads_elsewhere(name: str) -> None:
    """E1, C6: a catalogue's text is one component, whatever it is."""
    parts = urlsplit(address_of("https://x.org/dc/visit/{visit}", MX, Visit(1, name=name)))
    assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("https", "x.org", "", "")
    assert parts.path.count("/") == 3
    assert parts.path.rpartition("/")[2] not in ("", ".", "..")


@pytest.mark.parametrize(
    "template",
    [
        *("http://x.org/{visit}", "//x.org/{visit}", "javascript:alert({visit})", "/dc/{visit}", "https:///{visit}"),
        *(
            "https://{visit}/",
            "https://{proposal}.x.org/{visit}",
            "https://u:p@x.org/{visit}",
            "https://x.org/a b{visit}",
        ),
        *(
            "https://x.org/",
            "https://x.org/{session}",
            "https://x.org/{visit",
            "https://x.org/{}",
            "https://x.org\\{visit}",
        ),
        *("https://x.org:99999/{visit}", "https://x.org/\r\n{visit}", "data:text/html,{visit}"),
    ],
)
def test_templates_that_are_refused(template: str) -> None:
    with pytest.raises(ConfigurationError) as told:
        require_template("Facility.visit_url", template)
    assert told.value.remedy
