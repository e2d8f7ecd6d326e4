"""What a notebook server must not do at import; each was seen in a profile of its start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

IMPORT = """
import json, sys
import daas_hub.session.lab
from jupyterlab.labapp import LabApp
from jupyter_events import EventLogger
unwanted = ("rfc3987_syntax", "lark", "sqlalchemy", "alembic", "jupyterhub.orm")
loaded = [name for name in unwanted if sys.modules.get(name)]
print(json.dumps(loaded))
"""


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """A `node` that leaves a file when it runs."""
    program = tmp_path / "node"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    program.chmod(0o755)
    return program


def run(program: str, node: Path) -> str:
    env = os.environ | {"PATH": f"{node.parent}:{os.environ['PATH']}"}
    return subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True).stdout


def test_a_notebook_server_builds_no_grammar_imports_no_database_and_runs_no_node(node: Path) -> None:
    assert json.loads(run(IMPORT, node)) == []
    assert not (node.parent / "ran").exists()


def test_jupyterlab_alone_does(node: Path) -> None:
    """The control: without ours, both happen; once they do not any more, `lean_imports` can go."""
    program = "import sys; import jupyterlab.labapp; print('rfc3987_syntax' in sys.modules)"
    assert run(program, node) == "True\n"
    assert (node.parent / "ran").exists()


def test_the_hubs_extension_alone_imports_the_hubs_database(node: Path) -> None:
    """The control: once it does not any more, `import_hub` can go."""
    program = "import sys; import jupyterhub.singleuser.extension; print('sqlalchemy' in sys.modules)"
    assert run(program, node) == "True\n"


def test_what_was_deferred_is_complete_when_it_is_used(node: Path) -> None:
    """An extension of the user's may need a database, and the hub's modules find theirs."""
    program = """
import daas_hub.session.lab
import sqlalchemy.orm
from jupyterhub import orm, scopes
print(sqlalchemy.create_engine("sqlite://").connect().exec_driver_sql("select 7").scalar())
print(scopes.orm.User is orm.User, sqlalchemy.exc.SQLAlchemyError.__mro__[1] is Exception)
print(scopes.check_scope_filter.__name__, scopes.roles.get_default_roles.__name__)
"""
    assert run(program, node).split() == ["7", "True", "False", "check_scope_filter", "get_default_roles"]


def test_scopes_are_compared_without_the_database(node: Path) -> None:
    program = """
import sys
import daas_hub.session.lab
from jupyterhub.services.auth import check_scopes
print(check_scopes({"access:servers"}, {"access:servers!server=anna/lab"}))
print(check_scopes({"access:servers!server=anna/lab"}, {"access:servers!server=anna/lab", "read:users!group=a"}))
print("sqlalchemy" in sys.modules)
"""
    assert run(program, node).splitlines() == ["set()", "{'access:servers!server=anna/lab'}", "False"]


def test_path_is_kept_for_the_users_own_programs(node: Path) -> None:
    program = "import os; before = os.environ['PATH']; import daas_hub.session.lab; print(os.environ['PATH'] == before)"
    assert run(program, node) == "True\n"


def test_event_schemas_are_still_checked(node: Path) -> None:
    """jupyter_events validates what it registers and emits; only the format "iri" is left out."""
    program = """
import daas_hub.session.lab
from jupyter_events import EventLogger
from jsonschema import ValidationError
logger = EventLogger()
schema = {"$id": "https://x.org/a", "version": "1", "title": "A", "type": "object",
          "properties": {"name": {"type": "string"}}, "required": ["name"]}
logger.register_event_schema(schema)
try:
    from jupyter_events.validators import validate_schema
    validate_schema(schema)
    logger.schemas.get("https://x.org/a").validate({"name": 3})
except ValidationError:
    print("checked")
"""
    assert run(program, node) == "checked\n"
