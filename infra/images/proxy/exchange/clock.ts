/** Coarse time, so that no request asks the system for it. */

/** Updated a few times a second. */
export interface Clock {
  nowMs: number
}
