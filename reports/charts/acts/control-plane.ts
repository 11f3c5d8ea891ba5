/** Answers "what does a control plane cost?": while nothing changes, and while proxies come and go. */
import { controlCpu, controlLoads } from '../../../scenarios/experiments/control-plane.js'
import type { ChartBuilder } from '../chart.js'
import { acrossLoads } from './across-loads.js'

export const controlPlaneCost: ChartBuilder = (view, book) =>
  acrossLoads(view, book, {
    experiment: 'control-plane',
    title: 'CPU of the control plane, at rest and while proxies come and go',
    caption: 'Cores in use over the window. A mesh without a control plane has no row.',
    metric: controlCpu,
    loads: { [controlLoads.rest]: 'nothing changes', [controlLoads.churn]: 'proxies come and go' },
  })
