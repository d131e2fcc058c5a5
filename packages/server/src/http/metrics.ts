import { ALL_WARNINGS } from '@holdfast/protocol/warnings.ts';
import type { FastifyInstance } from 'fastify';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Warnings } from '../warnings-port.ts';

/** Prometheus metrics of one server. Labels are few and fixed: a route's pattern, never a path with names in it. */
export type Metrics = {
  readonly registry: Registry;
  /** Counts and times every request of an app. */
  watch(app: FastifyInstance, port: 'http' | 'https'): void;
  /** Shows each warning as a gauge: 1 while it stands, else 0. */
  warn(warnings: Warnings): void;
};

const SECONDS = [0.005, 0.02, 0.1, 0.5, 2, 10, 60];

export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'holdfast_' });
  const requests = new Counter({
    name: 'holdfast_http_requests_total',
    help: 'Requests answered.',
    labelNames: ['port', 'method', 'route', 'status'],
    registers: [registry],
  });
  const seconds = new Histogram({
    name: 'holdfast_http_request_seconds',
    help: 'Time from the first byte of a request to the last of its answer.',
    labelNames: ['port', 'method', 'route'],
    buckets: SECONDS,
    registers: [registry],
  });
  return {
    registry,
    watch(app, port) {
      app.addHook('onResponse', async (request, reply) => {
        const route = request.routeOptions.config.route?.path ?? 'other';
        const labels = { port, method: request.method, route };
        requests.inc({ ...labels, status: reply.statusCode });
        seconds.observe(labels, reply.elapsedTime / 1000);
      });
    },
    warn(warnings) {
      new Gauge({
        name: 'holdfast_warning',
        help: 'Whether an administrator should look at it: 1 while health names this code.',
        labelNames: ['code'],
        registers: [registry],
        async collect() {
          const standing = new Set(await warnings());
          for (const code of ALL_WARNINGS) this.set({ code }, standing.has(code) ? 1 : 0);
        },
      });
    },
  };
}
