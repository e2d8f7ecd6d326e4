#!/usr/bin/env bash
# Look for what would stop the demo, before minutes of installing: one sentence for each, and exit code 1.
# Usage: preflight.sh ENVIRONMENT   (the directory of the Python environment, which need not be there yet)
set -uo pipefail
environment=$1
first=${DAAS_DEMO_PORT:-8000}
needed_mb=2500
problems=()

command -v apt-get > /dev/null ||
  problems+=("The demo installs Debian packages, and there is no apt-get here: use Debian 12 or newer, or the portal as containers (docs/how-to/portal-in-containers.md).")

if command -v python3 > /dev/null && ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  problems+=("Python 3.11 or newer is needed, and this machine's is $(python3 -c 'import platform; print(platform.python_version())'): use Debian 12 or newer.")
fi

busy=()
for port in "$first" $((first + 1)) $((first + 2)) $((first + 3)); do
  # somebody answers there, or not
  if (: < "/dev/tcp/127.0.0.1/$port") 2> /dev/null; then busy+=("$port"); fi
done
if [ ${#busy[@]} -gt 0 ]; then
  problems+=("Port ${busy[*]} of 127.0.0.1 is in use, and the demo needs $first to $((first + 3)): end what listens there (ss -ltnp), or choose four others, as in: DAAS_DEMO_PORT=9000 make demo")
fi

# as a sandbox is built: a user namespace with a /proc of its own, by an account that is nobody in particular
as_nobody=()
[ "$(id -u)" != 0 ] || as_nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
if ! said=$(cd / && "${as_nobody[@]}" unshare --user --map-root-user --pid --fork --mount --mount-proc true 2>&1); then
  if [ "$(id -u)" = 0 ] && [ -e /proc/1/root ] && [ "$(stat -Lc %d:%i /proc/1/root/.)" != "$(stat -c %d:%i /)" ]; then
    problems+=("No sandbox can be built in a chroot ($said): use a machine, a virtual machine, or a container with its own root and an unmasked /proc.")
  else
    problems+=("No sandbox can be built here ($said): allow user namespaces with sysctl kernel.unprivileged_userns_clone=1, on Ubuntu also kernel.apparmor_restrict_unprivileged_userns=0.")
  fi
fi

if [ ! -e "$environment/.installed" ]; then
  above=$environment
  while [ ! -e "$above" ]; do above=$(dirname "$above"); done
  free_mb=$(df -Pm "$above" | awk 'NR == 2 {print $4}')
  [ "$free_mb" -ge "$needed_mb" ] ||
    problems+=("$above has $free_mb MB free, and the demo installs $needed_mb MB: free some, or choose another place with make demo VENV=/path.")
fi

for problem in ${problems[@]+"${problems[@]}"}; do echo "make demo: $problem" >&2; done
[ ${#problems[@]} -eq 0 ]
