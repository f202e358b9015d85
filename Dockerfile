# docker build -t mitools .                                   CPU
# docker build -t mitools:gpu --build-arg TORCH_BACKEND=cu128 .   GPU; run with --gpus all
#
# mitools load … | docker run -i mitools split | …
FROM python:3.12-slim

# cpu, cu126, cu128, … : which build of PyTorch to install
ARG TORCH_BACKEND=cpu

ENV PYTHONDONTWRITEBYTECODE=1 \
    HF_HOME=/home/mitools/.cache/huggingface

RUN pip install --no-cache-dir "uv>=0.9,<1"

WORKDIR /opt/mitools
COPY pyproject.toml README.md LICENSE ./
COPY mitools mitools
COPY recipes recipes
RUN uv pip install --system --no-cache --torch-backend="${TORCH_BACKEND}" ".[gguf]" \
    && useradd --create-home --uid 1000 mitools \
    && install --directory --owner=mitools --group=mitools /work

USER 1000
WORKDIR /work
ENTRYPOINT ["mitools"]
CMD ["--help"]
