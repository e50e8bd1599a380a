# One image for controller, API and worker, in two stages: the first has what building needs, the second what running
# needs. Every package is checked against its hash. The image runs as a user without rights, and writes nowhere but into
# /srv/home and /tmp: run it with --read-only.
FROM python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b AS build
WORKDIR /build
COPY locks/bootstrap.txt locks/image.txt locks/
RUN python -m venv /opt/incumbent \
    && /opt/incumbent/bin/python -m pip install --no-cache-dir --require-hashes --requirement locks/image.txt \
    && python -m pip install --no-cache-dir --require-hashes --requirement locks/bootstrap.txt
COPY pyproject.toml README.md LICENSE ./
COPY controller controller
COPY workers workers
RUN python -m hatchling build --target wheel --directory /build/dist \
    && /opt/incumbent/bin/python -m pip install --no-cache-dir --no-deps /build/dist/*.whl \
    && /opt/incumbent/bin/python -m pip uninstall --yes pip

FROM python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b
LABEL org.opencontainers.image.title="Incumbent" \
    org.opencontainers.image.description="A continuous-training controller: every model must defend its seat." \
    org.opencontainers.image.licenses="Apache-2.0"
# git reads rules from repositories, ssh fetches them and checks signatures.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git openssh-client \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home --shell /usr/sbin/nologin incumbent \
    && install --directory --owner incumbent --group incumbent /srv/home /srv/project
COPY --from=build /opt/incumbent /opt/incumbent
ENV PATH=/opt/incumbent/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    INCUMBENT_HOME=/srv/home \
    INCUMBENT_RULES=/srv/project/rules \
    INCUMBENT_CODE=/srv/project
# A number, so that Kubernetes can see that it is not root.
USER 10001:10001
WORKDIR /srv/project
VOLUME ["/srv/home"]
EXPOSE 8321 9321
# Ends in order: what is under way is handed back.
STOPSIGNAL SIGTERM
CMD ["incumbent", "--help"]
