import { createPrivateKey, type KeyObject } from 'node:crypto';
import { createAccessControl, type AccessControl, type VaultAccess } from './access.ts';
import type { Backups } from './backups.ts';
import type { KeyVersion } from './keys/key-version.ts';
import { createRotationSchedule, type RotationSchedule } from './keys/rotation-schedule.ts';
import { keyKind, secretKind } from './object-kind.ts';
import { createObjectStore, type ObjectStore, type StoreContents } from './object-store.ts';
import type { SecretVersion } from './secrets/secret-version.ts';
import type { ThrottleOptions } from './vault-limits.ts';
import { createTokenSessions, type TokenSessions } from './token-sessions.ts';

/** A vault as the control plane makes it. */
export interface VaultOptions {
  /** 3 to 24 letters, digits and single hyphens, the first a letter. */
  name: string;
  /** Standard vaults have software keys only. */
  sku: 'standard' | 'premium';
  tenantId: string;
  /** Of the host name and of the token audience; `vault.localhost` unless given. */
  dnsSuffix?: string;
  /** 7 to 90, 90 unless given. */
  softDeleteRetentionDays?: number;
  purgeProtection?: boolean;
  access: VaultAccess;
  /** Of the listener that serves this vault alone; 0, the default, for any that is free. */
  port?: number;
  /** In the place of what all vaults have. */
  throttle?: ThrottleOptions;
}

/** What all vaults of one stand-in share. Lags are measured with `now`. */
export interface VaultEnvironment {
  now: () => Date;
  deletionLagMilliseconds: number;
  recoveryLagMilliseconds: number;
  disabledKeysStillUsePublicKey: boolean;
  backups: Backups;
}

/** Everything in a vault, as plain data. */
export interface VaultContents {
  keys: StoreContents<KeyVersion>;
  secrets: StoreContents<SecretVersion>;
}

/** One vault: its settings and everything in it. */
export interface Vault {
  readonly name: string;
  readonly sku: 'standard' | 'premium';
  readonly tenantId: string;
  /** `<name>.<dns suffix>` */
  readonly hostname: string;
  /** Audience of the tokens it takes: `https://<dns suffix>`. */
  readonly resource: string;
  /** Of the listener that serves this vault alone. */
  readonly ownPort: number;
  /** E.g. `Recoverable+Purgeable`. */
  readonly recoveryLevel: string;
  readonly recoverableDays: number;
  readonly access: AccessControl;
  readonly sessions: TokenSessions;
  /** Undefined: as all vaults. */
  throttle: ThrottleOptions | undefined;
  /** Client addresses that the firewall lets through; undefined: all. */
  allowedAddresses: readonly string[] | undefined;
  readonly keys: ObjectStore<KeyVersion>;
  readonly rotations: RotationSchedule;
  readonly secrets: ObjectStore<SecretVersion>;
  readonly backups: Backups;
  /** Private keys, parsed on first use. */
  privateKeyOf(version: KeyVersion): KeyObject;
  /** Whether the host (with port, as in a URL) is one of this vault's own. */
  answersTo(host: string): boolean;
  /** Whether encrypt, wrapKey and verify still work with a disabled key. */
  readonly disabledKeysStillUsePublicKey: boolean;
  readonly now: () => Date;
}

const fullRetentionDays = 90;

/** @throws Error for options that Azure would refuse */
export function createVault(
  options: VaultOptions,
  environment: VaultEnvironment,
  ownPort: number,
  contents?: VaultContents,
): Vault {
  const { name, sku, tenantId, dnsSuffix = 'vault.localhost', purgeProtection = false } = options;
  const { now } = environment;
  const recoverableDays = options.softDeleteRetentionDays ?? fullRetentionDays;
  if (!/^(?!.*--)[a-zA-Z][0-9a-zA-Z-]{1,22}[0-9a-zA-Z]$/.test(name)) throw new Error(`Not a vault name: '${name}'.`);
  if (!Number.isInteger(recoverableDays) || recoverableDays < 7 || recoverableDays > fullRetentionDays) {
    throw new Error('softDeleteRetentionDays must be from 7 to 90.');
  }
  const hostname = `${name}.${dnsSuffix}`.toLowerCase();
  const privateKeys = new WeakMap<KeyVersion, KeyObject>();
  const rotations = createRotationSchedule();
  const common = {
    now,
    purgeProtection,
    softDeleteRetentionDays: recoverableDays,
    deletionLagMilliseconds: environment.deletionLagMilliseconds,
    recoveryLagMilliseconds: environment.recoveryLagMilliseconds,
  };
  return {
    name,
    sku,
    tenantId,
    hostname,
    resource: `https://${dnsSuffix}`,
    ownPort,
    recoveryLevel: `${recoverableDays < fullRetentionDays ? 'Customized' : ''}Recoverable${purgeProtection ? '' : '+Purgeable'}`,
    recoverableDays,
    access: createAccessControl(name, options.access),
    sessions: createTokenSessions(now),
    throttle: options.throttle,
    allowedAddresses: undefined,
    keys: createObjectStore<KeyVersion>({
      kind: keyKind,
      ...common,
      ...(contents ? { contents: contents.keys } : {}),
      onChange: (object) => rotations.reschedule(object),
    }),
    rotations,
    secrets: createObjectStore<SecretVersion>({
      kind: secretKind,
      ...common,
      ...(contents ? { contents: contents.secrets } : {}),
    }),
    backups: environment.backups,
    privateKeyOf(version) {
      const known = privateKeys.get(version);
      if (known) return known;
      const key = createPrivateKey({ key: version.privateKey, format: 'der', type: 'pkcs8' });
      privateKeys.set(version, key);
      return key;
    },
    answersTo(host) {
      const { hostname: asked, port } = new URL(`https://${host}`);
      return asked.toLowerCase() === hostname || port === String(ownPort);
    },
    disabledKeysStillUsePublicKey: environment.disabledKeysStillUsePublicKey,
    now,
  };
}

export const secondsOf = (date: Date): number => Math.floor(date.getTime() / 1000);
