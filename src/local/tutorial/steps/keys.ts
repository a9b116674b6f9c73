import { createPublicKey } from 'node:crypto';
import type { KeyName, Paths, Tools } from '../context.ts';
import { FalseCheck } from '../false-check.ts';
import type { Report } from '../report.ts';
import type { Key } from '../shapes.ts';
import { keyShape } from '../shapes.ts';

const keyType = 'rsa-2048';
const keyBits = 2048;

/** Has the service make both keys. */
export async function writeKeys({ report, service }: Tools, paths: Paths): Promise<void> {
  for (const name of ['rsa-1', 'rsa-2'] as const) {
    await report.step(`Write the key ${name}`, () =>
      service.change({ verb: 'write', force: true, path: paths.key(name), fields: [['type', keyType]] }),
    );
  }
}

/**
 * Reads both keys.
 * @returns the public keys of their first versions, in PEM
 */
export async function readKeys(tools: Tools, paths: Paths): Promise<Record<KeyName, string>> {
  const first = await readNewKey(tools, paths, 'rsa-1');
  const second = await readNewKey(tools, paths, 'rsa-2');
  return { 'rsa-1': first, 'rsa-2': second };
}

async function readNewKey({ report, service }: Tools, paths: Paths, name: KeyName): Promise<string> {
  return report.step(`Read the key ${name}`, async () => {
    const key = await service.get({ verb: 'read', path: paths.key(name) }, keyShape);
    report.equal('name', key.name, name);
    report.equal('type', key.type, keyType);
    report.equal('latest_version', key.latest_version, 1);
    report.equal('versions', Object.keys(key.versions), ['1']);
    return checkedPublicKey(report, key, 1);
  });
}

/**
 * @returns the public key of a version, in PEM
 * @throws FalseCheck unless it is the SPKI of an RSA key of the right size
 */
export function checkedPublicKey(report: Report, key: Key, version: number): string {
  const pem = key.versions[version]?.public_key ?? '';
  const what = `public_key of version ${version}`;
  report.matches(`${what} begins`, pem.split('\n')[0] ?? '', /^-----BEGIN PUBLIC KEY-----$/);
  const publicKey = parse(what, pem);
  report.equal(
    `${what} is of type`,
    [publicKey.asymmetricKeyType, publicKey.asymmetricKeyDetails?.modulusLength],
    ['rsa', keyBits],
  );
  return pem;
}

function parse(what: string, pem: string) {
  try {
    return createPublicKey(pem);
  } catch (error) {
    throw new FalseCheck({ what, expected: 'a public key in PEM', seen: pem }, { cause: error });
  }
}
