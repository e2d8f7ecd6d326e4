"""Checks the portal itself: its address and certificate, cookies, secret files and state directory."""

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

from daas_hub.commands.doctor.egress import check_egress
from daas_hub.facility import Facility
from daas_hub.findings import Finding, not_checked, ok, problem, warning
from daas_hub.services.web_proxy import LOOPBACK

#: Warn this many days before a certificate expires.
DAYS_BEFORE_EXPIRY = 21
_TLS_TIMEOUT_S = 5.0
_SECRET_WORDS = ("password", "secret", "token", "key")


async def check_site(file: Path, config: Config, facility: Facility) -> list[Finding]:
    """Check everything that does not depend on a person."""
    findings = [
        *await _address(config, facility),
        *_session_hosts(config, facility),
        *await check_egress(config, facility),
        *_cookies(config, file),
        *_file_itself(file, config),
    ]
    findings += await asyncio.to_thread(_secret_files, config)
    return [*findings, *await asyncio.to_thread(_state, facility, config)]


async def _address(config: Config, facility: Facility) -> list[Finding]:
    """Check that the address users open is served over TLS."""
    hub = config.JupyterHub
    public = str(hub.get("public_url", "") or "")
    bind = str(hub.get("bind_url", "http://:8000"))
    check = f"check the public address of the portal ({public or bind})"
    if facility.demo:
        return [ok("site.tls", check, "the demo listens on localhost only")]
    inside = urlsplit(bind).hostname in LOOPBACK
    if not public:
        if bind.startswith("https://") or hub.get("ssl_cert"):
            return [_own_certificate(str(hub.get("ssl_cert", "")), check)]
        if inside:
            return [
                warning(
                    "site.tls",
                    check,
                    "the hub listens on localhost, and JupyterHub.public_url is not set",
                    'Set JupyterHub.public_url = "https://daas.facility.org/", the address users open.',
                )
            ]
        return [
            problem(
                "site.tls",
                check,
                "passwords, cookies and desktops would cross the network unencrypted",
                "Listen on 127.0.0.1 behind a web server with TLS "
                "(docs/how-to/run-behind-a-proxy-with-tls.md), or set JupyterHub.ssl_cert and ssl_key.",
            )
        ]
    parts = urlsplit(public)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        return [
            problem(
                "site.tls",
                check,
                "the address is not https",
                "Get a certificate for the portal, and set public_url to https://.",
            )
        ]
    findings = []
    # in a pod, a Service and network policies say who connects, and the Ingress has to be among them
    is_pod = "KUBERNETES_SERVICE_HOST" in os.environ
    if not (inside or is_pod or bind.startswith(("https://", "unix")) or hub.get("ssl_cert")):
        findings.append(
            problem(
                "site.bind",
                f"check where the hub listens ({bind})",
                "the hub can be reached without TLS, bypassing the web server",
                'Set JupyterHub.bind_url = "http://127.0.0.1:8000".',
            )
        )
    return [
        *findings,
        await _served_certificate(str(parts.hostname), parts.port or 443, check),
        *_callback(config, public),
    ]


def _session_hosts(config: Config, facility: Facility) -> list[Finding]:
    """Check that sessions are served under other host names than the portal."""
    if facility.demo:
        return []
    check = "look for host names of sessions"
    if config.JupyterHub.get("subdomain_host"):
        return [ok("site.session_hosts", check, f"below {config.JupyterHub.subdomain_host}")]
    return [
        warning(
            "site.session_hosts",
            check,
            "portal and sessions share one: a page that a session serves can act on the portal in its owner's name",
            "Set JupyterHub.subdomain_host (docs/how-to/host-names-for-sessions.md).",
        )
    ]


def _callback(config: Config, public: str) -> list[Finding]:
    callback = str(config.UmbrellaAuthenticator.get("oauth_callback_url", "") or "")
    expected = f"{public.rstrip('/')}/hub/oauth_callback"
    if callback and not callback.startswith(expected):
        return [
            problem(
                "site.callback",
                "compare oauth_callback_url with the public address",
                f"{callback} is not below {public}",
                f'Set UmbrellaAuthenticator.oauth_callback_url = "{expected}", and register it with the provider.',
            )
        ]
    return []


def _own_certificate(file: str, check: str) -> Finding:
    try:
        certificate = x509.load_pem_x509_certificate(Path(file).read_bytes())
    except (OSError, ValueError) as error:
        return problem("site.tls", check, f"{file}: {error}", "Set JupyterHub.ssl_cert to a certificate in PEM format.")
    return _expiry(check, certificate.not_valid_after_utc)


async def _served_certificate(host: str, port: int, check: str) -> Finding:
    """Check the certificate of the web server in front of the hub."""
    try:
        _, writer = await asyncio.wait_for(
            asyncio.open_connection(host, port, ssl=ssl.create_default_context(), server_hostname=host), _TLS_TIMEOUT_S
        )
    except ssl.SSLCertVerificationError as error:
        return problem(
            "site.tls",
            check,
            f"invalid certificate: {error.verify_message}",
            "Install a certificate for exactly this name on the web server, with its full chain.",
        )
    except (OSError, TimeoutError) as error:
        return not_checked("site.tls", check, f"no connection at the moment ({type(error).__name__})")
    certificate: Any = writer.get_extra_info("peercert")
    writer.close()
    end = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
    return _expiry(check, datetime.datetime.fromtimestamp(end, datetime.UTC))


def _expiry(check: str, end: datetime.datetime) -> Finding:
    left = (end - datetime.datetime.now(datetime.UTC)).days
    result = f"the certificate is valid until {end:%Y-%m-%d}, {left} days"
    if left < 0:
        return problem("site.tls", check, result, "Renew the certificate.")
    return (
        ok("site.tls", check, result)
        if left >= DAYS_BEFORE_EXPIRY
        else warning("site.tls", check, result, "Renew the certificate.")
    )


def _cookies(config: Config, file: Path) -> list[Finding]:
    """Check that cookies are restricted to this site and to TLS."""
    options = dict((config.JupyterHub.get("tornado_settings") or {}).get("cookie_options", {}))
    options |= dict(config.JupyterHub.get("cookie_options") or {})
    check = "check the cookie settings"
    findings = []
    lower = {str(name).lower(): value for name, value in options.items()}
    if lower.get("secure") is False or str(lower.get("samesite", "lax")).lower() == "none":
        findings.append(
            problem(
                "site.cookies",
                check,
                f"cookie_options = {options}",
                "Remove secure and samesite from cookie_options; the defaults protect cookies.",
            )
        )
    days = config.JupyterHub.get("cookie_max_age_days", 14)
    if not isinstance(days, int | float) or days > 31:
        findings.append(
            warning(
                "site.cookies",
                check,
                f"login cookies are valid for {days} days",
                "Set JupyterHub.cookie_max_age_days = 14.",
            )
        )
    if config.JupyterHub.get("cookie_secret"):
        findings.append(
            warning(
                "site.cookies",
                check,
                "the secret that signs cookies is in the configuration itself",
                "Remove JupyterHub.cookie_secret; the hub creates a file for it (cookie_secret_file).",
            )
        )
    return findings or [ok("site.cookies", check, "restricted to this site, and to TLS where the portal uses it")]


def _file_itself(file: Path, config: Config) -> list[Finding]:
    """Check who may read and change the configuration."""
    check = f"check the permissions of {file}"
    mode, folder = file.stat().st_mode, file.resolve().parent.stat().st_mode
    if mode & 0o022 or (folder & 0o022 and not folder & stat.S_ISVTX):
        return [
            problem(
                "site.file",
                check,
                f"other users can change it or its directory (mode {stat.S_IMODE(mode):o}, {stat.S_IMODE(folder):o})",
                f"The hub executes this file: chmod go-w {file} {file.resolve().parent}",
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
    if inline and mode & 0o044 and any(_is_literal(file, config, one) for one in inline):
        return [
            problem(
                "site.file",
                check,
                f"it contains {', '.join(inline)} and other users can read it",
                f"chmod 600 {file}, or move the secret to a file of its own (client_secret_file, password_file).",
            )
        ]
    return [ok("site.file", check, "only the hub's user and root")]


def _is_literal(file: Path, config: Config, setting: str) -> bool:
    """Return whether a secret is written in the file itself, not read from elsewhere."""
    section, _, name = setting.partition(".")
    return str(config[section][name]) in file.read_text(errors="replace")


def _secret_files(config: Config) -> list[Finding]:
    """Check every file that holds a secret: those the settings name, and those the hub creates."""
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
        check = f"check the permissions of {name} ({setting})"
        try:
            status = Path(name).stat()
        except FileNotFoundError:
            if setting == "JupyterHub.cookie_secret_file":
                findings.append(ok("site.secrets", check, "does not exist yet; the hub creates it with mode 600"))
                continue
            fix = "Create the file with mode 600, containing only the secret."
            findings.append(problem("site.secrets", check, "there is no such file", fix))
            continue
        except OSError as error:
            fix = "Create the file with mode 600, containing only the secret."
            findings.append(problem("site.secrets", check, str(error.strerror), fix))
            continue
        # behind a closed directory the file's own mode does not matter
        closed = any(not one.stat().st_mode & 0o011 for one in Path(name).resolve().parents)
        if (status.st_mode & 0o077 and not closed) or status.st_uid not in (0, os.geteuid()):
            result = f"owner {status.st_uid}, mode {stat.S_IMODE(status.st_mode):o}"
            findings.append(problem("site.secrets", check, result, f"chmod 600 {name}; chown it to the hub's user."))
        else:
            findings.append(ok("site.secrets", check, "only the hub's user"))
    return findings


def _state(facility: Facility, config: Config) -> list[Finding]:
    """Check that every account can reach the homes and processed data below `Facility.state`."""
    state = Path(facility.state)
    used = [
        rule.target
        for rule in (facility.policy.home, facility.policy.processed)
        if rule is not None and any(one.fixed_part.is_relative_to(state) for one in rule.templates)
    ]
    check = f"check the permissions of Facility.state ({state})"
    if not used:
        return [ok("site.state", check, "homes and processed data are elsewhere")]
    existing = next(one for one in (state, *state.parents) if one.exists())
    closed = [one for one in (existing, *existing.parents) if not one.stat().st_mode & 0o001]
    if closed and os.geteuid() == 0:
        return [
            problem(
                "site.state",
                check,
                f"accounts cannot enter {closed[0]}",
                f"chmod o+x {closed[0]}, or set Facility.state to a directory that every account can reach.",
            )
        ]
    if not os.access(existing, os.W_OK):
        return [problem("site.state", check, f"the hub cannot write to {existing}", "chown it to the hub's user.")]
    return [ok("site.state", check, "every account can enter it")]
