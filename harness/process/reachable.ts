/** Whether what a run downloads can be had from this host: asked before anything is created. */

/** Whether something answers there; a registry that wants a login first does. */
export async function reachable(url: string): Promise<boolean> {
  return fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(5_000) }).then(
    ({ ok, status }) => ok || status === 401,
    () => false,
  )
}

/** A reference whose first part is no host name is of Docker Hub. */
export function registryOf(reference: string): string {
  const [first = ''] = reference.split('/')
  const isHost = reference.includes('/') && /[.:]|^localhost$/.test(first)
  return isHost && first !== 'docker.io' ? first : 'registry-1.docker.io'
}
