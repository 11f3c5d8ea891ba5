#!/bin/sh
# What Linkerd 1.x told its JVM (linkerd/linkerd, project/LinkerdBuild.scala), of what today's JVMs know: the heap's bounds, no
# tiered compilation, strings once; from Java 9 on it left the collector to the JVM. A jar follows, which no shell may read.
exec "${JAVA_HOME:+$JAVA_HOME/bin/}java" -Xms32M -Xmx1024M -XX:-TieredCompilation -XX:+UseStringDeduplication \
  -Djava.net.preferIPv4Stack=true -jar "$0" "$@"
