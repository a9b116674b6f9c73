import type { EntraOptions, EntraStandIn } from '../entra/index.ts';
import type { Faults } from '../faults.ts';
import type { KeyVaultOptions, KeyVaultStandIn } from '../key-vault/index.ts';
import type { LoopbackNames } from '../loopback-names.ts';
import type { ServiceBusOptions, ServiceBusStandIn } from '../service-bus/index.ts';

/** Absent or 0: any that is free. */
export interface ServicePorts {
  entra?: number | undefined;
  identity?: number | undefined;
  keyVault?: number | undefined;
  serviceBus?: number | undefined;
  tables?: number | undefined;
}

/** How the vaults behave in time and with disabled keys, and where their RSA keys come from. */
export type VaultBehaviour = Pick<
  KeyVaultOptions,
  'deletionLagMilliseconds' | 'recoveryLagMilliseconds' | 'disabledKeysStillUsePublicKey' | 'generateRsaKey'
>;

/** Everything that the stand-ins are told: who there is, what there is, and who may do what. */
export interface ServicesOptions
  extends
    Pick<EntraOptions, 'tenants' | 'applications' | 'managedIdentities' | 'resources'>,
    Pick<KeyVaultOptions, 'vaults'>,
    Pick<ServiceBusOptions, 'queues' | 'topics' | 'authorize'> {
  /** Host names of the authority beside `localhost` and `login.localhost`. */
  authorityNames: readonly string[];
  /** What the certificate must cover beside the names of every platform. */
  certificateNames: readonly string[];
  /** What this process shall resolve until the services stop. */
  loopbackNames: LoopbackNames;
  ports?: ServicePorts;
  /** Where all but messages is kept for the next start. Absent: nothing is kept. */
  dataDirectory?: string | undefined;
  faults: Faults;
  /** Of the vaults; real time unless given. */
  now?: (() => Date) | undefined;
  /** Of queues and topics; real time unless given. */
  brokerNow?: (() => Date) | undefined;
  vaultBehaviour?: VaultBehaviour;
  /** What the vaults hold to begin with: a snapshot of theirs. A data directory that has one goes before. */
  vaultContents?: Uint8Array | undefined;
  /** What needs no tables: it is done, and waited for, while the table server starts, which takes longest. */
  prepare?: (standIns: StandIns) => Promise<void>;
}

/** What runs in this process. */
export interface StandIns {
  /** PEM, and the file that holds it. */
  ca: string;
  caFile: string;
  entra: EntraStandIn;
  keyVault: KeyVaultStandIn;
  broker: ServiceBusStandIn;
}
