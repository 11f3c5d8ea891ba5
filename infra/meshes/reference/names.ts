/** Names that every hop of the reference mesh has to agree on. */

export const trustDomain = 'cluster.local'
export const namespace = 'bench'
/** The service that clients name, in CONNECT and in Host. */
export const serviceAuthority = 'server.bench:8080'
