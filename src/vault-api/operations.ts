import { invalidRequest, unsupportedVerb } from './errors.ts';
import { parseGoBoolean } from './go-boolean.ts';
import type { Operation } from './protocol.ts';

/** What a request asks for; `help` never reaches a handler. */
export type RequestedOperation = Operation | 'help';

/**
 * @param query `list` is taken out of it when it chose the operation
 * @throws KeyfleetError 405 for a verb that Vault doesn't know, 400 for a bad `list`
 */
export function operationOf(method: string, query: Map<string, string>): RequestedOperation {
  const operation = operationOfVerb(method, query);
  // On any verb, as in Vault: asking for help must never write or delete.
  return (query.get('help') ?? '') === '' ? operation : 'help';
}

function operationOfVerb(method: string, query: Map<string, string>): RequestedOperation {
  switch (method) {
    case 'GET':
    case 'HEAD':
      return readOrList(query);
    case 'LIST':
      return 'list';
    case 'PUT':
    case 'POST':
      return 'write';
    case 'PATCH':
      return 'patch';
    case 'DELETE':
      return 'delete';
    case 'HELP':
      return 'help';
    default:
      throw unsupportedVerb();
  }
}

function readOrList(query: Map<string, string>): Operation {
  const sent = query.get('list') ?? '';
  if (sent === '') return 'read';
  const list = parseGoBoolean(sent);
  if (list === undefined) throw invalidRequest('');
  if (list) query.delete('list');
  return list ? 'list' : 'read';
}
