#!/bin/sh
# Builds a proxy on Finagle's HTTP stack, the one that Linkerd 1.x stood on, from Maven Central and prints its path, or
# says on standard error why it cannot and exits 3. Needs Maven and a JDK, 11 or newer; the result needs a JVM alone.
#
#   FINAGLE_BIN=$(infra/meshes/finagle/fetch-finagle.sh) && export FINAGLE_BIN
#
# usage: fetch-finagle.sh [folder]        default: build/finagle in the repository; kept between calls
set -eu

version=24.2.0

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH='' cd -- "$here/../../.." && pwd)
folder=${1:-$root/build/finagle}
program=$folder/finagle-$version

skip() {
  echo "no Finagle: $1" >&2
  exit 3
}

if [ ! -x "$program" ] || [ "$program" -ot "$here/proxy/FinagleProxy.java" ]; then
  command -v mvn >/dev/null || skip 'Maven is not installed (apt-get install maven)'
  command -v javac >/dev/null || skip 'no JDK is installed (apt-get install default-jdk-headless)'
  mkdir -p "$folder"
  work=$(mktemp -d "$folder/fetch.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  # Maven's plugins by their versions, what ends up in the program by its hashes.
  maven() {
    mvn -q -B -f "$here/proxy/pom.xml" -Dfolder="$work/target" "$@" >"$work/maven.log" 2>&1 ||
      skip "mvn $1 failed: $(grep -m 1 ERROR "$work/maven.log" || tail -n 1 "$work/maven.log")"
  }
  maven dependency:copy-dependencies -DoutputDirectory="$work/jars"
  (cd "$work/jars" && sha256sum --quiet -c "$here/proxy/jars.sha256" >&2) ||
    skip 'Maven brought other files than were reviewed'
  [ "$(ls "$work/jars" | wc -l)" -eq "$(wc -l <"$here/proxy/jars.sha256")" ] ||
    skip 'Maven brought more files than were reviewed'
  maven package
  # A jar may have a script before it: one file holds all, so that its hash names it.
  cat "$here/proxy/launch.sh" "$work/target/finagle-proxy-$version.jar" >"$work/program"
  chmod 755 "$work/program"
  mv "$work/program" "$program"
fi
"$program" --version >/dev/null 2>&1 || skip "$program does not run on this machine: no JVM?"
echo "$program"
