import { execFile } from 'node:child_process';
import dns, { lookup as namedLookup } from 'node:dns';
import { lookup as promisedLookup } from 'node:dns/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import net from 'node:net';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  installLoopbackNames,
  installLoopbackNamesFromEnvironment,
  loopbackNamesVariable,
} from '../../../src/local/loopback-names.ts';

const names = { domains: ['localhost'], zones: { 'vault.localhost': ['learn-keyvault'] } };
const original = dns.lookup;
let uninstall: () => void;

beforeEach(() => {
  uninstall = installLoopbackNames(names);
});

afterEach(() => uninstall());

/** @returns what the callback form of dns.lookup answers, as one array. */
async function lookUp(name: string, options?: dns.LookupOptions | number): Promise<unknown[]> {
  return new Promise((resolve) => {
    const callback = (...answer: unknown[]): void => resolve(answer);
    if (options === undefined) dns.lookup(name, callback);
    else dns.lookup(name, options as dns.LookupOptions, callback);
  });
}

describe('installLoopbackNames', () => {
  it('answers the callback forms', async () => {
    expect(await lookUp('login.localhost')).toEqual([null, '127.0.0.1', 4]);
    expect(await lookUp('a.b.localhost', { family: 4 })).toEqual([null, '127.0.0.1', 4]);
    expect(await lookUp('localhost', 4)).toEqual([null, '127.0.0.1', 4]);
    expect(await lookUp('login.localhost', { all: true })).toEqual([null, [{ address: '127.0.0.1', family: 4 }]]);
  });

  it('answers the promise forms', async () => {
    expect(await dns.promises.lookup('login.localhost')).toEqual({ address: '127.0.0.1', family: 4 });
    expect(await promisedLookup('login.localhost', { all: true })).toEqual([{ address: '127.0.0.1', family: 4 }]);
    expect(await promisify(dns.lookup)('login.localhost')).toEqual({ address: '127.0.0.1', family: 4 });
  });

  it('answers callers that imported the function by name', async () => {
    expect(await promisify(namedLookup)('login.localhost')).toEqual({ address: '127.0.0.1', family: 4 });
  });

  it('ignores letter case and a final dot', async () => {
    expect(await lookUp('Learn-KeyVault.Vault.LOCALHOST.')).toEqual([null, '127.0.0.1', 4]);
  });

  it('knows in a zone only the listed names', async () => {
    expect(await lookUp('learn-keyvault.vault.localhost')).toEqual([null, '127.0.0.1', 4]);
    for (const name of ['missing.vault.localhost', 'x.learn-keyvault.vault.localhost']) {
      const [error] = await lookUp(name, { all: true });
      expect(error).toMatchObject({ code: 'ENOTFOUND', syscall: 'getaddrinfo', hostname: name });
      await expect(dns.promises.lookup(name)).rejects.toMatchObject({ code: 'ENOTFOUND' });
    }
  });

  it('has no address of version 6', async () => {
    const [error] = await lookUp('login.localhost', { family: 6 });
    expect(error).toMatchObject({ code: 'ENOTFOUND' });
  });

  it('leaves other names to the system', async () => {
    expect(await lookUp('127.0.0.1', {})).toEqual([null, '127.0.0.1', 4]);
    const [error] = await lookUp('keyfleet.invalid');
    expect(error).toMatchObject({ hostname: 'keyfleet.invalid' });
  });

  it('leads fetch and plain sockets to the loopback', async () => {
    const server = createServer((request, response) => response.end(request.headers.host));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    try {
      const response = await fetch(`http://learn-keyvault.vault.localhost:${port}/`);
      expect(await response.text()).toBe(`learn-keyvault.vault.localhost:${port}`);
      await expect(fetch(`http://missing.vault.localhost:${port}/`)).rejects.toMatchObject({
        cause: { code: 'ENOTFOUND' },
      });
      const address = await new Promise((resolve, reject) => {
        const socket = net.connect(port, 'any.localhost', () => {
          resolve(socket.remoteAddress);
          socket.destroy();
        });
        socket.on('error', reject);
      });
      expect(address).toBe('127.0.0.1');
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  it('lets two sets of names live side by side, until the last is gone', async () => {
    const removeOther = installLoopbackNames({ domains: [], zones: { 'vault.localhost': ['other'] } });
    expect(await lookUp('other.vault.localhost')).toEqual([null, '127.0.0.1', 4]);
    expect(await lookUp('learn-keyvault.vault.localhost')).toEqual([null, '127.0.0.1', 4]);
    removeOther();
    expect((await lookUp('other.vault.localhost'))[0]).toMatchObject({ code: 'ENOTFOUND' });
    expect(dns.lookup).not.toBe(original);
    uninstall();
    expect(dns.lookup).toBe(original);
  });

  it('is read from the environment by a child process', async () => {
    const module = new URL('../../../src/local/loopback-names.ts', import.meta.url);
    const script = `
      import { installLoopbackNamesFromEnvironment } from ${JSON.stringify(module.href)};
      import { lookup } from 'node:dns/promises';
      installLoopbackNamesFromEnvironment(process.env);
      const missing = await lookup('missing.vault.localhost').catch((error) => error.code);
      console.log(JSON.stringify([await lookup('learn-keyvault.vault.localhost'), missing]));`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
      env: { [loopbackNamesVariable]: JSON.stringify(names) },
    });
    expect(JSON.parse(stdout)).toEqual([{ address: '127.0.0.1', family: 4 }, 'ENOTFOUND']);
  });

  it('installs nothing where the environment names nothing', () => {
    uninstall();
    installLoopbackNamesFromEnvironment({});
    expect(dns.lookup).toBe(original);
  });
});
