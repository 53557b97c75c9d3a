#!/usr/bin/env bash
# Makes sure that what the tests need beside Go is there: PostgreSQL's server programs, Chromium, and curl.
# Installs the distribution's packages when it may, and says what to do when it may not.
set -euo pipefail

have_postgres() {
  command -v initdb >/dev/null 2>&1 && return 0
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null
}

have_chromium() {
  for name in chromium chromium-browser google-chrome google-chrome-stable; do
    command -v "$name" >/dev/null 2>&1 && return 0
  done
  return 1
}

missing=()
have_postgres || missing+=(postgresql)
have_chromium || missing+=(chromium)
command -v curl >/dev/null 2>&1 || missing+=(curl)
[ "${#missing[@]}" -eq 0 ] && exit 0

give_up() {
  echo "The tests need PostgreSQL's server programs (initdb, postgres), Chromium and curl. Not here: ${missing[*]}. $1" >&2
  [ "${CI:-}" = true ] && exit 1
  exit 0
}

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root=(sudo -n)
  else
    give_up "This account may not install them; for instance: sudo apt-get install ${missing[*]}"
  fi
fi

if command -v apt-get >/dev/null 2>&1; then
  "${as_root[@]}" apt-get update -q
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
elif command -v dnf >/dev/null 2>&1; then
  "${as_root[@]}" dnf install -y "${missing[@]/postgresql/postgresql-server}"
elif command -v apk >/dev/null 2>&1; then
  "${as_root[@]}" apk add --no-cache "${missing[@]}"
else
  give_up "Please install them."
fi
have_postgres && have_chromium
