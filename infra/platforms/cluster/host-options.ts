/** What a platform tells the host of a cluster: how it was made, and what is possible on it. */
import type { Endpoint, EnvironmentRequest, Fact, NodeRole, Scope, Workload } from '../../../harness/model.js'
import type { ImageName } from '../../images/bundles.js'
import type { Limits } from '../kit/settings.js'
import type { OnNode } from './changes.js'
import type { ApiProxy } from './api/api-proxy.js'
import type { ComponentsOptions } from './usage/components.js'
import type { Kubectl } from './api/kubectl.js'
import type { PodWatch } from './api/pods.js'

/** What can be had of a cluster that a run has made, whose nodes share its host and have no images but those that are loaded. */
export interface OwnCluster {
  readonly name: string
  readonly onNode: OnNode
  readonly nodeFailure: ComponentsOptions['nodeFailure']
  readonly loadArchive: (path: string) => Promise<void>
  /** Names on the nodes of images that variants name otherwise. */
  readonly loadedAs: ReadonlyMap<string, string>
  /** It outlives the run, or was there from an earlier one. */
  readonly isKept: boolean
}

export interface KubeHostOptions {
  readonly kubectl: Kubectl
  readonly proxy: ApiProxy
  readonly pods: PodWatch
  readonly request: EnvironmentRequest
  readonly scope: Scope
  /** Absent: the cluster was there before the run, and stays. */
  readonly own?: OwnCluster
  readonly images: Readonly<Record<ImageName, string>>
  /** Reference of an image that holds a program of others, on the nodes. */
  readonly programImage: (program: Extract<Workload['program'], { kind: 'binary' }>) => Promise<string>
  readonly limits: Readonly<Record<'hop' | 'application' | 'generator', Limits>>
  /** Load generators that share each trial's load, a pod each. */
  readonly generatorPods: number
  readonly nodes: Readonly<Record<NodeRole | 'control-plane', string>>
  readonly kubernetesVersion: string
  readonly apiServer: Endpoint
  readonly facts: readonly Fact[]
}
