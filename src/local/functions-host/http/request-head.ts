import type { ByteReader } from './byte-reader.ts';
import { parseTarget, type Target } from './target.ts';

export interface RequestHead {
  /** As sent, upper or lower case. */
  method: string;
  target: Target;
  version: '1.0' | '1.1';
  /** Lower-case names; the values of one name joined by commas. */
  headers: ReadonlyMap<string, string>;
  /** Empty when an HTTP/1.0 client sent none. */
  host: string;
  body: { kind: 'none' } | { kind: 'length'; bytes: number } | { kind: 'chunked' };
  expectsContinue: boolean;
  /** Whether the client allows another request on this connection. */
  keepsAlive: boolean;
}

/** The server answers by itself, with an empty body, and closes the connection. */
export class RequestRefused extends Error {
  override readonly name = 'RequestRefused';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const requestLineLimitBytes = 8192;
const headersLimitBytes = 32_768;
const headersLimitCount = 100;

/**
 * Reads request line and headers as Kestrel does, with its default limits.
 * @returns undefined when the client ends the connection between two requests
 * @throws RequestRefused
 */
export async function readRequestHead(reader: ByteReader): Promise<RequestHead | undefined> {
  const line = await reader.line(requestLineLimitBytes);
  if (line === undefined) return undefined;
  if (line === 'too-long') throw new RequestRefused(414, 'request line too long');
  const { method, rawTarget, version } = parseRequestLine(line);
  const fields = await readFields(reader);
  if (fields === undefined) return undefined;

  const hosts = fields.filter(([name]) => name === 'host').map(([, value]) => value);
  const headers = joinFields(fields);
  const target = chooseTarget(method, rawTarget, checkHost(hosts, version));
  const body = describeBody(fields, headers);
  const connection = (headers.get('connection') ?? '').toLowerCase().split(/\s*,\s*/);
  return {
    method,
    target,
    version,
    headers,
    host: hosts[0] ?? '',
    body,
    expectsContinue: version === '1.1' && headers.get('expect')?.toLowerCase() === '100-continue',
    keepsAlive:
      !headers.has('x-content-length') &&
      (version === '1.1' ? !connection.includes('close') : connection.includes('keep-alive')),
  };
}

function parseRequestLine(line: Buffer): { method: string; rawTarget: string; version: '1.0' | '1.1' } {
  const text = line.toString('latin1').replace(/\r?\n$/, '');
  if (/[\0\x80-\xff]/.test(text)) throw new RequestRefused(400, 'request line is not ASCII');
  const [method = '', rawTarget = '', version = '', ...more] = text.split(' ');
  if (!/^[\w!#$%&'*+.^`|~-]+$/.test(method) || rawTarget === '' || version === '' || more.length > 0) {
    throw new RequestRefused(400, 'malformed request line');
  }
  if (version === 'HTTP/1.1') return { method, rawTarget, version: '1.1' };
  if (version === 'HTTP/1.0') return { method, rawTarget, version: '1.0' };
  throw new RequestRefused(505, 'unknown version');
}

async function readFields(reader: ByteReader): Promise<[string, string][] | undefined> {
  const fields: [string, string][] = [];
  let remaining = headersLimitBytes;
  for (;;) {
    const line = await reader.line(remaining);
    if (line === undefined) return undefined;
    if (line === 'too-long') throw new RequestRefused(431, 'headers too long');
    remaining -= line.length;
    const content = line.subarray(0, line.at(-2) === 0x0d ? -2 : -1);
    if (content.length === 0) return fields;
    if (fields.length === headersLimitCount) throw new RequestRefused(431, 'too many headers');
    fields.push(parseField(content));
  }
}

const strictText = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function parseField(content: Buffer): [string, string] {
  const colon = content.indexOf(':');
  const name = content.subarray(0, Math.max(colon, 0)).toString('latin1');
  if (!/^[\x21-\x7e]+$/.test(name)) throw new RequestRefused(400, 'malformed header name');
  const bytes = content.subarray(colon + 1);
  if (bytes.includes(0) || bytes.includes(0x0d)) throw new RequestRefused(400, 'malformed header value');
  try {
    return [name.toLowerCase(), strictText.decode(bytes).replace(/^[ \t]+|[ \t]+$/g, '')];
  } catch {
    throw new RequestRefused(400, 'header value is not UTF-8');
  }
}

function joinFields(fields: readonly [string, string][]): Map<string, string> {
  const headers = new Map<string, string>();
  for (const [name, value] of fields) {
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before},${value}`);
  }
  return headers;
}

function checkHost(hosts: readonly string[], version: '1.0' | '1.1'): string {
  if (hosts.length > 1 || (hosts.length === 0 && version === '1.1')) throw new RequestRefused(400, 'one Host needed');
  const [host = ''] = hosts;
  if (!/^(?:[\w!$&'()\-.~]*|\[[0-9a-f:.]+\])(?::\d*)?$/i.test(host)) throw new RequestRefused(400, 'malformed Host');
  return host;
}

function chooseTarget(method: string, rawTarget: string, host: string): Target {
  const target = parseTarget(originForm(method, rawTarget, host));
  if (!target) throw new RequestRefused(400, 'malformed target');
  return target;
}

function originForm(method: string, rawTarget: string, host: string): string {
  if (rawTarget.startsWith('/')) return rawTarget;
  if (rawTarget === '*') {
    if (method !== 'OPTIONS') throw new RequestRefused(405, 'the asterisk form is for OPTIONS');
    return '';
  }
  const absolute = /^https?:\/\/([^/?]*)(.*)$/i.exec(rawTarget);
  if (!absolute) throw new RequestRefused(400, 'malformed target');
  const [, authority = '', rest = ''] = absolute;
  if (authority.toLowerCase() !== host.toLowerCase()) throw new RequestRefused(400, 'target and Host differ');
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/** A length beside `chunked` loses its name, so that nobody downstream believes it. */
function describeBody(fields: readonly [string, string][], headers: Map<string, string>): RequestHead['body'] {
  const lengths = fields.filter(([name]) => name === 'content-length').map(([, value]) => value);
  const [length] = lengths;
  if (lengths.length > 1 || (length !== undefined && !/^\+?\d+$/.test(length))) {
    throw new RequestRefused(400, 'malformed Content-Length');
  }
  const coding = headers.get('transfer-encoding');
  if (coding !== undefined) {
    if (!/(?:^|,)\s*chunked$/i.test(coding)) throw new RequestRefused(400, 'the last transfer coding must be chunked');
    if (length !== undefined) {
      headers.delete('content-length');
      headers.set('x-content-length', length);
    }
    return { kind: 'chunked' };
  }
  return length === undefined || Number(length) === 0 ? { kind: 'none' } : { kind: 'length', bytes: Number(length) };
}
