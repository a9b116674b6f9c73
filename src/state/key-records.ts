/** Names a key: mounts are named by uuid, so that a mount enabled anew starts empty. */
export interface KeyReference {
  mount: string;
  key: string;
}

/** Names one distribution: this key in that provider's vault. */
export interface DistributionReference extends KeyReference {
  provider: string;
}

/** What should be true of a key, apart from its versions. */
export interface KeyRecord {
  type: string;
  latestVersion: number;
  /** Versions below are disabled everywhere; 0 enables all. */
  minEnabledVersion: number;
  deletionAllowed: boolean;
  createdTime: Date;
  /** Set once deletion has begun: the key no longer exists to callers. */
  deleting: boolean;
}

export interface VersionRecord {
  version: number;
  createdTime: Date;
  /** SubjectPublicKeyInfo, DER. */
  publicKey: Buffer;
}

/** Why a vault won't take what it should. */
export interface Refusal {
  /** Fit for the caller. */
  reason: string;
  time: Date;
  /** When it is tried again unasked; absent: only on request. */
  retryTime?: Date;
}

/**
 * A change to the key in its vault that is under way, or whose end nobody has recorded: what was wanted may have come to
 * pass unseen. Written before the change; until it ends, whoever else works on the distribution leaves the vault alone.
 */
export interface Attempt {
  /** The version that is imported, enabled or disabled, or which of {@link wholeKey} is done. */
  version: number;
  /** After this no call of the attempt is on its way any more. */
  until: Date;
  /** Uuid, unlike any other attempt's. */
  holder: string;
}

/** What an attempt is about if it isn't one version, in the place of the version's number. */
export const wholeKey = { deletion: 0, recovery: -1 } as const;

/** What should be true of a key in one vault, and how far that got. */
export interface DistributionRecord {
  provider: string;
  /** The key's name in the vault. */
  kmsName: string;
  purpose: readonly string[];
  protection: string;
  distributedTime: Date;
  /** Set when the key is to leave the vault. */
  removing: boolean;
  /** Absent: nothing is under way, and nothing happened unseen. */
  attempt?: Attempt;
  /** The vault said no; cleared when a request asks to try again. */
  refusal?: Refusal;
  /** Why the last try didn't get through, where the vault may yet accept it. */
  delay?: string;
  /** What was found under the key's name that we didn't put there. */
  strays?: readonly Stray[];
  /** What is done about deviations and strays; absent: they are repaired. `mend`: so are they, once, because it was asked for. */
  drift?: 'report' | 'ignore' | 'mend';
  /** How a key that was gone came back, in words. */
  restoration?: string;
}

/**
 * `foreign`: versions that aren't ours below our newest one. `foreign-on-top`: such a one is what consumers get who name
 * no version. `impostor`: one that bears our tags and other material.
 */
export type Stray = 'foreign' | 'foreign-on-top' | 'impostor';

/** How a version was found to differ from what we put there, or were about to. */
export type Deviation = 'missing' | 'material' | 'operations' | 'tags' | 'enabled';

/** One copy of a version in a vault. */
export interface Copy {
  /** Key Vault's own id of the version. */
  kmsVersion: string;
  /** As last confirmed or seen. */
  enabled: boolean;
  /** Whether it may be otherwise by now: a call to enable or disable it is on its way, or ended without anybody seeing how. */
  unsure?: boolean;
}

/** A version that the vault has confirmed. */
export interface PlacementRecord extends Copy {
  provider: string;
  version: number;
  /** When the vault said that it holds it so, be it in the reply to a change or to a read. */
  confirmedTime: Date;
  /** The vault's own time of the last change that we know of, in whole seconds. */
  updatedTime?: Date;
  /** When a read showed it; later ones that showed the same aren't recorded here. */
  readTime?: Date;
  /** Found at `readTime`, and not known to be mended. */
  deviations?: readonly Deviation[];
  /** More copies of the same version, which should not be: Key Vault can't delete them, so they are kept in step. */
  duplicates?: readonly Copy[];
}

export type Stored<T> = T & { etag: string };

export interface DistributionState {
  distribution: Stored<DistributionRecord>;
  /** In order of version. */
  placements: readonly PlacementRecord[];
}

/** A key with everything that depends on it, as of one read. */
export interface KeyState {
  reference: KeyReference;
  key: Stored<KeyRecord>;
  /** In order of version, without gaps from 1. */
  versions: readonly VersionRecord[];
  /** In order of provider name. */
  distributions: readonly DistributionState[];
}

/** A new version's material. `privateKey` is PKCS#8 DER; whoever made the buffer zeroes it. */
export interface VersionMaterial {
  createdTime: Date;
  publicKey: Buffer;
  privateKey: Buffer;
}
