/** What a platform tells the host of a cluster: how it was made, and what is possible on it. */
import { UserError } from '../../../harness/model/errors.js'
import type { Endpoint, EnvironmentRequest, Fact, NodeRole, Scope, Workload } from '../../../harness/model.js'
import type { ImageName } from '../../images/bundles.js'
import type { ClusterAccess } from '../../../harness/model/cluster-access.js'
import type { OnNode } from './changes.js'
import type { ApiProxy } from './api/api-proxy.js'
import type { ComponentsOptions } from './usage/components.js'
import type { Kubectl } from './api/kubectl.js'
import type { ContainerLimits, WorkloadTemplate } from './render/manifests.js'
import type { PodWatch } from './api/pods.js'

export interface KubeHostOptions {
  readonly kubectl: Kubectl
  readonly proxy: ApiProxy
  readonly pods: PodWatch
  readonly request: EnvironmentRequest
  readonly scope: Scope
  readonly images: Readonly<Record<ImageName, string>>
  /** Names on the nodes of images that variants name otherwise. */
  readonly loadedAs?: ReadonlyMap<string, string>
  /** Reference of an image that holds a program of others, on the nodes. */
  readonly programImage: (program: Extract<Workload['program'], { kind: 'binary' }>) => Promise<string>
  readonly imagePullPolicy: WorkloadTemplate['imagePullPolicy']
  readonly limits: Readonly<Record<'hop' | 'application' | 'generator', ContainerLimits>>
  /** Load generators that share each trial's load, a pod each. */
  readonly generatorPods: number
  readonly nodes: Readonly<Record<NodeRole | 'control-plane', string>>
  readonly usage: ComponentsOptions['usage']
  /** True where `usage` can read programs of the nodes, and the nodes share the host: then the cluster itself is on the bill. */
  readonly billsCluster?: boolean
  readonly nodeFailure: ComponentsOptions['nodeFailure']
  readonly nodeExec: ClusterAccess['nodeExec']
  /** The same without delay, where it can be had: then hops can be ended, paused and brought back. */
  readonly onNode?: OnNode
  readonly loadArchive?: (path: string) => Promise<void>
  readonly clusterName: string
  readonly isOwnCluster: boolean
  readonly kubernetesVersion: string
  readonly apiServer: Endpoint
  readonly namespacePrefix: string
  /** Namespaces outlive the run when the cluster does not go with it: then they are deleted one by one. */
  readonly deleteNamespaces: boolean
  readonly diagnosticsDir: string
  readonly facts: readonly Fact[]
}

/** For platforms that cannot run anything on a node. */
export function noNodeExec(): never {
  throw new UserError('this platform cannot run commands on the nodes of the cluster', {
    hint: 'use --platform kind, where nodes are containers',
  })
}
