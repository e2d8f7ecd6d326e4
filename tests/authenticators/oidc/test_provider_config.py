"""The configuration of providers: profiles, several of them, and mistakes that are told in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from daas_hub.authenticators.oidc.profiles import PROFILES
from daas_hub.authenticators.oidc.provider_config import ONLY, read_provider, read_providers
from daas_hub.authenticators.oidc.subject import NEVER_SUBJECTS, subject_of, what_is_wrong_with
from daas_hub.errors import ConfigurationError, Refused
from tests.stand_ins.directory import make_certificates

ISSUER = "https://login.example.org"
WHERE = "UmbrellaAuthenticator.providers"


def one(**keys: Any) -> dict[str, Any]:
    return {"issuer": ISSUER, "client_id": "daas-hub", "client_secret": "hush"} | keys


# -- profiles ------------------------------------------------------------------------------------------------------


def test_only_public_issuers_are_shipped() -> None:
    """ES09, EL14: UmbrellaID's is not public; a guessed one would send logins to a stranger."""
    assert {name: profile.issuer for name, profile in PROFILES.items() if profile.issuer} == {
        "egi": "https://aai.egi.eu/auth/realms/egi",
        "eduteams": "https://proxy.eduteams.org",
    }
    with pytest.raises(ConfigurationError, match="issuer"):
        read_providers(WHERE, {"umbrella": {"profile": "umbrella", "client_id": "x"}})


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_is_a_configuration_that_works(name: str) -> None:
    """DE12, SO03, DI08: nothing but the client has to be said of it (and the issuer where it is the facility's own)."""
    profile = PROFILES[name]
    settings = read_providers(WHERE, {"one": one(profile=name)})["one"]
    assert what_is_wrong_with(profile.subject_claims) == ""
    assert settings.subject_claims == profile.subject_claims
    assert settings.title == profile.title
    assert "openid" in settings.scope


def test_whatever_is_set_goes_before_the_profile(tmp_path: Path) -> None:
    make_certificates(tmp_path, "login.facility.org")
    settings = read_providers(
        WHERE,
        {
            "egi-demo": one(
                profile="egi",
                title="EGI (demo)",
                scope=["openid"],
                subject_claims=["sub"],
                groups_claim="entitlement",
                display_name_claims=["given_name"],
                refused_subjects=["probe"],
                required_assurance=["https://refeds.org/assurance/IAP/medium"],
                userinfo=False,
                basic_auth=True,
                authorize_params={"kc_idp_hint": "umbrella"},
                ca_file=f"{tmp_path}/ca.pem",
            )
        },
    )["egi-demo"]
    assert (settings.issuer, settings.title, settings.scope) == (ISSUER, "EGI (demo)", ("openid",))
    assert settings.subject_claims == ("sub",)
    assert settings.refused_subjects == ("probe",)
    assert settings.ca_file == f"{tmp_path}/ca.pem"
    assert settings.http.tls is not None
    assert len(settings.http.tls.get_ca_certs()) == 1
    assert "hush" not in repr(settings)


def test_the_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from the file\n")
    file.chmod(0o600)
    keys = one(client_secret_file=str(file))
    del keys["client_secret"]
    assert read_providers(WHERE, {"one": keys})["one"].client_secret == "from the file"
    file.chmod(0o644)
    with pytest.raises(ConfigurationError, match="read by others"):
        read_providers(WHERE, {"one": keys})


# -- mistakes ------------------------------------------------------------------------------------------------------

MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "a profile that is misspelt": ({"one": one(profile="keycloack")}, "'keycloak'"),
    "a profile that is none": ({"one": one(profile="zzz")}, "Known: "),
    "a profile that is a list": ({"one": one(profile=["egi"])}, "must be a text"),
    "a key that is misspelt": ({"one": one(client_idd="x")}, "'client_id'"),
    "a key that is none": ({"one": one(zzz="x")}, "Known: "),
    "a name in capitals": ({"One": one()}, "lower-case letters"),
    "a name with a slash": ({"a/b": one()}, "lower-case letters"),
    "a name with dots": ({"..": one()}, "lower-case letters"),
    "a name that ends in a dash": ({"a-": one()}, "lower-case letters"),
    "a name that is a number": ({7: one()}, "lower-case letters"),  # type: ignore[dict-item]
    "a name that is too long": ({"a" * 33: one()}, "lower-case letters"),
    "no mapping": ({"one": ISSUER}, "is not a mapping"),  # type: ignore[dict-item]
    "an issuer over an open line": ({"one": one(issuer="http://login.example.org")}, "https://"),
    "an issuer that is a number": ({"one": one(issuer=7)}, "must be a text"),
    "no client": ({"one": one(client_id="")}, "Register the portal"),
    "scope as one text": ({"one": one(scope="openid profile")}, "a list of texts"),
    "scope without openid": ({"one": one(scope=["profile"])}, "no 'openid'"),
    "the e-mail address as subject": ({"one": one(subject_claims=["email"])}, "somebody else"),
    "the user name as subject": ({"one": one(subject_claims=["preferred_username"])}, "somebody else"),
    "Umbrella's user name as subject": ({"one": one(subject_claims=["uid"])}, "somebody else"),
    "the subject in capitals": ({"one": one(subject_claims=["EMail"])}, "somebody else"),
    "sub where another is missing": ({"one": one(subject_claims=["voperson_id", "sub"])}, "a different person"),
    "two claims": ({"one": one(subject_claims=["voperson_id", "eppn"])}, "different claims"),
    "no subject": ({"one": one(subject_claims=[])}, "names no claim"),
    "one subject twice": ({"one": one(subject_claims=["sub", "sub"])}, "twice"),
    "both secrets": ({"one": one(client_secret_file="/etc/x")}, "one of the two"),
    "a secret that is a number": ({"one": one(client_secret=4711)}, "must be a text"),
    "a secret file that is not there": ({"one": one(client_secret="", client_secret_file="/no")}, "/no"),
    "a parameter of ours": ({"one": one(authorize_params={"state": "x"})}, "the portal's own"),
    "parameters as text": ({"one": one(authorize_params="a=b")}, "names and texts"),
    "userinfo as text": ({"one": one(userinfo="no")}, "True or False"),
    "two buttons alike": ({"a": one(), "b": one(issuer=ISSUER + "/b")}, "'title'"),
    "one issuer twice": ({"a": one(title="A"), "b": one(title="B")}, "occurs twice"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_reported_with_setting_value_and_remedy(name: str) -> None:
    providers, expected = MISTAKES[name]
    with pytest.raises(ConfigurationError) as told:
        read_providers(WHERE, providers)
    assert expected in str(told.value)
    assert told.value.setting.startswith(WHERE)
    assert told.value.remedy
    assert "hush" not in str(told.value)
    assert "4711" not in str(told.value)


def test_the_provider_without_a_name_is_reported_by_its_traits() -> None:
    with pytest.raises(ConfigurationError, match=r"UmbrellaAuthenticator\.oidc_issuer"):
        read_provider("UmbrellaAuthenticator", ONLY, one(issuer=""))
    with pytest.raises(ConfigurationError, match=r"UmbrellaAuthenticator\.profile"):
        read_provider("UmbrellaAuthenticator", ONLY, one(profile="x"))


# -- who it is -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claims", "id_token", "userinfo", "subject"),
    [
        (["sub"], {"sub": "a"}, {"sub": "a"}, "a"),
        (["voperson_id"], {"sub": "a"}, {"sub": "a", "voperson_id": "x@egi.eu"}, "x@egi.eu"),
        (["voperson_id"], {"sub": "a", "voperson_id": "x@egi.eu"}, {"sub": "a"}, "x@egi.eu"),
        (["EAAHash", "eaahash"], {"sub": "a"}, {"sub": "a", "eaahash": "h"}, "h"),
        (["EAAHash", "eaahash"], {"sub": "a"}, {"sub": "a", "eaahash": ["h"], "EAAHash": "h"}, "h"),
    ],
)
def test_the_subject(claims: list[str], id_token: Any, userinfo: Any, subject: str) -> None:
    assert subject_of(claims, id_token, userinfo) == subject


@pytest.mark.parametrize(
    ("claims", "id_token", "userinfo"),
    [
        pytest.param(["voperson_id"], {"sub": "a"}, {"sub": "a"}, id="missing: sub does not take its place"),
        pytest.param(["voperson_id"], {"sub": "a"}, {"sub": "a", "voperson_id": ""}, id="empty"),
        pytest.param(["voperson_id"], {"sub": "a"}, {"sub": "a", "voperson_id": None}, id="null"),
        pytest.param(["voperson_id"], {"voperson_id": "x"}, {"voperson_id": "y"}, id="told in two ways"),
        pytest.param(["EAAHash", "eaahash"], {}, {"EAAHash": "x", "eaahash": "y"}, id="two spellings, two people"),
        pytest.param(["EAAHash"], {}, {"EAAHash": ["x", "y"]}, id="a list of two"),
        pytest.param(["EAAHash"], {}, {"EAAHash": 7}, id="a number"),
        pytest.param(["EAAHash"], {}, {"EAAHash": True}, id="true"),
        pytest.param(["EAAHash"], {}, {"EAAHash": {"a": "b"}}, id="a mapping"),
        pytest.param(["EAAHash"], {}, {"EAAHash": "x" * 256}, id="too long"),
        pytest.param(["EAAHash"], {}, {"EAAHash": "x\0"}, id="NUL"),
        pytest.param(["EAAHash"], {}, {"EAAHash": " x"}, id="a blank in front"),
        pytest.param(["EAAHash"], {}, {"EAAHash": " "}, id="a blank alone"),
        pytest.param(["EAAHash"], {}, {"eaahash": "x"}, id="a spelling that is not named"),
    ],
)
def test_a_login_that_does_not_say_who_it_is(claims: list[str], id_token: Any, userinfo: Any) -> None:
    """F7, C1: refused; nobody becomes somebody else, and nobody gets a second account without a word."""
    with pytest.raises(Refused) as refused:
        subject_of(claims, id_token, userinfo)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("name", sorted(NEVER_SUBJECTS))
def test_what_can_change_is_no_subject(name: str) -> None:
    assert what_is_wrong_with([name])
    assert what_is_wrong_with([name.upper()])
