/** Namespaces that are made while others of their name go, and deleted while they are made. */
import { expect, it } from 'vitest'
import { ApiError } from './api/api-proxy.js'
import { Namespaces } from './namespaces.js'

const path = '/api/v1/namespaces/mb-a'
const terminating = {
  metadata: { deletionTimestamp: '2026-11-30T01:00:00Z' },
  status: { conditions: [{ status: 'True', message: 'metrics.k8s.io/v1beta1 does not answer' }] },
}
const notFound = () => Promise.reject(new ApiError(path, 404, 'not found'))

/** A cluster that answers in turn what is there under the name, and the last of it for ever. */
function clusterThat(
  answers: readonly (() => Promise<object>)[],
  { apply = async () => {}, status = 200 }: { apply?: () => Promise<void>; status?: number } = {},
) {
  const log: string[] = []
  const namespaces = new Namespaces({
    proxy: {
      async json<T>() {
        log.push('look')
        const looks = log.filter((line) => line === 'look').length
        return (await (answers[looks - 1] ?? answers.at(-1) ?? notFound)()) as T
      },
      async delete(deleted) {
        log.push(`delete ${deleted}`)
        if (status !== 200) throw new ApiError(deleted, status, '')
      },
    },
    pods: { watch: async () => {}, waitFor: async () => {}, find: () => [] },
    rollout: {
      async apply() {
        log.push('apply')
        await apply()
        log.push('applied')
      },
    },
    runId: 'r',
    signal: AbortSignal.timeout(5_000),
  })
  return { namespaces, log }
}

it('is made when the one of its name that was on its way out is gone', async () => {
  const { namespaces, log } = clusterThat([async () => terminating, notFound])
  await namespaces.create('mb-a')
  expect(log).toEqual(['look', 'look', 'apply', 'applied'])
})

it('is made over one that stays, and where nobody may look', async () => {
  const forbidden = () => Promise.reject(new ApiError(path, 403, 'forbidden'))
  for (const answer of [async () => ({ metadata: {} }), forbidden]) {
    const { namespaces, log } = clusterThat([answer])
    await namespaces.create('mb-a')
    expect(log).toEqual(['look', 'apply', 'applied'])
  }
})

it('is deleted after it was made, although nobody has waited for that', async () => {
  let finish = () => {}
  const { namespaces, log } = clusterThat([notFound], {
    apply: () => new Promise((resolve) => (finish = resolve)),
  })
  void namespaces.create('mb-a')
  await expect.poll(() => log).toContain('apply')
  const deleting = namespaces.delete()
  await new Promise((resolve) => setImmediate(resolve))
  expect(log).toEqual(['look', 'apply'])
  finish()
  await deleting
  expect(log.slice(2)).toEqual(['applied', `delete ${path}`, `delete ${path}/pods?gracePeriodSeconds=0`])
})

it.each([404, 409])('that is gone or going when it is deleted (%d) is no problem', async (status) => {
  const { namespaces } = clusterThat([notFound], {
    status,
    apply: () => Promise.reject(new Error('refused')),
  })
  await expect(namespaces.create('mb-a')).rejects.toThrow('refused')
  await namespaces.takeDown('mb-a', new AbortController().signal)
  await namespaces.delete()
  const refusing = clusterThat([notFound], { status: 403 }).namespaces
  await refusing.create('mb-a')
  await expect(refusing.delete()).rejects.toThrow('answered 403')
})
