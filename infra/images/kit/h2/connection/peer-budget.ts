/** What a peer may make us do in a second: the guard against rapid reset and floods of small frames. */
import { ConnectionError, errorCode } from '../frames.js'
import type { ConnectionLimits } from '../settings.js'

/** WINDOW_UPDATE frames that cost a peer nothing: at first, for each DATA frame that it got, and at most. */
const firstWindowUpdates = 1000
const windowUpdatesPerData = 10
const maxWindowUpdates = 20_000

export class PeerBudget {
  readonly #limits: ConnectionLimits
  /** Of `performance.now()`, that no setting of the clock moves. */
  #second = 0
  #resets = 0
  #controls = 0
  #windowUpdates = firstWindowUpdates

  constructor(limits: ConnectionLimits) {
    this.#limits = limits
  }

  /** A stream that a client reset, or that the peer made us reset: it costs us the same. Throws `ConnectionError`. */
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

  /** We sent a DATA frame, for which the peer may open windows again. */
  sent(): void {
    if (this.#windowUpdates < maxWindowUpdates) this.#windowUpdates += windowUpdatesPerData
  }

  /** The peer opens a window. Throws `ConnectionError` when it does so far more often than it gets data. */
  windowUpdate(): void {
    if (this.#windowUpdates > 0) this.#windowUpdates -= 1
    else this.control()
  }

  #start(): void {
    const second = Math.floor(performance.now() / 1000)
    if (second === this.#second) return
    this.#second = second
    this.#resets = 0
    this.#controls = 0
  }
}
