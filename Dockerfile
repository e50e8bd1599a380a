# One image for controller and worker, from the hashed lock, and the driver of PostgreSQL.
FROM python:3.13-slim
RUN apt-get update && apt-get install --yes --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/* && useradd --create-home incumbent
WORKDIR /srv/incumbent
COPY . .
RUN python -m venv /opt/incumbent \
    && /opt/incumbent/bin/pip install --no-cache-dir --require-hashes --requirement locks/demo.txt \
    && /opt/incumbent/bin/pip install --no-cache-dir --no-deps . \
    && /opt/incumbent/bin/pip install --no-cache-dir "psycopg[binary]>=3.3,<3.4" \
    && install -d -o incumbent /srv/artifacts /srv/home
ENV PATH=/opt/incumbent/bin:$PATH
USER incumbent
WORKDIR /srv/project
CMD ["incumbent", "--help"]
