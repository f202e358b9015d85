# docker build -t mitools .
# docker build -t mitools:gpu --build-arg TORCH_BACKEND=cu128 .      # run it with --gpus all
#
# alias mitools='docker run --rm -i -v mitools:/cache -v "$PWD:/work" --user "$(id -u):$(id -g)" -e OPENAI_API_KEY mitools'
# mitools load data.csv --map input=text --map label=category | mitools annotate -m MODEL -o annotated.jsonl
#
# The volume "mitools" keeps the journal of a teacher's responses and downloaded models: what was paid
# for outlives the container. /work is the current folder; with --user, files written there are yours.
# A recipe's script runs in one container:
#
# docker run --rm -v mitools:/cache -v "$PWD:/work" --user "$(id -u):$(id -g)" -e OPENAI_API_KEY \
#   --entrypoint bash mitools my/run.sh -m MODEL
FROM python:3.12-slim

# cpu, cu126, cu128, … : which build of PyTorch to install
ARG TORCH_BACKEND=cpu

RUN pip install --no-cache-dir "uv>=0.9,<1"

# What mitools depends on is a layer of its own: a change of the source does not install it again.
WORKDIR /opt/mitools
COPY pyproject.toml ./
RUN uv pip install --system --no-cache --compile-bytecode --torch-backend="${TORCH_BACKEND}" \
      --extra gguf --requirements pyproject.toml

COPY README.md LICENSE ./
COPY recipes recipes
COPY mitools mitools
RUN uv pip install --system --no-cache --compile-bytecode --no-deps .

# Any user may write to both, also one of --user without an entry in /etc/passwd; such a user has no
# name and no home, so they are set here. A new volume at /cache takes over its mode.
RUN useradd --uid 1000 --home-dir /cache mitools \
    && install --directory --mode=1777 /cache /work
ENV HOME=/cache \
    USER=mitools \
    XDG_CACHE_HOME=/cache \
    HF_HOME=/cache/huggingface \
    PYTHONDONTWRITEBYTECODE=1
VOLUME /cache

USER 1000
WORKDIR /work
ENTRYPOINT ["mitools"]
CMD ["--help"]
