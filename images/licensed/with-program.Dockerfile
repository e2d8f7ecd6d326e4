# An image of the facility with a licensed program in it: for engines that cannot mount it, and for a fixed version.
#
#   docker build -f images/licensed/with-program.Dockerfile --build-context program=/srv/software/matlab-2026a \
#     --build-arg PROGRAM=matlab -t registry.facility.org/daas/matlab:2026a .
#
# It may be pushed only to a registry that nobody outside reads: whoever pulls it has the program.
ARG VERSION=0.1.0
ARG REGISTRY=localhost/daas-hub
FROM ${REGISTRY}/licensed:${VERSION}

ARG PROGRAM
USER 0:0
COPY --from=program / /opt/${PROGRAM}/
# fails without its name, and checks what came in
RUN test -n "${PROGRAM}" && seal-image
USER 65534:65534

LABEL org.opencontainers.image.title="${PROGRAM}" \
      org.opencontainers.image.description="${PROGRAM} of this facility; not to be handed on" \
      org.opencontainers.image.licenses="LicenseRef-Proprietary"
