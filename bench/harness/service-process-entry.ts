import { subscribe } from 'node:diagnostics_channel';
import type { ClientRequest } from 'node:http';
import { createApp } from '../../src/app.ts';
import { logEntry, logError } from '../../src/functions/log.ts';
import type { Answer, Question, Run } from './service-process.ts';

const tablesHost = new URL(process.env['KEYFLEET_TABLES_ENDPOINT'] ?? '').host;
let tableRequests = 0;
subscribe('http.client.request.start', (message) => {
  const { request } = message as { request: ClientRequest };
  if (request.getHeader('host') === tablesHost) tableRequests++;
});

const app = createApp(process.env, { log: logEntry, report: logError });

process.on('message', (question: string) => {
  run(JSON.parse(question) as Question).then(
    (done) => process.send?.({ run: done } satisfies Answer),
    (error: unknown) => process.send?.({ failure: String(error) } satisfies Answer),
  );
});
process.send?.('ready');

async function run(question: Question): Promise<Run> {
  const requestsBefore = tableRequests;
  const startTime = performance.now();
  const cpuBefore = process.cpuUsage();
  switch (question.kind) {
    case 'check': {
      const { mount, provider } = question;
      await app.handleDistributionMessage({ check: { mount, provider } });
      break;
    }
    case 'sweep':
      await app.sweep();
  }
  const seconds = (performance.now() - startTime) / 1000;
  const cpu = process.cpuUsage(cpuBefore);
  globalThis.gc?.();
  return {
    seconds,
    cpuSeconds: (cpu.user + cpu.system) / 1e6,
    tableRequests: tableRequests - requestsBefore,
    mostMemory: process.resourceUsage().maxRSS / 2 ** 10,
    heap: process.memoryUsage().heapUsed / 2 ** 20,
  };
}
