/**
 * Every version and digest that a run may download, in one file, so that a run today and a run next year fetch the
 * same bytes or none.
 *
 * A digest that could not be found in two independent public places is `unknownDigest`: it is checked against
 * nothing, and what is fetched under it is listed as unpinned. Sources are in infra/meshes/README.md.
 */
import type { ChartPin, HostPlatform, ImagePin, ManifestPin, ToolPin } from '../../harness/model.js'

/** Marks what nobody here could verify; never a made-up value. */
export const unknownDigest = 'unknown'

const dashed = (platform: HostPlatform) => platform.replace('/', '-')

export const tools = {
  kind: {
    name: 'kind',
    version: '0.33.0',
    url: (platform) =>
      `https://github.com/kubernetes-sigs/kind/releases/download/v0.33.0/kind-${dashed(platform)}`,
    sha256: {
      'linux/amd64': 'aee6151561422756b764a4ae28e7f44cda5af5a9eead3cc9985112b1de8d8e0d',
      'linux/arm64': '20022bee6cfcd5086cb7234d218e3454e6090022f2a8f55d1fa7fcf42c3867a2',
      'darwin/arm64': '0c8c7dbe5e23594a198b786c4bc13dacc101fa6196b0cb0b23a1ca44e61f4b4f',
    },
  },
  // kubectl may be one minor away from its server: 1.35 serves every node image below but 1.37.
  // https://kubernetes.io/releases/version-skew-policy/#kubectl
  kubectl: {
    name: 'kubectl',
    version: '1.35.8',
    url: (platform) => `https://dl.k8s.io/release/v1.35.8/bin/${platform}/kubectl`,
    sha256: {
      'linux/amd64': '874d5e72dbb819f43cff16bcd1e4f8bac5b7f2361fe1e55049b0a6c676fb0cbf',
      'linux/arm64': 'cc749967b62f4422260bc9c0aa7a7c55f45175ae38cb8d95767b5d2b7e04c1fd',
      'darwin/arm64': 'b8be50ae0c6665b646fb009f904a52cad30806deee19ab3b4fe5af2d68bd82eb',
    },
  },
  helm: {
    name: 'helm',
    version: '3.22.0',
    url: (platform) => `https://get.helm.sh/helm-v3.22.0-${dashed(platform)}.tar.gz`,
    archiveMember: (platform) => `${dashed(platform)}/helm`,
    sha256: {
      'linux/amd64': '1e4ab49e429626cf6c6958d914248b78c9730803c2751b87627e171dc800e7bb',
      'linux/arm64': 'f14e804dfee240f55525b667488fe9adca349e63e00c9af634c0beb1421ac310',
    },
  },
} satisfies Readonly<Record<string, ToolPin>>

export type ToolName = keyof typeof tools

/** A node image of the pinned kind release. */
export interface NodeImagePin extends ImagePin {
  /** For example `1.36.4`. */
  readonly kubernetes: string
}

/** Node images that kind 0.33.0 was released with, newest first. */
export const nodeImages: readonly NodeImagePin[] = [
  {
    kubernetes: '1.36.4',
    reference: 'docker.io/kindest/node:v1.36.4',
    digest: 'sha256:099e049362a1526b2db71494e1947aae99bd16290d7c895f2b7ea312e3cbfaed',
  },
  {
    kubernetes: '1.35.8',
    reference: 'docker.io/kindest/node:v1.35.8',
    digest: 'sha256:07b2536e30b803ed61d1677a79df6115f798ce64c80f9e22f6ed45afd09323c0',
  },
  {
    kubernetes: '1.34.11',
    reference: 'docker.io/kindest/node:v1.34.11',
    digest: 'sha256:44e222ee2132dab25ff87301682f89eb82c7880ea3a1bf543bfe9708fd08d67d',
  },
]

/**
 * The newest node image that starts on the host: from Kubernetes 1.35 on, the kubelet refuses cgroup v1 unless it is
 * told otherwise (`failCgroupV1`), so a v1 host gets 1.34.
 * https://kubernetes.io/docs/concepts/architecture/cgroups/
 */
export function nodeImageFor(cgroup: 'v1' | 'v2'): NodeImagePin {
  const fits = nodeImages.find(({ kubernetes }) => cgroup === 'v2' || kubernetes.startsWith('1.34.'))
  if (!fits) throw new Error(`no node image for cgroup ${cgroup}`)
  return fits
}

/** Reference by tag and digest, as `kind create cluster --image` takes it. */
export function pinnedReference({ reference, digest }: ImagePin): string {
  return digest === unknownDigest ? reference : `${reference}@${digest}`
}

// From 1.31 on Istio publishes to Docker Hub, ghcr.io and blob.istio.io only.
// https://istio.io/latest/news/releases/1.31.x/announcing-1.31/upgrade-notes/
const istioVersion = '1.31.1'
const istioChart = (name: string): ChartPin => ({
  name,
  version: istioVersion,
  repository: 'https://blob.istio.io/istio-release/charts',
  sha256: unknownDigest,
})
const istioImage = (name: string, variant = '', digest = unknownDigest): ImagePin => ({
  reference: `docker.io/istio/${name}:${istioVersion}${variant}`,
  digest,
})

export const istio = {
  version: istioVersion,
  hub: 'docker.io/istio',
  minKubernetesMinor: 32,
  charts: {
    base: istioChart('base'),
    istiod: istioChart('istiod'),
    cni: istioChart('cni'),
    ztunnel: istioChart('ztunnel'),
  },
  images: {
    pilot: istioImage('pilot'),
    proxy: istioImage(
      'proxyv2',
      '',
      'sha256:d86cba0dd1eb15c00b6901c69ce5ae3d2d5f8427a47751098cf8c3ab2a4a62e9',
    ),
    // The ambient profile asks for the distroless variant.
    pilotDistroless: istioImage('pilot', '-distroless'),
    proxyDistroless: istioImage('proxyv2', '-distroless'),
    cni: istioImage('install-cni', '-distroless'),
    ztunnel: istioImage('ztunnel', '-distroless'),
  },
} as const

const ciliumVersion = '1.20.2'

export const cilium = {
  version: ciliumVersion,
  minKubernetesMinor: 33,
  charts: {
    cilium: {
      name: 'cilium',
      version: ciliumVersion,
      repository: 'https://helm.cilium.io',
      sha256: 'b2afd87b7f75f875f92a14559f14f59b7babbb479d968e3fd625a20bf30ec20e',
    },
  },
  images: {
    agent: {
      reference: `quay.io/cilium/cilium:v${ciliumVersion}`,
      digest: 'sha256:2939231d0d3e3ebddcd80fffa168b7ddcc78fdf0dc864d1c8c126ff523c54f01',
    },
    operator: {
      reference: `quay.io/cilium/operator-generic:v${ciliumVersion}`,
      digest: 'sha256:64d8798350e8569b8e7622563fed6e44dce2625f311e4651b774816516c744fc',
    },
    envoy: {
      reference: 'quay.io/cilium/cilium-envoy:v1.37.6-1789133542-cbec91f666af0bf742da986d43832932dbb26b82',
      digest: 'sha256:af7382699576b9e65e9184efa52eeca0b58aea70ad6e511bf260c91d9f740463',
    },
    // Only of the experimental mode with a ztunnel of Cilium's own.
    ztunnel: {
      reference: 'quay.io/cilium/ztunnel:v1.0.0',
      digest: 'sha256:884de5adde400e39f58e36c7a729f7690466ca4a8eb4c2a8daa9c1c025115b24',
    },
    // With mutual authentication: the versions that this chart brings.
    spireServer: {
      reference: 'ghcr.io/spiffe/spire-server:1.15.3',
      digest: 'sha256:4082f30d3e0ddc4000a171392c4ea174345ee44d161ee917c70b97b2ecfba141',
    },
    spireAgent: {
      reference: 'ghcr.io/spiffe/spire-agent:1.15.3',
      digest: 'sha256:41b0dcd8b258a69db9e2768292a060766fb76fd866e4bc925849981ea1b825ff',
    },
    spireInit: {
      reference: 'docker.io/library/busybox:1.38.0',
      digest: 'sha256:dc2d74b28e4cf8984fa52af1f39bc7c3d9c73760b41a74d629f5d11b1ab28616',
    },
  },
} as const satisfies {
  version: string
  minKubernetesMinor: number
  charts: Record<string, ChartPin>
  images: Record<string, ImagePin>
}

/** CRDs for waypoints and gateways. */
export const gatewayApi: ManifestPin = {
  name: 'gateway-api',
  version: '1.6.1',
  url: 'https://github.com/kubernetes-sigs/gateway-api/releases/download/v1.6.1/standard-install.yaml',
  sha256: '24d931f22abd8e40c973264319ead7cfa09d0fb7716b7ab1ee2ff174cb063a73',
}

/**
 * Lowest version of the Gateway API's CRDs that Istio's waypoint needs. Gateway and HTTPRoute have no minimum of
 * their own, but only v1 is served by what is applied here.
 */
export const minGatewayApiVersion = '1.1.0'
