#!/bin/bash
# Starts one leg in a job's sandbox. Written by ytbuild; the same text in dev and in prod.
set -euo pipefail
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
export JOB_CONFIG_PATH="$PWD"/@CONFIG@
if [ -n "${YTBUILD_INSTALLED_REQUIREMENTS:-}" ]; then
    PYTHONPATH="$PYTHONPATH:$YTBUILD_INSTALLED_REQUIREMENTS"
elif [ -f @REQUIREMENTS@ ]; then
    # pip must neither read the job's rows nor write among them.
    python3 -m pip install --no-input --quiet --disable-pip-version-check -r @REQUIREMENTS@ </dev/null 1>&2
fi
exec python3 @SCRIPT@
