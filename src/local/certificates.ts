import { webcrypto } from 'node:crypto';
import tls from 'node:tls';
import type * as X509 from '@peculiar/x509';

/** One certificate authority and one server certificate, all PEM. */
export interface Certificates {
  /** What clients must trust, e.g. through NODE_EXTRA_CA_CERTS. */
  caCertificate: string;
  /** The server's certificate followed by the authority's. */
  certificate: string;
  /** Of the server, PKCS#8. The authority's own key is gone once this is returned: it can sign nothing else. */
  privateKey: string;
}

/**
 * Clients refuse a wildcard directly below a top-level domain, so each two-label name that is used stands here itself.
 */
const alwaysNamed = ['localhost', '*.localhost', 'login.localhost', '*.vault.localhost', '*.servicebus.localhost'];

const signing = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const dayMilliseconds = 86_400_000;
const lifetimeDays = 365;

/**
 * Makes the TLS identity that all stand-ins share (EC P-256, SHA-256, valid for a year).
 * @param options.dnsNames names beside the `.localhost` ones of every platform, e.g. `*.vault.usgov.localhost`
 */
export async function createCertificates(options: { dnsNames?: readonly string[] } = {}): Promise<Certificates> {
  const x509 = await loadX509();
  const notBefore = new Date(Date.now() - dayMilliseconds);
  const notAfter = new Date(Date.now() + lifetimeDays * dayMilliseconds);

  const caKeys = await webcrypto.subtle.generateKey(signing, true, ['sign', 'verify']);
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=Keyfleet local platform CA',
    notBefore,
    notAfter,
    signingAlgorithm: signing,
    keys: caKeys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(caKeys.publicKey),
    ],
  });

  const names = [...new Set([...alwaysNamed, ...(options.dnsNames ?? [])])];
  const serverKeys = await webcrypto.subtle.generateKey(signing, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.create({
    subject: 'CN=localhost',
    issuer: ca.subject,
    notBefore,
    notAfter,
    signingAlgorithm: signing,
    publicKey: serverKeys.publicKey,
    signingKey: caKeys.privateKey,
    extensions: [
      new x509.SubjectAlternativeNameExtension([
        ...names.map((value) => ({ type: 'dns' as const, value })),
        { type: 'ip', value: '127.0.0.1' },
      ]),
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      await x509.SubjectKeyIdentifierExtension.create(serverKeys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(caKeys.publicKey),
    ],
  });

  const privateKey = await webcrypto.subtle.exportKey('pkcs8', serverKeys.privateKey);
  const caCertificate = `${ca.toString('pem')}\n`;
  return {
    caCertificate,
    certificate: `${certificate.toString('pem')}\n${caCertificate}`,
    privateKey: `${x509.PemConverter.encode(privateKey, 'PRIVATE KEY')}\n`,
  };
}

/** Makes every TLS client of this process trust `caCertificate` (PEM) beside what it trusts already. */
export function trustInThisProcess(caCertificate: string): void {
  tls.setDefaultCACertificates([...tls.getCACertificates('default'), caCertificate]);
}

/**
 * The library's dependency injection asks for the metadata of decorated classes at load time and won't load without a
 * Reflect polyfill. None of those classes takes constructor arguments, so "no metadata" is the true answer.
 */
async function loadX509(): Promise<typeof X509> {
  for (const name of ['getMetadata', 'getOwnMetadata']) {
    if (!(name in Reflect)) Object.defineProperty(Reflect, name, { value: () => undefined, configurable: true });
  }
  return import('@peculiar/x509');
}
