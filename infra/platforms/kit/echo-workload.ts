/** The application of containers and pods: what answers when a request has passed every hop. */
import type { Arm, Workload } from '../../../harness/model.js'

export const echoWorkload: Workload = {
  component: { name: 'echo', category: 'application', node: 'server' },
  program: { kind: 'image', image: 'echo' },
  listeners: ['http', 'tcp', 'admin'],
  files: {},
  config: ({ bindHost: host, ports }) => ({
    admin: { host, port: ports.admin },
    listeners: [
      { name: 'http', kind: 'http', host, port: ports.http },
      { name: 'tcp', kind: 'tcp', host, port: ports.tcp },
    ],
  }),
}

/** The application of one arm alone. */
export function echoWorkloadOf({ id }: Pick<Arm, 'id'>): Workload {
  return { ...echoWorkload, component: { ...echoWorkload.component, name: `${id}/echo`, arm: id } }
}
