#!/usr/bin/env bash
# Fails when a Go file passes 500 lines, or package provider passes 40 files or 6,000 lines.
set -euo pipefail
cd "$(dirname "$0")/.."
bad=0
while read -r lines file; do
  if [ "$lines" -gt 500 ]; then echo "$file: $lines lines; 500 are the limit"; bad=1; fi
done < <(git ls-files -co --exclude-standard '*.go' | while read -r f; do [ -f "$f" ] && echo "$(wc -l <"$f") $f"; done)
mapfile -t provider < <(git ls-files -co --exclude-standard 'provider/*.go' | grep -E '^provider/[^/]+\.go$' | grep -v _test.go)
if [ "${#provider[@]}" -gt 40 ]; then echo "provider: ${#provider[@]} files; 40 are the limit"; bad=1; fi
if [ "${#provider[@]}" -gt 0 ] && [ "$(cat "${provider[@]}" | wc -l)" -gt 6000 ]; then echo "provider: over 6000 lines"; bad=1; fi
exit $bad
