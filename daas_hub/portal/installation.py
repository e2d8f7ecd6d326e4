"""Puts the portal's templates and logo into the hub that is starting.

It is done here, and not by `configure(c)`, because an administrator may set `template_paths`, `template_vars` and
`logo_file` afterwards, and each of them replaces a value of the portal's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, FileSystemLoader, PrefixLoader
from jupyterhub.app import JupyterHub
from traitlets import TraitError
from traitlets.config import Config

from daas_hub.errors import ConfigurationError
from daas_hub.facility import Facility
from daas_hub.operators import role_problems
from daas_hub.portal.assets import FOLDER, session_asset_addresses, static_address
from daas_hub.portal.notice_views import notice_views
from daas_hub.portal.own_use import has_limits
from daas_hub.portal.template_globals import TemplateGlobals

TEMPLATES = str(FOLDER.parent)


def install_templates(app: Any) -> None:
    """Let the hub look for templates in the administrator's paths first, then in the portal's, then in its own.

    `templates/NAME` is the template that the administrator's own NAME replaces, as JupyterHub documents it: the
    portal's, or the hub's where the portal has none.
    """
    stock = str(Path(app.data_files_path) / "templates")
    paths = [path for path in app.template_paths if path not in (TEMPLATES, stock)]
    base_url = app.hub.base_url
    headers = {str(name).lower() for name in app.tornado_settings.get("headers", {})}
    variables = TemplateGlobals(
        Facility.of(app.config),
        lambda path: static_address(base_url, path),
        session_assets=session_asset_addresses(base_url, app.tornado_settings),
        has_policy="content-security-policy" in headers,
        notices=lambda user: notice_views(app.db, Facility.of(app.config).zone, user),
        has_limits=has_limits,
    )
    loader = ChoiceLoader(
        [
            PrefixLoader({"templates": FileSystemLoader([TEMPLATES, stock])}, "/"),
            FileSystemLoader([*paths, TEMPLATES, stock]),
        ]
    )
    for name in ("jinja2_env", "jinja2_env_sync"):
        environment = app.tornado_settings[name]
        environment.loader = loader
        environment.globals["daas"] = variables


def logo_path(app: Any) -> Path:
    """Return the logo of the pages: the facility's, the one configured for the hub, or the default."""
    facility = Facility.of(app.config)
    if facility.logo:
        return Path(facility.logo)
    return Path(app.logo_file) if "logo_file" in app.config.JupyterHub else FOLDER / "logo.svg"


def require_authorising_spawner(spawner_class: object) -> None:
    """Check that launches from the portal's pages are authorised.

    Args:
        spawner_class: the class, or the value of `JupyterHub.spawner_class`.

    Raises:
        ConfigurationError: the spawner would start a server for anybody, whatever was requested.
    """
    trait = JupyterHub.class_traits()["spawner_class"]
    try:
        found = trait.validate(JupyterHub, spawner_class)
    except TraitError:
        return  # the hub reports a class that does not exist
    if not hasattr(found, "authorise_start"):
        raise ConfigurationError(
            "JupyterHub.spawner_class",
            spawner_class if isinstance(spawner_class, str) else found.__name__,
            "cannot authorise the portal's launches: it would start a server without any check",
            remedy='Use "sandbox", "proposal-docker", "places", or a subclass of one of their spawners.',
        )


def portal_problems(config: Config) -> list[ConfigurationError]:
    """Return what keeps the portal from starting with this configuration, for `daas-hub check-config`."""
    spawner_class = config.JupyterHub.get("spawner_class", "simple")
    try:
        require_authorising_spawner(spawner_class)
    except ConfigurationError as problem:
        return [problem]
    return role_problems(config)
