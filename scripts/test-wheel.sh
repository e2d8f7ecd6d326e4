#!/usr/bin/env bash
# Install a built wheel away from the checkout, and check that everything of the project is in it.
# Usage: test-wheel.sh PYTHON WHEEL
set -euo pipefail
python=$(realpath -s "$1")
wheel=$(realpath "$2")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
# the dependencies of the environment that built it, and only the wheel's own daas_hub
"$python" -m pip install -q --no-deps --target "$folder/wheel" "$wheel"
cat > look.py <<'LOOK'
import importlib, importlib.metadata, importlib.resources, pathlib, sys

sys.path.insert(0, sys.argv[1])
import daas_hub

here = pathlib.Path(daas_hub.__file__).parent
assert here.is_relative_to(sys.argv[1]), here
(distribution,) = importlib.metadata.distributions(name="daas-hub", path=[sys.argv[1]])
groups = {}
for entry in distribution.entry_points:
    groups.setdefault(entry.group, []).append(entry.name)
    assert pathlib.Path(sys.modules[entry.load().__module__].__file__).is_relative_to(sys.argv[1]), entry
expected = {"console_scripts": 3, "jupyterhub.authenticators": 1, "jupyterhub.spawners": 1, "daas_hub.accounts": 1}
assert all(len(groups[group]) >= count for group, count in expected.items()), groups
for package, names in {
    "daas_hub.templates": ["page.html", "home.html", "static/portal.css", "static/icons/pymca.svg"],
    "daas_hub.session": ["static/index.html", "static/desktop.js", "overrides.json"],
    "daas_hub.session.desktop": ["openbox/rc.xml"],
    "daas_hub.commands.init": ["templates/applications/terminal.yaml.j2"],
    "daas_hub.demo": ["accounts.yaml", "proposals.yaml", "applications/pymca.yaml"],
    "daas_hub.demo.identity_provider": ["templates/authorization_form.html"],
}.items():
    for name in names:
        path = importlib.resources.files(package) / name
        assert path.is_file(), f"{package}: {name} is not in the wheel"
print("1 passed, 0 failed")
LOOK
"$python" look.py "$folder/wheel"
