#!/usr/bin/env bash
# Makes sure that what the tests need beside Go is there: the server programs of PostgreSQL, MariaDB and OpenLDAP, Chromium, curl,
# and two of the libraries by which apps sign people in: Python's Authlib and Apache's mod_auth_openidc.
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

have_authlib() {
  for python in python3 /usr/bin/python3; do
    "$python" -c 'import authlib, flask, requests' >/dev/null 2>&1 && return 0
  done
  return 1
}

have_mariadb() {
  command -v mariadbd >/dev/null 2>&1 || [ -x /usr/sbin/mariadbd ]
}

have_openidc() {
  [ -x /usr/sbin/apache2 ] && [ -e /usr/lib/apache2/modules/mod_auth_openidc.so ]
}

have_slapd() {
  command -v slapd >/dev/null 2>&1 || [ -x /usr/sbin/slapd ]
}

missing=()
have_postgres || missing+=(postgresql)
have_chromium || missing+=(chromium)
command -v curl >/dev/null 2>&1 || missing+=(curl)
libraries=() # by Debian's names; apache2-bin is Apache without a server that starts by itself
have_authlib || libraries+=(python3-authlib python3-flask python3-requests)
have_mariadb || libraries+=(mariadb-server-core) # without a server that starts by itself, too
have_slapd || libraries+=(slapd)
have_openidc || libraries+=(apache2-bin libapache2-mod-auth-openidc)
[ "$((${#missing[@]} + ${#libraries[@]}))" -eq 0 ] && exit 0

give_up() {
  echo "The tests need the server programs of PostgreSQL, MariaDB and OpenLDAP (initdb, postgres, mariadbd, slapd), Chromium, curl, Authlib and mod_auth_openidc. Not here: ${missing[*]} ${libraries[*]}. $1" >&2
  [ "${CI:-}" = true ] && exit 1
  exit 0
}

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root=(sudo -n)
  else
    give_up "This account may not install them; for instance: sudo apt-get install ${missing[*]} ${libraries[*]}"
  fi
fi

if command -v apt-get >/dev/null 2>&1; then
  "${as_root[@]}" apt-get update -q
  # Without a configuration slapd does not start by itself.
  have_slapd || echo "slapd slapd/no_configuration boolean true" | "${as_root[@]}" debconf-set-selections
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}" "${libraries[@]}"
  have_authlib
  have_mariadb
  have_slapd
  have_openidc
elif [ "${#missing[@]}" -eq 0 ]; then
  give_up "Their packages are known here for Debian only; please install them."
elif command -v dnf >/dev/null 2>&1; then
  "${as_root[@]}" dnf install -y "${missing[@]/postgresql/postgresql-server}"
elif command -v apk >/dev/null 2>&1; then
  "${as_root[@]}" apk add --no-cache "${missing[@]}"
else
  give_up "Please install them."
fi
have_postgres && have_chromium
