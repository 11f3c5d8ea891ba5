/** Finds peers that take nothing of what waits for them: such an answer is bounded in memory, and has to be in time. */
export class StallWatch {
  #taken = -1
  #sinceMs = 0

  /**
   * Called now and then. `backlog` is how many bytes wait, `taken` how many the peer has had so far; true when bytes have
   * waited for longer than `limitMs` of which it took none.
   */
  isStalled(nowMs: number, backlog: number, taken: number, limitMs: number): boolean {
    if (backlog === 0 || taken !== this.#taken) {
      this.#taken = taken
      this.#sinceMs = nowMs
      return false
    }
    return nowMs - this.#sinceMs > limitMs
  }
}
