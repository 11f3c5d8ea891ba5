/** Certificates on disk for the peers of the bench, in the forms that they read. */
import { type Workspace, createTestAuthority } from '../../kit/testing.js'

export interface PeerFiles {
  readonly cert: string
  readonly key: string
  /** Certificate and key in one, as haproxy reads them. */
  readonly both: string
  readonly ca: string
}

/** Both ends of a leg of mutual TLS, of one authority. */
export async function createPeerFiles(
  workspace: Workspace,
  prefix: string,
): Promise<{ readonly client: PeerFiles; readonly server: PeerFiles }> {
  const authority = await createTestAuthority()
  const ca = workspace.write(`${prefix}-ca.pem`, authority.caPem)
  const issue = async (name: string): Promise<PeerFiles> => {
    const { certPem, keyPem } = await authority.issue(`spiffe://${authority.trustDomain}/ns/bench/sa/${name}`)
    const write = (suffix: string, text: string) => workspace.write(`${prefix}-${name}${suffix}.pem`, text)
    return {
      cert: write('-cert', certPem),
      key: write('-key', keyPem),
      both: write('', `${certPem}\n${keyPem}`),
      ca,
    }
  }
  return { client: await issue('client'), server: await issue('server') }
}
