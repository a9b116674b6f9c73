import { X509Certificate } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import tls from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Certificates } from '../../../src/local/certificates.ts';
import { createCertificates, trustInThisProcess } from '../../../src/local/certificates.ts';

let certificates: Certificates;
let server: tls.Server;
let port: number;

beforeAll(async () => {
  certificates = await createCertificates({ dnsNames: ['*.vault.usgov.localhost'] });
  server = tls.createServer({ cert: certificates.certificate, key: certificates.privateKey }, (socket) => socket.end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});

afterAll(() => void server.close());

/** @returns the error code of a TLS handshake for `servername`, or `trusted`. */
async function handshake(servername: string, options: tls.ConnectionOptions = {}): Promise<string> {
  return new Promise((resolve) => {
    const socket = tls.connect({ host: '127.0.0.1', port, servername, ...options }, () => {
      resolve(socket.authorized ? 'trusted' : 'unauthorized');
      socket.destroy();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}

describe('createCertificates', () => {
  it.each([
    'localhost',
    'login.localhost',
    'learn-keyvault.vault.localhost',
    'keyfleet.servicebus.localhost',
    'gov.vault.usgov.localhost',
  ])('is trusted by a client of the CA as %s', async (name) => {
    expect(await handshake(name, { ca: certificates.caCertificate })).toBe('trusted');
  });

  it('is valid for the loopback address', () => {
    expect(new X509Certificate(certificates.certificate).checkIP('127.0.0.1')).toBe('127.0.0.1');
  });

  it('is valid for no other name', async () => {
    expect(await handshake('learn-keyvault.vault.azure.net', { ca: certificates.caCertificate })).toBe(
      'ERR_TLS_CERT_ALTNAME_INVALID',
    );
  });

  it('makes an authority of its own each time', async () => {
    const other = await createCertificates();
    expect(await handshake('localhost', { ca: other.caCertificate })).not.toBe('trusted');
  });

  it('has an authority that can sign certificates, and a server that can not', () => {
    const [server, ca] = [certificates.certificate, certificates.caCertificate].map((pem) => new X509Certificate(pem));
    expect(ca?.ca).toBe(true);
    expect(server?.ca).toBe(false);
    expect(ca && server?.checkIssued(ca)).toBe(true);
  });

  it('is trusted by default once the process was told', async () => {
    expect(await handshake('localhost')).not.toBe('trusted');
    trustInThisProcess(certificates.caCertificate);
    expect(await handshake('localhost')).toBe('trusted');
  });
});
