# JupyterLab with the course, from the exact versions that were tested:
#   docker build -t acme . && docker run --rm -p 8888:8888 acme
# Grading in it needs a sandbox of its own: add `--security-opt seccomp=unconfined --security-opt apparmor=unconfined`.
FROM python:3.13-slim
RUN apt-get update && apt-get install -y --no-install-recommends bubblewrap && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home learner && pip install --no-cache-dir uv
COPY --chown=learner . /home/learner/acme
WORKDIR /home/learner/acme
USER learner
ENV VIRTUAL_ENV=/home/learner/.venv PATH=/home/learner/.venv/bin:$PATH
RUN uv venv --quiet "$VIRTUAL_ENV" && uv pip install --quiet -r requirements.txt && uv pip install --quiet --no-deps -e .
# Compiles the simulators once, into the image, and says if anything is wrong.
RUN acme check
EXPOSE 8888
CMD ["acme", "lab", "--no-browser", "--ip=0.0.0.0", "course/00_welcome.ipynb"]
