#!/usr/bin/env bash
# Makes sure that the servers are there that `make test-upstreams` signs people in at: Samba as an Active Directory domain
# controller, Node.js for an OpenID provider, and SimpleSAMLphp. Installs Debian's packages where it may, without letting them
# start, and says what to do where it may not.
set -euo pipefail

have_samba() {
  command -v samba >/dev/null 2>&1 && command -v samba-tool >/dev/null 2>&1 && [ -d /usr/share/samba/setup ]
}

have_node() { # which oidc-provider is installed into by its lock file, at each test
  command -v npm >/dev/null 2>&1 && [ "$(node -p 'process.versions.node.split(".")[0] >= 20' 2>/dev/null)" = true ]
}

have_simplesamlphp() {
  command -v php >/dev/null 2>&1 && [ -d /usr/share/simplesamlphp/www ] && php -r 'exit(extension_loaded("dom") && extension_loaded("mbstring") ? 0 : 1);'
}

missing=()
have_node || missing+=(nodejs npm)
have_simplesamlphp || missing+=(simplesamlphp php-cli php-xml php-mbstring)
have_samba || missing+=(samba-ad-dc samba-ad-provision)
[ "${#missing[@]}" -eq 0 ] && exit 0

give_up() {
  echo "The tests of upstreams need: ${missing[*]}. $1" >&2
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
command -v apt-get >/dev/null 2>&1 || give_up "Their packages are known here for Debian only; please install them."

# Their services are not to run: policy-rc.d forbids it while they are installed.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap '"${as_root[@]}" rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
fi
"${as_root[@]}" apt-get update -q
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
if [ -d /run/systemd/system ]; then # nor at the next start of the machine
  "${as_root[@]}" systemctl disable -q smbd nmbd winbind samba-ad-dc apache2 2>/dev/null || true
fi
have_samba && have_node && have_simplesamlphp
