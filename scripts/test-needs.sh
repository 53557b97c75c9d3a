#!/usr/bin/env bash
# Makes sure that what the tests need beside Go is there: PostgreSQL's server programs.
# Installs the distribution's package when it may, and says what to do when it may not.
set -euo pipefail

have_postgres() {
  command -v initdb >/dev/null 2>&1 && return 0
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null
}

have_postgres && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root=(sudo -n)
  else
    echo "The tests need PostgreSQL's server programs (initdb, postgres), and this account may not install them." >&2
    echo "Install them, for instance with: sudo apt-get install postgresql" >&2
    [ "${CI:-}" = true ] && exit 1
    exit 0
  fi
fi

if command -v apt-get >/dev/null 2>&1; then
  "${as_root[@]}" apt-get update -q
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -q -y --no-install-recommends postgresql
elif command -v dnf >/dev/null 2>&1; then
  "${as_root[@]}" dnf install -y postgresql-server
elif command -v apk >/dev/null 2>&1; then
  "${as_root[@]}" apk add --no-cache postgresql
else
  echo "The tests need PostgreSQL's server programs (initdb, postgres). Please install them." >&2
  [ "${CI:-}" = true ] && exit 1
fi
have_postgres
