"""Which origins and hosts are one place: names in any case, a default port sent or not; everything else is another."""

from __future__ import annotations

import pytest

from daas_hub.origins import is_origin_of, normalized_host, normalized_origin

SAME = [
    ("https://daas.example.org", "daas.example.org"),
    ("https://daas.example.org", "daas.example.org:443"),
    ("https://daas.example.org:443", "daas.example.org"),
    ("http://daas.example.org", "daas.example.org:80"),
    ("http://daas.example.org", "daas.example.org"),
    ("https://daas.example.org", "DAAS.Example.org:443"),
    ("HTTPS://DAAS.example.org", "daas.example.org"),
    ("https://daas.example.org:8443", "daas.example.org:8443"),
    ("http://127.0.0.1:8000", "127.0.0.1:8000"),
    ("https://[2001:DB8::1]", "[2001:db8::1]:443"),
    ("https://daas.example.org", "daas.example.org:"),
]
OTHER = [
    ("https://daas.example.org", "daas.example.org:80"),
    ("http://daas.example.org", "daas.example.org:443"),
    ("https://daas.example.org:8443", "daas.example.org"),
    ("https://daas.example.org", "daas.example.org:8443"),
    ("https://evil.example", "daas.example.org"),
    ("https://daas.example.org.evil.example", "daas.example.org"),
    ("https://evil.example:443", "daas.example.org:443"),
    ("https://daas.example.org@evil.example", "daas.example.org"),
    ("https://evil.example\\daas.example.org", "daas.example.org"),
    ("wss://daas.example.org", "daas.example.org"),
    ("file://daas.example.org", "daas.example.org"),
    ("//daas.example.org", "daas.example.org"),
    ("daas.example.org", "daas.example.org"),
    ("https://", ""),
    ("null", "null"),
    ("", ""),
    ("https://daas.example.org", ""),
    ("https://daas.example.org", "daas.example.org, daas.example.org"),
    ("https://daas.example.org:abc", "daas.example.org:abc"),
    ("https://[2001:db8::1", "[2001:db8::1"),
]


@pytest.mark.parametrize(("origin", "host"), SAME)
def test_one_place(origin: str, host: str) -> None:
    assert is_origin_of(origin, host)


@pytest.mark.parametrize(("origin", "host"), OTHER)
def test_another_place(origin: str, host: str) -> None:
    assert not is_origin_of(origin, host)


@pytest.mark.parametrize(
    ("host", "scheme", "expected"),
    [
        ("h:443", "https", "h"),
        ("H:443", "http", "h:443"),
        ("h:0443", "https", "h"),
        ("h:8000", "http", "h:8000"),
        ("h", "https", "h"),
        ("[::1]:80", "http", "[::1]"),
        ("h:1:2", "http", ""),
        ("a b", "http", ""),
        ("h/x", "http", ""),
    ],
)
def test_a_host(host: str, scheme: str, expected: str) -> None:
    assert normalized_host(host, scheme) == expected


def test_an_address_has_the_origin_of_its_page() -> None:
    assert normalized_origin("https://H:443/hub/home?next=http://x/#y") == "https://h"
