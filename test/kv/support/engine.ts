import { expect } from 'vitest';
import type { Table } from '../../../src/state/table.ts';
import { createKeyValueEngine } from '../../../src/vault-api/engines/kv.ts';
import type { LogEntry } from '../../../src/vault-api/log.ts';
import { createHarness, type CallOptions } from '../../vault-api/support/harness.ts';
import { createWorld, openHouse, type House } from './world.ts';

export interface Answer {
  status: number;
  /** Undefined if there was no body at all. */
  body: unknown;
}

/** Vault's API with the engine mounted once. */
export interface EngineHarness {
  house: House;
  log: LogEntry[];
  /** @param path below the mount */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** @param path below `v1/` */
  api(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** `data` of a read that must find something. */
  data(path: string): Promise<Record<string, unknown>>;
  now(): string;
  pass(seconds: number): void;
}

export async function createEngineHarness({
  mountPath = 'secret',
  wrap,
}: { mountPath?: string; wrap?: (table: Table, name: string) => Table } = {}): Promise<EngineHarness> {
  const { openTable } = createWorld();
  const house = openHouse({ openTable, now: () => harness.clock.now }, wrap);
  const harness = await createHarness({ engines: [createKeyValueEngine(house)] });

  async function api(method: string, path: string, options?: CallOptions): Promise<Answer> {
    const { status, headers, body } = await harness.call(method, `/v1/${path}`, options);
    expect(headers).toEqual({ 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
    return { status, body: body === undefined ? undefined : JSON.parse(body) };
  }
  const call: EngineHarness['call'] = (method, path, body, headers = {}) =>
    api(method, `${mountPath}/${path}`, { headers, ...(body !== undefined && { body }) });

  expect(await api('POST', `sys/mounts/${mountPath}`, { body: { type: 'kv-v2' } })).toEqual(done);
  return {
    house,
    log: harness.log,
    call,
    api,
    async data(path) {
      const { status, body } = await call('GET', path);
      expect({ path, status }).toEqual({ path, status: 200 });
      return (body as { data: Record<string, unknown> }).data;
    },
    now: () => harness.clock.now.toISOString(),
    pass(seconds) {
      harness.clock.now = new Date(harness.clock.now.getTime() + seconds * 1000);
    },
  };
}

export const mergePatchType = { 'content-type': 'application/merge-patch+json' };

/** Done, and nothing to say. */
export const done: Answer = { status: 204, body: undefined };
/** What clients read as "there is nothing". */
export const nothing: Answer = { status: 404, body: { errors: [] } };
export const notFoundWithoutBody: Answer = { status: 404, body: undefined };

export function said(data: unknown, warnings: readonly string[] | null = null): Answer {
  return { status: 200, body: envelope(data, warnings) };
}

/** A 404 that says something all the same. */
export function gone(data: unknown, warnings: readonly string[] | null = null): Answer {
  return { status: 404, body: envelope(data, warnings) };
}

export function refused(status: number, message: unknown): Answer {
  return { status, body: { errors: [message] } };
}

/** The five fields of a version. */
export function version(number: number, createdTime: string, changes: Record<string, unknown> = {}) {
  return {
    created_time: createdTime,
    custom_metadata: null,
    deletion_time: '',
    destroyed: false,
    version: number,
    ...changes,
  };
}

function envelope(data: unknown, warnings: readonly string[] | null): Record<string, unknown> {
  return {
    request_id: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/) as unknown,
    lease_id: '',
    renewable: false,
    lease_duration: 0,
    data,
    wrap_info: null,
    warnings,
    auth: null,
    mount_type: 'kv',
  };
}
