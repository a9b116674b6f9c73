import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { KeyfleetError } from '../errors.ts';
import type { DataKeys } from './data-keys.ts';

/** Where a ciphertext lives. It opens nowhere else: rows, fields and versions can't be swapped. */
export interface Place {
  table: string;
  partition: string;
  row: string;
  field: string;
  /** Version of what is sealed; 0 where there is only one. */
  version: number;
}

export interface Encryption {
  /** Doesn't touch `plaintext`; zeroing it is the caller's. */
  seal(place: Place, plaintext: Uint8Array): Promise<Buffer>;
  /** @throws KeyfleetError `internal` if the bytes were altered or belong to another place. The caller zeroes the result. */
  open(place: Place, sealed: Uint8Array): Promise<Buffer>;
}

const format = 1;
const dataKeyIdLength = 16;
const nonceLength = 12;
const tagLength = 16;
const headerLength = 1 + dataKeyIdLength + nonceLength;

/**
 * AES-256-GCM under a data key. A sealed value is: format (1 byte), data key id (16), nonce (12), ciphertext, tag (16).
 */
export function createEncryption(dataKeys: DataKeys): Encryption {
  return {
    async seal(place, plaintext) {
      const { id, key } = await dataKeys.current();
      const nonce = randomBytes(nonceLength);
      const header = Buffer.concat([Buffer.of(format), id, nonce]);
      const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: tagLength });
      cipher.setAAD(associatedData(header, place));
      return Buffer.concat([header, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
    },

    async open(place, sealed) {
      if (sealed.length < headerLength + tagLength || sealed[0] !== format) throw damaged(place);
      const header = sealed.subarray(0, headerLength);
      const key = await dataKeys.byId(Buffer.from(header.subarray(1, 1 + dataKeyIdLength)));
      const decipher = createDecipheriv('aes-256-gcm', key, header.subarray(1 + dataKeyIdLength), {
        authTagLength: tagLength,
      });
      decipher.setAAD(associatedData(header, place));
      decipher.setAuthTag(sealed.subarray(-tagLength));
      const opened = decipher.update(sealed.subarray(headerLength, -tagLength));
      try {
        decipher.final();
      } catch (error) {
        opened.fill(0);
        throw damaged(place, error);
      }
      return opened;
    },
  };
}

/** Every part is preceded by its length, so that no two places read the same. */
function associatedData(header: Uint8Array, place: Place): Buffer {
  const parts = [place.table, place.partition, place.row, place.field, String(place.version)].map((part) =>
    Buffer.from(part),
  );
  const lengths = parts.map((part) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(part.length);
    return length;
  });
  return Buffer.concat([header, ...parts.flatMap((part, index) => [lengths[index] ?? Buffer.alloc(0), part])]);
}

function damaged(place: Place, cause?: unknown): KeyfleetError {
  return new KeyfleetError(
    'internal',
    `the stored ${place.field} of ${place.table} ${place.partition} ${place.row} is damaged or was moved`,
    { cause },
  );
}
