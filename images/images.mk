# Targets of the images, included at the end of the Makefile. IMAGE=name chooses one; without it, all of them.
# BUILD has more arguments for `docker build`, for instance BUILD="--network host".

# REGISTRY is what images are called before their own name: REGISTRY=registry.facility.org/daas for yours. Nothing is pushed.

DOCKER ?= docker
REGISTRY ?= localhost/daas-hub
BUILD ?=
export DOCKER
export DAAS_REGISTRY := $(REGISTRY)

images:  ## build all images, and say at the end what could not be built
	$(SYSTEM_PYTHON) scripts/images.py build --option='$(BUILD)'

image:  ## build one image and what it is built on: make image IMAGE=pymca
	@test -n "$(IMAGE)" || { echo "which one? make image IMAGE=pymca"; exit 2; }
	$(SYSTEM_PYTHON) scripts/images.py build $(IMAGE) --option='$(BUILD)'

image-test: $(VENV)/.installed $(VENV)/.test  ## start the images as sessions do, and look (IMAGE=pymca for one)
	$(PYTHON) scripts/images.py test $(IMAGE) --pytest='$(ARGS)'

image-new:  ## copy the template: make image-new IMAGE=myprogram
	@test -n "$(IMAGE)" || { echo "what is it called? make image-new IMAGE=myprogram"; exit 2; }
	$(SYSTEM_PYTHON) scripts/images.py new $(IMAGE)

image-sizes:  ## measure the images and write the table into docs/reference/images.md
	$(SYSTEM_PYTHON) scripts/images.py sizes --write

.PHONY: images image image-test image-new image-sizes
