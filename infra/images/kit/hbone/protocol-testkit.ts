/** A raw HTTP/2 client before our HBONE server: what the tests of the protocol's rules start from. */
import { flag, frameType } from '../h2/frames.js'
import { type HeaderField, encodeHeaders } from '../h2/hpack.js'
import { type RawClient, frame } from '../h2/raw-http2.js'
import type { HboneStreamRequest } from './server.js'
import { type HboneFixture, authorityName, connectRaw, createHboneFixture, echo } from './testkit.js'

export interface ProtocolFixture {
  readonly hbone: HboneFixture
  /** What the server does with a stream; `connect` lets it echo. */
  onStream: (request: HboneStreamRequest) => void
  /** `preface` off: send your own first bytes. */
  connect(preface?: boolean): Promise<RawClient>
  close(): void
}

export async function createProtocolFixture(): Promise<ProtocolFixture> {
  const hbone = await createHboneFixture()
  const { address } = await hbone.startServer((request) => {
    fixture.onStream(request)
  })
  const fixture: ProtocolFixture = {
    hbone,
    onStream: () => {},
    connect(preface = true) {
      fixture.onStream = (request) => {
        echo(request.accept())
      }
      return connectRaw(hbone, address, preface)
    },
    close() {
      hbone.close()
    },
  }
  return fixture
}

/** The header block of a CONNECT to the server that tests ask for. */
export const connectBlock = (...extra: HeaderField[]): Buffer =>
  encodeHeaders([[':method', 'CONNECT'], [':authority', authorityName], ...extra], false)

/** The HEADERS frame that opens a stream. */
export const open = (id = 1, flags = 0): Buffer =>
  frame(frameType.headers, flag.endHeaders | flags, id, connectBlock())
