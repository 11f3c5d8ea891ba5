/** What a peer may make us do in a second: the guard against rapid reset and floods of small frames. */
import { ConnectionError, errorCode } from './frames.js'

export interface PeerBudgetLimits {
  readonly resetsPerSecond: number
  readonly controlFramesPerSecond: number
}

export class PeerBudget {
  readonly #limits: PeerBudgetLimits
  #second = 0
  #resets = 0
  #controls = 0

  constructor(limits: PeerBudgetLimits) {
    this.#limits = limits
  }

  /** A stream that the peer reset, or made us reset: it costs us the same. Throws `ConnectionError`. */
  reset(): void {
    this.#start()
    this.#resets += 1
    if (this.#resets > this.#limits.resetsPerSecond) {
      throw new ConnectionError(errorCode.enhanceYourCalm, 'too many resets')
    }
  }

  /** A frame that moves no payload. Throws `ConnectionError`. */
  control(): void {
    this.#start()
    this.#controls += 1
    if (this.#controls > this.#limits.controlFramesPerSecond) {
      throw new ConnectionError(errorCode.enhanceYourCalm, 'too many control frames')
    }
  }

  #start(): void {
    const second = Math.floor(Date.now() / 1000)
    if (second === this.#second) return
    this.#second = second
    this.#resets = 0
    this.#controls = 0
  }
}
