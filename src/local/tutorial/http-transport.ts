import { z } from 'zod';
import type { Command, Field } from './commands.ts';
import { engineType } from './commands.ts';
import { explain, FalseCheck } from './false-check.ts';
import type { Answer, Transport } from './transport.ts';

interface Request {
  method: 'GET' | 'POST' | 'DELETE';
  path: string;
  body?: unknown;
  /** Statuses that are a success. */
  statuses: readonly number[];
}

/** What the command line client waits, too. */
const patienceMilliseconds = 60_000;

const envelope = z.object({ data: z.unknown(), warnings: z.array(z.string()).nullish() });

/** Does by HTTP what Vault's command line client would do. */
export function createHttpTransport({ api, token }: { api: string; token: string }): Transport {
  return {
    program: 'vault',
    async perform(command) {
      const request = toRequest(command);
      const what = `${request.method} /v1/${request.path}`;
      const { status, text } = await send(what, request);
      if (!request.statuses.includes(status)) {
        throw new FalseCheck({ what, expected: request.statuses.join(' or '), seen: `${status} ${text}` });
      }
      return toAnswer(command, what, status, text);
    },
  };

  async function send(what: string, { method, path, body }: Request): Promise<{ status: number; text: string }> {
    try {
      const reply = await fetch(`${api}/v1/${path}`, {
        method,
        headers: { 'x-vault-token': token, 'x-vault-request': 'true' },
        signal: AbortSignal.timeout(patienceMilliseconds),
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      return { status: reply.status, text: await reply.text() };
    } catch (error) {
      throw new FalseCheck({ what, expected: 'a reply', seen: explain(error) }, { cause: error });
    }
  }
}

function toRequest(command: Command): Request {
  switch (command.verb) {
    case 'status':
      return { method: 'GET', path: 'sys/seal-status', statuses: [200] };
    case 'list-mounts':
      return { method: 'GET', path: 'sys/mounts', statuses: [200] };
    case 'enable':
      return { method: 'POST', path: `sys/mounts/${command.mount}`, body: { type: engineType }, statuses: [204] };
    case 'write':
      // 200 instead of 204 comes with a warning: a vault needs longer than the reply waited.
      return { method: 'POST', path: command.path, body: toBody(command.fields), statuses: [204, 200] };
    case 'read':
      return { method: 'GET', path: command.path, statuses: [200, 404] };
    case 'list':
      return { method: 'GET', path: `${command.path}?list=true`, statuses: [200, 404] };
    case 'delete':
      return { method: 'DELETE', path: command.path, statuses: [204, 200] };
  }
}

/** As the command line client does it: no fields are null, and a name that comes several times makes a list. */
function toBody(fields: readonly Field[]): unknown {
  if (fields.length === 0) return null;
  const names = [...new Set(fields.map(([name]) => name))];
  return Object.fromEntries(
    names.map((name) => {
      const values = fields.filter(([other]) => other === name).map(([, value]) => value);
      return [name, values.length === 1 ? values[0] : values];
    }),
  );
}

function toAnswer(command: Command, what: string, status: number, text: string): Answer {
  if (status === 204 || status === 404) return { what, seen: String(status), warnings: [] };
  const reply = parse(what, text);
  // The status isn't in an envelope.
  if (command.verb === 'status') return { what, seen: '200', data: reply, warnings: [] };
  const { data, warnings } = envelope.parse(reply);
  return {
    what,
    seen: ['200', ...(warnings ?? [])].join(' with the warning: '),
    data: command.verb === 'list' ? (data as { keys?: unknown } | null)?.keys : data,
    warnings: warnings ?? [],
  };
}

function parse(what: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new FalseCheck({ what, expected: 'JSON', seen: text }, { cause: error });
  }
}
