import { expect, it } from 'vitest'
import type { FrameSender } from '../sender.js'
import { ConnectionWindow } from './window.js'

const mib = 2 ** 20

it('grants as bytes come, whoever reads them, until slow readers have left 16 MiB', () => {
  const granted: number[] = []
  const sender = { windowUpdate: (_stream: number, bytes: number) => granted.push(bytes) }
  const window = new ConnectionWindow(sender as unknown as FrameSender)
  granted.length = 0
  const receive = (bytes: number): void => {
    window.received(bytes)
    window.hold(bytes)
  }
  for (let i = 0; i < 16; i += 1) receive(mib)
  expect(granted).toEqual([8 * mib, 8 * mib])
  for (let i = 0; i < 16; i += 1) receive(mib)
  expect(granted).toHaveLength(2)
  for (let i = 0; i < 15; i += 1) window.hold(-mib)
  expect(granted).toHaveLength(2)
  window.hold(-mib)
  expect(granted).toEqual([8 * mib, 8 * mib, 16 * mib])
})

it('bears no more than was granted, whatever the windows of the streams', () => {
  const window = new ConnectionWindow({ windowUpdate: () => {} } as unknown as FrameSender)
  // 16 MiB that are held, and as many that were granted before that.
  for (let i = 0; i < 32; i += 1) {
    window.received(mib)
    window.hold(mib)
  }
  expect(() => {
    window.received(1)
  }).toThrow('more DATA than the window of the connection')
})
