/** Configs of our own proxy as benches want them: one listener, and one cluster that all requests go to. */

export const proxyConfig = (listener: object, cluster: object, more: object = {}) => ({
  admin: { host: '127.0.0.1', port: 0 },
  listeners: [{ name: 'downstream', host: '127.0.0.1', port: 0, ...listener }],
  clusters: [{ name: 'server', ...cluster }],
  routes: [{ match: { prefix: '/' }, cluster: 'server' }],
  ...more,
})
