# One image for every process; which one it is, the command says: scorer, keeper, monitor, topics create.
FROM python:3.11-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
# What runs, and what builds: both by hash, from the lock files.
COPY requirements.lock requirements-run.lock ./
RUN python -m venv /opt/sluicegate \
 && /opt/sluicegate/bin/pip install --require-hashes --requirement requirements-run.lock \
 && python -m venv /opt/tools \
 && /opt/tools/bin/pip install --require-hashes --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY config config
COPY feature_store feature_store
COPY streams streams
COPY training training
COPY console console
RUN /opt/tools/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
 && /opt/sluicegate/bin/pip install --no-deps --no-index dist/*.whl

FROM python:3.11-slim
# libgomp1: LightGBM's wheel needs OpenMP from the system.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libgomp1 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --no-create-home sluicegate \
 && install --directory --owner sluicegate /var/lib/sluicegate /var/lib/sluicegate/.sluicegate /var/cache/sluicegate
COPY --from=build /opt/sluicegate /opt/sluicegate
ENV PATH=/opt/sluicegate/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    XDG_CACHE_HOME=/var/cache/sluicegate
USER sluicegate
WORKDIR /var/lib/sluicegate
# The window engine and the tree walk are compiled here; on another kind of processor, once more at the first start.
RUN python -m feature_store.engine.warm && python -m streams.models.trees.warm
ENTRYPOINT ["sluicegate"]
CMD ["--help"]
