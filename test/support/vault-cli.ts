/*
 * Stands in for Vault's command line client: takes the arguments that the tutorial gives it, sends what the client was
 * seen to send, prints what it prints. Run as a program of its own.
 */
const { VAULT_ADDR: address = '', VAULT_TOKEN: token = '' } = process.env;
const [verb = '', ...rest] = process.argv.slice(2);
const options = rest.filter((argument) => argument.startsWith('-'));
const [first = '', ...others] = rest.filter((argument) => !argument.startsWith('-'));
const path = `${address}/v1/${first}`;

interface Reply {
  status: number;
  body: { data?: Record<string, unknown>; errors?: string[]; warnings?: string[] };
}

switch (verb) {
  case 'version':
    console.log('Vault v1.21.0 (0000000000000000000000000000000000000000), built 2025-10-21T00:00:00Z');
    break;
  case 'status':
    console.log(JSON.stringify((await send('GET', `${address}/v1/sys/seal-status`)).body, undefined, 2));
    break;
  case 'secrets':
    await secrets();
    break;
  case 'write': {
    const reply = await send('PUT', path, fields());
    if (reply.status === 204) console.log(`Success! Data written to: ${first}`);
    else
      console.error(`WARNING! The following warnings were returned from Vault:\n\n  * ${reply.body.warnings?.join()}`);
    break;
  }
  case 'read': {
    const reply = await send('GET', path);
    if (reply.status !== 404) console.log(JSON.stringify(reply.body, undefined, 2));
    break;
  }
  case 'list': {
    const reply = await send('GET', `${path}?list=true`);
    if (reply.status !== 404) console.log(['Keys', '----', ...(reply.body.data?.keys as string[])].join('\n'));
    break;
  }
  case 'delete':
    await send('DELETE', path);
    console.log(`Success! Data deleted (if it existed) at: ${first}`);
    break;
  default:
    fail(`Usage: vault <command> [args], not ${verb}`, 127);
}

async function secrets(): Promise<void> {
  if (first === 'list') {
    console.log(JSON.stringify((await send('GET', `${address}/v1/sys/mounts`)).body.data, undefined, 2));
    return;
  }
  const [type = ''] = others;
  const mount = options.find((option) => option.startsWith('-path='))?.slice('-path='.length) ?? type;
  await send('POST', `${address}/v1/sys/mounts/${mount}`, { type, description: '', options: null });
  console.log(`Success! Enabled the ${type} secrets engine at: ${mount}/`);
}

function fields(): Record<string, string | string[]> | null {
  if (others.length === 0) {
    if (!options.includes('-f')) fail('Must supply data or use -force', 1);
    return null;
  }
  const body: Record<string, string | string[]> = {};
  for (const argument of others) {
    const end = argument.indexOf('=');
    const [name, value] = [argument.slice(0, end), argument.slice(end + 1)];
    const known = body[name];
    body[name] = known === undefined ? value : [known, value].flat();
  }
  return body;
}

async function send(method: string, url: string, body?: unknown): Promise<Reply> {
  const reply = await fetch(url, {
    method,
    headers: { 'x-vault-token': token, 'x-vault-request': 'true' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await reply.text();
  const parsed = (text === '' ? {} : JSON.parse(text)) as Reply['body'];
  if (reply.status === 404 && method === 'GET') fail(`No value found at ${first}`, 2);
  if (!reply.ok) {
    const errors = (parsed.errors ?? []).map((error) => `* ${error}`).join('\n');
    fail(`Error making API request.\n\nURL: ${method} ${url}\nCode: ${reply.status}. Errors:\n\n${errors}`, 2);
  }
  return { status: reply.status, body: parsed };
}

function fail(message: string, exitCode: number): never {
  console.error(message);
  process.exit(exitCode);
}
