/** Functions that change where requests go, for how long and with what, as Envoy has them. */
import { defined } from '../../../../harness/model/defined.js'
import { seconds, type Json } from '../blocks.js'
import { clusterNamed, fraction, httpFilter, type Config, type Rendering } from './rendering.js'

export const timeouts: Rendering<'timeouts'> = {
  render: ({ requestMs, perTryMs, idleMs }) => ({
    action: {
      ...(requestMs === undefined ? {} : { timeout: seconds(requestMs) }),
      ...(idleMs === undefined ? {} : { idle_timeout: seconds(idleMs) }),
      // One try is all there is without retries; with them the policy of `retry` takes this over.
      ...(perTryMs === undefined ? {} : { retry_policy: { per_try_timeout: seconds(perTryMs) } }),
    },
  }),
}

export const fault: Rendering<'fault'> = {
  differs: 'shares are drawn at random, not exact',
  render: ({ delay, abort }) => ({
    filters: [
      httpFilter('fault', 'envoy.extensions.filters.http.fault.v3.HTTPFault', {
        ...(delay ? { delay: { fixed_delay: seconds(delay.ms), percentage: fraction(delay.percent) } } : {}),
        ...(abort ? { abort: { http_status: abort.status, percentage: fraction(abort.percent) } } : {}),
      }),
    ],
  }),
}

export const headers: Rendering<'headers'> = {
  render: ({ request, response }) => ({
    route: {
      ...(request
        ? { request_headers_to_add: addHeaders(request), request_headers_to_remove: request.remove }
        : {}),
      ...(response
        ? { response_headers_to_add: addHeaders(response), response_headers_to_remove: response.remove }
        : {}),
    },
  }),
}

function addHeaders({ set, add }: Pick<NonNullable<Config<'headers'>['request']>, 'set' | 'add'>): Json {
  const entry =
    (action: string) =>
    ([key, value]: [string, string]) => ({
      header: { key, value },
      append_action: action,
    })
  return [
    ...Object.entries(set).map(entry('OVERWRITE_IF_EXISTS_OR_ADD')),
    ...Object.entries(add).map(entry('APPEND_IF_EXISTS_OR_ADD')),
  ]
}

export const mirror: Rendering<'mirror'> = {
  differs: 'shares are drawn at random; copies have the timeout of the route',
  render: ({ cluster, percent }, context) => ({
    action: {
      request_mirror_policies: [
        {
          cluster: clusterNamed(cluster, context),
          runtime_fraction: { default_value: fraction(percent) },
          disable_shadow_host_suffix_append: true,
        },
      ],
    },
  }),
}

export const circuitBreaker: Rendering<'circuitBreaker'> = {
  differs: 'a request for which a connection is being opened counts as one that waits',
  render: ({ maxConnections, maxPending, maxRequests }) => {
    if (maxPending === 0)
      throw new Error('circuitBreaker.maxPending: 0: Envoy could open no connection at all')
    return {
      thresholds: {
        ...defined({
          max_connections: maxConnections,
          max_pending_requests: maxPending,
          max_requests: maxRequests,
        }),
      },
    }
  },
}

export const outlier: Rendering<'outlier'> = {
  differs:
    'what was ejected comes back at a sweep, every 10 s; a cluster with most endpoints ejected uses all',
  render: ({ consecutiveFailures, ejectionMs, maxEjectedPercent }) => ({
    cluster: {
      outlier_detection: {
        consecutive_5xx: consecutiveFailures,
        base_ejection_time: seconds(ejectionMs),
        max_ejection_time: seconds(Math.max(300_000, ejectionMs)),
        max_ejection_percent: Math.floor(maxEjectedPercent),
        // Statistics over all endpoints are another function.
        enforcing_success_rate: 0,
      },
    },
  }),
}

export const locality: Rendering<'locality'> = {
  differs:
    'zones are priorities, as in Istio: the next one gets traffic when outlier ejection has taken the near one',
  render: ({ local }) => ({ nearZone: local }),
}

export const balance: Rendering<'balance'> = {
  differs: 'the least busy of two endpoints drawn at random, not of all',
  render: ({ policy }) => ({
    cluster: { lb_policy: policy === 'least-request' ? 'LEAST_REQUEST' : 'ROUND_ROBIN' },
  }),
}

/** Envoy answers a try that has timed out with 504, which is one of its gateway errors. */
const retryConditions: Readonly<Record<Config<'retry'>['on'][number], string>> = {
  'connect-failure': 'connect-failure',
  reset: 'reset',
  timeout: 'gateway-error',
  'gateway-error': 'gateway-error',
  '5xx': '5xx',
}

/** Conditions of a retry as Envoy's configuration names them, and Istio's with it. */
export const retryOn = (on: Config<'retry'>['on']): string =>
  [...new Set(on.map((condition) => retryConditions[condition]))].join(',')

export const retry: Rendering<'retry'> = {
  differs: 'a try that has timed out counts as a gateway error',
  render: ({ retries, on, methods, backoff, budget }) => ({
    action: {
      retry_policy: {
        retry_on: retryOn(on),
        num_retries: retries,
        retriable_request_headers: methods.map((method) => ({
          name: ':method',
          string_match: { exact: method },
        })),
        // Envoy wants a base of at least a millisecond.
        retry_back_off: {
          base_interval: seconds(Math.max(1, backoff.baseMs)),
          max_interval: seconds(Math.max(1, backoff.baseMs, backoff.maxMs)),
        },
      },
    },
    thresholds: {
      retry_budget: {
        budget_percent: { value: budget.percent },
        min_retry_concurrency: budget.minConcurrent,
      },
    },
  }),
}
