import {
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  jwksCache,
  type ExportedJWKSCache,
  type FlattenedJWSInput,
  type JWSHeaderParameters,
  type JWTVerifyGetKey,
} from 'jose';
import { KeyfleetError } from '../errors.ts';

export interface KeySetOptions {
  /** Where Entra publishes its signing keys. */
  url: URL;
  now: () => Date;
}

const refreshMilliseconds = 10 * 60 * 1000;
const timeoutMilliseconds = 5_000;
/** Keys stay good for as long as Entra can't be asked, up to a day: that is how far ahead it publishes new ones. */
const lastingMilliseconds = 24 * 60 * 60 * 1000;

/**
 * The keys that Entra signs tokens with, fetched when they are needed and kept.
 * @returns a getter that throws KeyfleetError `unavailable` if the keys can't be had: nothing is wrong with the token then
 */
export function createKeySet({ url, now }: KeySetOptions): JWTVerifyGetKey {
  const cache: Partial<ExportedJWKSCache> = {};
  const remote = createRemoteJWKSet(url, {
    cacheMaxAge: refreshMilliseconds,
    timeoutDuration: timeoutMilliseconds,
    [jwksCache]: cache as ExportedJWKSCache,
  });

  async function fromLastKnown(outage: unknown, header: JWSHeaderParameters, token: FlattenedJWSInput) {
    const unavailable = new KeyfleetError('unavailable', 'the keys that Entra signs tokens with cannot be read', {
      cause: outage,
    });
    const { jwks, uat } = cache;
    if (jwks === undefined || uat === undefined || now().getTime() - uat > lastingMilliseconds) throw unavailable;
    try {
      return await createLocalJWKSet(jwks)(header, token);
    } catch {
      // Perhaps a key that was published since.
      throw unavailable;
    }
  }

  return async (header, token) => {
    try {
      return await remote(header, token);
    } catch (error) {
      if (isAnswer(error)) throw error;
      return fromLastKnown(error, header, token);
    }
  };
}

/** @returns whether the keys were read, and the token's isn't a usable one among them */
function isAnswer(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported
  );
}
