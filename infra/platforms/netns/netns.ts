/**
 * Nodes and pods as network namespaces of this machine: what a cluster's network does to packets, in processes that start as
 * fast as on loopback. Needs Linux, iproute2, and root or a user namespace.
 */
import { settingsOf } from '../../../harness/model/variants.js'
import type { Arm, EnvironmentRequest, Platform, Progress, Scope, Unmet } from '../../../harness/model.js'
import type { NamespaceHost } from '../../meshes/kernel/arm-network.js'
import { platformSettings } from '../kit/settings.js'
import { isUnit, ownsApplication, unmetMemory } from '../kit/units.js'
import { createProcessHost } from '../local/process-host.js'
import { unmetQuota } from '../local/quota.js'
import { unmetPins } from '../local/settings.js'
import { createNamespaces, findPrivilege, type Privilege } from './namespaces.js'
import { unmetNeeds } from './needs.js'
import { createNetwork, placeComponent, type NodeNetwork } from './network.js'
import { netnsSettings, type NetnsSettings } from './settings.js'

/** Below those that the kernel gives to clients (ip_local_port_range); each is given once, so that none meets another. */
const firstPort = 20_000
/** Second byte of the addresses of the network that arms share; those of one arm alone follow. */
const firstBlock = 100

export const netns: Platform = {
  name: 'netns',
  summary: 'processes in network namespaces, joined by veth and a bridge; needs Linux and iproute2',
  offers: ['own-hops', 'namespaces'],
  addsArms: { nftables: ['l4-kernel'] },
  environments: 'shared',
  builds: 'bundle',
  hasUnits: true,
  changesHops: { restartMs: 0 },
  raisesServices: true,
  times: { environmentMs: 2_500, armMs: 50, hopMs: 150, trialMs: 800 },
  settings: netnsSettings,

  async check(request) {
    const settings = platformSettings(netnsSettings, request)
    return [
      ...(await unmetNeeds(settings)),
      ...(await unmetPins('netns', settings)),
      ...unmetMemory(request),
      ...(await unmetQuota(request)),
      ...unmetUnits(request),
    ]
  },

  create: createNamespaceHost,
}

/** What is captured has nodes of its own, and with them an application, which units of waypoints must not bring along. */
function unmetUnits({ arms, config }: EnvironmentRequest): readonly Unmet[] {
  const [captured] = arms.filter((arm) => isUnit(arm) && settingsOf(config, arm).capture !== undefined)
  if (!captured) return []
  return [
    {
      need: 'hops on nodes that they share, for the units of experiment scale-out',
      found: `${captured.copy?.of}, whose setting capture gives it nodes of its own`,
      remedy: 'leave capture out, or measure it with other experiments (--experiment)',
    },
  ]
}

async function createNamespaceHost(
  request: EnvironmentRequest,
  scope: Scope,
  progress: Progress,
): Promise<NamespaceHost> {
  const settings = platformSettings(netnsSettings, request)
  const privilege = await findPrivilege()
  if (!privilege) throw new Error('this machine lets us make no network namespaces')
  const namespaces = createNamespaces(privilege, scope)
  const networks: NodeNetwork[] = []
  const create = async () => {
    const block = firstBlock + networks.length
    const network = await createNetwork({ namespaces, settings, scope, block })
    networks.push(network)
    return { network, client: await network.pod('client', 'client') }
  }
  const shared = await progress.step('namespaces', create)
  const own = new Map<string, Awaited<ReturnType<typeof create>>>()
  const networkOf = (arm: string | undefined) => own.get(arm ?? '') ?? shared
  const pathOf = (arm: string | undefined) => {
    const name = request.arms.find(({ id }) => id === arm)?.path
    return request.paths.find((path) => path.name === name)
  }
  let port = firstPort
  const host = await createProcessHost({
    network: {
      facts: describe(settings, privilege),
      async placeOf({ component }) {
        const { network } = networkOf(component.arm)
        const { namespace, address } = await placeComponent(network, component, pathOf(component.arm))
        return {
          bindHost: address,
          wrap: namespace.enter,
          connect: network.connect,
          freePorts: (names) => Promise.resolve(Object.fromEntries(names.map((name) => [name, port++]))),
        }
      },
      ownsApplication: (arm, path) => own.has(arm.id) || ownsApplication(arm, path),
      wrapClient: ({ id }, argv) => networkOf(id).client.namespace.enter(argv),
      connect(endpoint) {
        const network = networks[Number(endpoint.host.split('.')[1]) - firstBlock]
        if (!network) throw new Error(`${endpoint.host} is no address of these namespaces`)
        return network.connect(endpoint)
      },
    },
    ...{ arms: request.arms, pins: settings, scope, progress },
  })
  return {
    ...host,
    async networkFor({ id }: Arm) {
      const made = own.get(id) ?? (await create())
      own.set(id, made)
      return made.network
    },
  }
}

function describe(settings: NetnsSettings, privilege: Privilege) {
  const { delayMs, lossPercent, rateMbit, segmentation } = settings
  const wire = [
    ...(delayMs === undefined ? [] : [`${delayMs} ms each way`]),
    ...(lossPercent === undefined ? [] : [`${lossPercent} % lost`]),
    ...(rateMbit === undefined ? [] : [`${rateMbit} Mbit/s`]),
  ]
  return [
    {
      name: 'platform',
      value: `netns: processes in network namespaces, one kernel, veth and a bridge between three nodes, MTU 1500${privilege === 'own' ? '' : ', in a user namespace'}`,
    },
    { name: 'wire between the nodes', value: wire.join(', ') || 'as it comes: no delay, no loss, no limit' },
    {
      name: 'segmentation',
      value: segmentation === 'off' ? 'off: packets of the wire’s size' : 'offloaded: packets up to 64 KiB',
    },
  ]
}
