"""The portal itself: how people reach it, what its cookies and secrets are worth, what it keeps where."""

from __future__ import annotations

import asyncio
import datetime
import os
import ssl
import stat
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from traitlets.config import Config

from daas_hub.facility import Facility
from daas_hub.findings import Finding, not_checked, ok, problem, warning
from daas_hub.services.web_proxy import LOOPBACK

#: A certificate that ends within so many days is told.
DAYS_BEFORE_END = 21
_TLS_TIMEOUT_S = 5.0
_SECRET_WORDS = ("password", "secret", "token", "key")


async def look_at_site(file: Path, config: Config, facility: Facility) -> list[Finding]:
    """Look at what does not depend on any person."""
    findings = [*await _address(config, facility), *_cookies(config, file), *_file_itself(file, config)]
    findings += await asyncio.to_thread(_secret_files, config)
    return [*findings, *await asyncio.to_thread(_state, facility, config)]


async def _address(config: Config, facility: Facility) -> list[Finding]:
    """Check that what people type in leads to TLS."""
    hub = config.JupyterHub
    public = str(hub.get("public_url", "") or "")
    bind = str(hub.get("bind_url", "http://:8000"))
    did = f"looked at the address of the portal ({public or bind})"
    if facility.demo:
        return [ok("site.tls", did, "the demo, on this machine only")]
    inside = urlsplit(bind).hostname in LOOPBACK
    if not public:
        if bind.startswith("https://") or hub.get("ssl_cert"):
            return [_own_certificate(str(hub.get("ssl_cert", "")), did)]
        if inside:
            return [
                warning(
                    "site.tls",
                    did,
                    "it listens on this machine only, and nothing says what people type in",
                    'Set JupyterHub.public_url = "https://daas.facility.org/", which people type in.',
                )
            ]
        return [
            problem(
                "site.tls",
                did,
                "passwords, cookies and pictures would cross the network in the open",
                "Let it listen on 127.0.0.1 behind a web server with TLS "
                "(docs/how-to/run-behind-a-proxy-with-tls.md), or set JupyterHub.ssl_cert and ssl_key.",
            )
        ]
    parts = urlsplit(public)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        return [
            problem(
                "site.tls", did, "it is not https", "Give the portal a certificate, and set public_url to https://."
            )
        ]
    findings = []
    if not inside and not bind.startswith(("https://", "unix")) and not hub.get("ssl_cert"):
        findings.append(
            problem(
                "site.bind",
                f"looked at where the portal listens ({bind})",
                "anybody can go past the web server with TLS, in the open",
                'Set JupyterHub.bind_url = "http://127.0.0.1:8000".',
            )
        )
    return [
        *findings,
        await _served_certificate(str(parts.hostname), parts.port or 443, did),
        *_callback(config, public),
    ]


def _callback(config: Config, public: str) -> list[Finding]:
    told = str(config.UmbrellaAuthenticator.get("oauth_callback_url", "") or "")
    wanted = f"{public.rstrip('/')}/hub/oauth_callback"
    if told and not told.startswith(wanted):
        return [
            problem(
                "site.callback",
                "compared the login's way back with the address of the portal",
                f"{told} is not below {public}",
                f'Set UmbrellaAuthenticator.oauth_callback_url = "{wanted}", and register that at the provider.',
            )
        ]
    return []


def _own_certificate(file: str, did: str) -> Finding:
    try:
        certificate = x509.load_pem_x509_certificate(Path(file).read_bytes())
    except (OSError, ValueError) as error:
        return problem("site.tls", did, f"{file}: {error}", "Set JupyterHub.ssl_cert to a certificate in PEM form.")
    return _until(did, certificate.not_valid_after_utc)


async def _served_certificate(host: str, port: int, did: str) -> Finding:
    """Look at the certificate that the web server before the portal shows."""
    try:
        _, writer = await asyncio.wait_for(
            asyncio.open_connection(host, port, ssl=ssl.create_default_context(), server_hostname=host), _TLS_TIMEOUT_S
        )
    except ssl.SSLCertVerificationError as error:
        return problem(
            "site.tls",
            did,
            f"its certificate does not hold: {error.verify_message}",
            "Renew the web server's certificate, for exactly this name, with the authority's chain.",
        )
    except (OSError, TimeoutError) as error:
        return not_checked("site.tls", did, f"nobody answers there now ({type(error).__name__})")
    certificate: Any = writer.get_extra_info("peercert")
    writer.close()
    end = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
    return _until(did, datetime.datetime.fromtimestamp(end, datetime.UTC))


def _until(did: str, end: datetime.datetime) -> Finding:
    left = (end - datetime.datetime.now(datetime.UTC)).days
    got = f"its certificate holds until {end:%Y-%m-%d}, {left} days"
    if left < 0:
        return problem("site.tls", did, got, "Renew the certificate.")
    return (
        ok("site.tls", did, got) if left >= DAYS_BEFORE_END else warning("site.tls", did, got, "Renew the certificate.")
    )


def _cookies(config: Config, file: Path) -> list[Finding]:
    """Check what a stolen or an open cookie would be worth."""
    options = dict((config.JupyterHub.get("tornado_settings") or {}).get("cookie_options", {}))
    options |= dict(config.JupyterHub.get("cookie_options") or {})
    did = "looked at what the portal says of its cookies"
    findings = []
    lower = {str(name).lower(): value for name, value in options.items()}
    if lower.get("secure") is False or str(lower.get("samesite", "lax")).lower() == "none":
        findings.append(
            problem(
                "site.cookies",
                did,
                f"cookie_options = {options}",
                "Remove secure and samesite from cookie_options: other sites' pages and open lines get no cookie then.",
            )
        )
    days = config.JupyterHub.get("cookie_max_age_days", 14)
    if not isinstance(days, int | float) or days > 31:
        findings.append(
            warning(
                "site.cookies",
                did,
                f"a login is remembered for {days} days",
                "Set JupyterHub.cookie_max_age_days = 14.",
            )
        )
    if config.JupyterHub.get("cookie_secret"):
        findings.append(
            warning(
                "site.cookies",
                did,
                "the secret that signs them stands in the configuration itself",
                "Remove JupyterHub.cookie_secret; the hub makes a file of its own (cookie_secret_file).",
            )
        )
    return findings or [ok("site.cookies", did, "for this site only, over TLS only where the portal is reached by it")]


def _file_itself(file: Path, config: Config) -> list[Finding]:
    """Check who may read and change the configuration."""
    did = f"looked at who may read and change {file}"
    mode, folder = file.stat().st_mode, file.resolve().parent.stat().st_mode
    if mode & 0o022 or (folder & 0o022 and not folder & stat.S_ISVTX):
        return [
            problem(
                "site.file",
                did,
                f"others may write it or its folder (mode {stat.S_IMODE(mode):o}, {stat.S_IMODE(folder):o})",
                f"It is the hub's program: chmod go-w {file} {file.resolve().parent}",
            )
        ]
    inline = [
        f"{section}.{name}"
        for section in config
        for name, value in config[section].items()
        if isinstance(value, str)
        and value
        and any(word in name for word in ("password", "secret"))
        and "file" not in name
    ]
    if inline and mode & 0o044 and any(_stands_in(file, config, one) for one in inline):
        return [
            problem(
                "site.file",
                did,
                f"{', '.join(inline)} stands in it, and others may read it",
                f"chmod 600 {file}, or have the secret in a file of its own (client_secret_file, password_file).",
            )
        ]
    return [ok("site.file", did, "the hub's user and root")]


def _stands_in(file: Path, config: Config, setting: str) -> bool:
    """Return whether a secret is written into the file itself, and not taken from elsewhere."""
    section, _, name = setting.partition(".")
    return str(config[section][name]) in file.read_text(errors="replace")


def _secret_files(config: Config) -> list[Finding]:
    """Check every file that holds a secret: what the settings name, and what the hub makes."""
    named = {
        f"{section}.{name}": str(value)
        for section in config
        for name, value in config[section].items()
        if name.endswith("_file") and any(word in name for word in _SECRET_WORDS) and isinstance(value, str) and value
    }
    for name, path in (("JupyterHub.cookie_secret_file", "jupyterhub_cookie_secret"), ("JupyterHub.ssl_key", "")):
        value = str(config.JupyterHub.get(name.partition(".")[2], path) or "")
        if value and Path(value).exists():
            named.setdefault(name, value)
    database = str(config.JupyterHub.get("db_url", "sqlite:///jupyterhub.sqlite"))
    if database.startswith("sqlite:///") and Path(database.removeprefix("sqlite:///")).exists():
        named["JupyterHub.db_url"] = database.removeprefix("sqlite:///")
    findings = []
    for setting, name in sorted(named.items()):
        did = f"looked at who may read {name} ({setting})"
        try:
            status = Path(name).stat()
        except FileNotFoundError:
            if setting == "JupyterHub.cookie_secret_file":
                findings.append(ok("site.secrets", did, "it is not there yet: the hub makes it, for itself alone"))
                continue
            remedy = "Make the file, with the secret and nothing else in it, and mode 600."
            findings.append(problem("site.secrets", did, "there is no such file", remedy))
            continue
        except OSError as error:
            remedy = "Make the file, with the secret and nothing else in it, and mode 600."
            findings.append(problem("site.secrets", did, str(error.strerror), remedy))
            continue
        # behind a closed folder the file's own mode is nobody's affair
        closed = any(not one.stat().st_mode & 0o011 for one in Path(name).resolve().parents)
        if (status.st_mode & 0o077 and not closed) or status.st_uid not in (0, os.geteuid()):
            got = f"owner {status.st_uid}, mode {stat.S_IMODE(status.st_mode):o}"
            findings.append(problem("site.secrets", did, got, f"chmod 600 {name}, and make the hub's user its owner."))
        else:
            findings.append(ok("site.secrets", did, "the hub's user alone"))
    return findings


def _state(facility: Facility, config: Config) -> list[Finding]:
    """Check that homes and processed data which the portal keeps itself can be reached by every account."""
    state = Path(facility.state)
    used = [
        rule.target
        for rule in (facility.policy.home, facility.policy.processed)
        if rule is not None and any(one.fixed_part.is_relative_to(state) for one in rule.templates)
    ]
    did = f"looked at Facility.state ({state})"
    if not used:
        return [ok("site.state", did, "homes and processed data are elsewhere")]
    existing = next(one for one in (state, *state.parents) if one.exists())
    closed = [one for one in (existing, *existing.parents) if not one.stat().st_mode & 0o001]
    if closed and os.geteuid() == 0:
        return [
            problem(
                "site.state",
                did,
                f"no account can pass through {closed[0]}",
                f"chmod o+x {closed[0]}, or set Facility.state to a directory every account can reach.",
            )
        ]
    if not os.access(existing, os.W_OK):
        return [problem("site.state", did, f"the hub cannot write in {existing}", "Make it the hub's user's own.")]
    return [ok("site.state", did, "every account can pass through")]
