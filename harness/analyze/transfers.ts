/** What moving bytes comes to. */

/** Throughput of a window in Gb/s (10⁹ bits). */
export function gigabitsPerSecond(bodyBytes: number, windowMs: number): number {
  return windowMs > 0 ? (bodyBytes * 8) / 1e6 / windowMs : 0
}

/** CPU seconds for each GiB (2³⁰ bytes) of payload; undefined when nothing was moved. */
export function cpuSecondsPerGib(cpuNs: number, bodyBytes: number): number | undefined {
  return bodyBytes > 0 ? (cpuNs / 1e9 / bodyBytes) * 2 ** 30 : undefined
}
