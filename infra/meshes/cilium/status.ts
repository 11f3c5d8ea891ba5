/**
 * Reads what Cilium's agent says of itself, strictly: a field that is missing is an error, never a "no".
 *
 * Shapes: api/v1/models and cilium-dbg/cmd of cilium/cilium (JSON keys of the models are dashed).
 */
import { z } from 'zod'

const encryptStatus = z.object({
  mode: z.string(),
  wireguard: z
    .object({ interfaces: z.array(z.object({ name: z.string(), 'peer-count': z.number().default(0) })) })
    .optional(),
})

export interface EncryptionState {
  /** `Disabled`, `Wireguard`, `IPsec`, … as the agent spells it. */
  readonly mode: string
  /** WireGuard peers of the interface that has most. */
  readonly peers: number
}

/** `cilium-dbg encrypt status -o json` */
export function parseEncryptStatus(text: string): EncryptionState {
  const { mode, wireguard } = read(encryptStatus, text, 'cilium-dbg encrypt status')
  return { mode, peers: Math.max(0, ...(wireguard?.interfaces ?? []).map((each) => each['peer-count'])) }
}

const agentStatus = z.object({
  'kube-proxy-replacement': z.object({ mode: z.string() }),
  proxy: z.object({
    'envoy-deployment-mode': z.string().default('unknown'),
    redirects: z
      .array(z.object({ name: z.string(), proxy: z.string().default('') }))
      .nullish()
      .transform((list) => list ?? []),
  }),
})

export interface AgentStatus {
  readonly kubeProxyReplacement: boolean
  /** `external`: the DaemonSet; `embedded`: within the agent, where its cost could not be told from the agent's. */
  readonly envoyMode: string
  /** Endpoints whose traffic goes to Envoy: id and direction. */
  readonly redirects: readonly { readonly endpointId: number; readonly direction: 'ingress' | 'egress' }[]
}

/** `cilium-dbg status -o json` */
export function parseAgentStatus(text: string): AgentStatus {
  const status = read(agentStatus, text, 'cilium-dbg status')
  return {
    kubeProxyReplacement: status['kube-proxy-replacement'].mode === 'True',
    envoyMode: status.proxy['envoy-deployment-mode'],
    redirects: status.proxy.redirects.flatMap(({ name }) => {
      // `<endpoint>:<direction>:<protocol>:<port>:<listener>`
      const match = /^(\d+):(ingress|egress):/.exec(name)
      return match ? [{ endpointId: Number(match[1]), direction: match[2] as 'ingress' | 'egress' }] : []
    }),
  }
}

const authEntries = z
  .array(
    z.object({
      LocalIdentity: z.number(),
      RemoteIdentity: z.number(),
      AuthType: z.union([z.number(), z.string()]),
      Expiration: z.string(),
    }),
  )
  .nullable()
  .transform((list) => list ?? [])

export interface AuthEntry {
  readonly localIdentity: number
  readonly remoteIdentity: number
  readonly spire: boolean
  readonly expiresAt: Date
}

/** `cilium-dbg bpf auth list -o json`: pairs of identities that have shaken hands. */
export function parseAuthList(text: string): readonly AuthEntry[] {
  return read(authEntries, text, 'cilium-dbg bpf auth list').map((entry) => ({
    localIdentity: entry.LocalIdentity,
    remoteIdentity: entry.RemoteIdentity,
    // policy.AuthTypeSpire; 2 is the test type that always fails.
    spire: entry.AuthType === 1 || entry.AuthType === 'spire',
    expiresAt: new Date(entry.Expiration),
  }))
}

const endpoints = z.array(
  z.object({
    id: z.number(),
    status: z.object({
      // The host's own endpoint has an entry without an address.
      networking: z.object({
        addressing: z.array(z.object({ ipv4: z.string().optional(), ipv6: z.string().optional() })),
      }),
      identity: z.object({ id: z.number() }).optional(),
      policy: z
        .object({ realized: z.object({ 'policy-enabled': z.string().default('none') }).optional() })
        .optional(),
    }),
  }),
)

export interface EndpointView {
  readonly id: number
  readonly identity: number
  /** `none`, `ingress`, `egress`, `both`, or an audit mode, which enforces nothing. */
  readonly enforced: string
}

/**
 * `cilium-dbg endpoint list -o json`: the endpoint of the pod with one of these addresses, or undefined when the agent
 * does not know it. Agents do not name pods here: an address is what a pod and its endpoint have in common.
 */
export function parseEndpoint(text: string, addresses: readonly string[]): EndpointView | undefined {
  const found = read(endpoints, text, 'cilium-dbg endpoint list').find(({ status }) =>
    status.networking.addressing.some(({ ipv4 = '', ipv6 = '' }) =>
      [ipv4, ipv6].some((address) => addresses.includes(address)),
    ),
  )
  if (!found) return undefined
  return {
    id: found.id,
    identity: found.status.identity?.id ?? 0,
    enforced: found.status.policy?.realized?.['policy-enabled'] ?? 'none',
  }
}

function read<T>(schema: z.ZodType<T>, text: string, command: string): T {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new Error(`${command} gave no JSON: ${text.trim().slice(0, 120)}`)
  }
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw new Error(`${command}: ${issue?.path.join('.')}: ${issue?.message}`)
}
