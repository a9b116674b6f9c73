import { mostDeadLetters, type DeadLetter, type DeadLetters } from '../../dead-letters.ts';
import { KeyfleetError } from '../../errors.ts';
import type { MountStore } from '../../state/mounts.ts';
import { type BuiltinReply, type BuiltinRoute, defineBuiltinRoute } from '../builtin.ts';
import { invalidRequest } from '../errors.ts';

export interface DeadLetterRoutesOptions {
  deadLetters: DeadLetters;
  mounts: Pick<MountStore, 'read'>;
}

/** In place of an id: all that are listed. */
const all = 'all';

/**
 * `sys/dead-letters`, an extension: what the queue gave up on. Needs `sudo`, because a letter tells about every mount.
 */
export function createDeadLetterRoutes({ deadLetters, mounts }: DeadLetterRoutesOptions): BuiltinRoute[] {
  async function pathsByUuid(): Promise<ReadonlyMap<string, string>> {
    return new Map((await mounts.read()).mounts.map(({ uuid, path }) => [uuid, path]));
  }

  async function find(id: string): Promise<DeadLetter | undefined> {
    const { letters, more } = await deadLetters.list();
    const found = letters.find((letter) => letter.id === id);
    if (found === undefined && more) {
      throw new KeyfleetError(
        'conflict',
        `dead letter "${id}" is not among the oldest ${mostDeadLetters}: replay or drop some of those first`,
      );
    }
    return found;
  }

  async function existing(id: string): Promise<DeadLetter> {
    const letter = await find(id);
    if (letter === undefined) throw new KeyfleetError('not_found', `there is no dead letter "${id}"`);
    return letter;
  }

  async function changeOne(id: string, change: (ids: string[]) => Promise<readonly string[]>): Promise<BuiltinReply> {
    const changed = await change([id]);
    if (changed.length === 0) {
      throw new KeyfleetError('unavailable', `dead letter "${id}" is being handled by somebody else: try again`);
    }
    return {};
  }

  async function replayAll(): Promise<BuiltinReply> {
    const { letters } = await deadLetters.list();
    const ours = letters.filter(({ content }) => content.kind === 'ours');
    const replayed = ours.length === 0 ? [] : await deadLetters.replay(ours.map(({ id }) => id));
    return { data: { replayed: replayed.length, ...(await whatIsLeft()) } };
  }

  async function dropAll(): Promise<BuiltinReply> {
    const { letters } = await deadLetters.list();
    const dropped = letters.length === 0 ? [] : await deadLetters.drop(letters.map(({ id }) => id));
    return { data: { dropped: dropped.length, ...(await whatIsLeft()) } };
  }

  async function whatIsLeft(): Promise<{ left: number; more: boolean }> {
    const { letters, more } = await deadLetters.list();
    return { left: letters.length, more };
  }

  return [
    defineBuiltinRoute({
      path: 'dead-letters',
      synopsis: 'Lists the messages that the queue gave up on.',
      fields: {},
      async list() {
        const [{ letters, more }, paths] = await Promise.all([deadLetters.list(), pathsByUuid()]);
        return {
          keys: letters.map(({ id }) => id),
          keyInfo: Object.fromEntries(letters.map((letter) => [letter.id, summaryOf(letter, paths)])),
          warnings: more
            ? [`there are more than the oldest ${mostDeadLetters}: the others show once some of these are gone`]
            : [],
        };
      },
    }),

    defineBuiltinRoute({
      path: 'dead-letters/:id',
      synopsis: 'Shows or drops a message that the queue gave up on; drops "all" that are listed.',
      fields: {},
      async read({ parameters }) {
        const letter = await find(parameters.id);
        if (letter === undefined) return undefined;
        return { data: { id: letter.id, ...summaryOf(letter, await pathsByUuid()), ...contentsOf(letter) } };
      },
      async delete({ parameters: { id } }) {
        if (id === all) return dropAll();
        await existing(id);
        return changeOne(id, (ids) => deadLetters.drop(ids));
      },
    }),

    defineBuiltinRoute({
      path: 'dead-letters/:id/replay',
      synopsis: 'Sends a message that the queue gave up on once more, or "all" of ours that are listed.',
      fields: {},
      async write({ parameters: { id } }) {
        if (id === all) return replayAll();
        const { content } = await existing(id);
        if (content.kind === 'foreign') {
          throw invalidRequest(`dead letter "${id}" is not a message of this service: it can be dropped, not replayed`);
        }
        return changeOne(id, (ids) => deadLetters.replay(ids));
      },
    }),
  ];
}

function summaryOf(
  { reason, description, deliveryCount, enqueuedTime, content }: DeadLetter,
  pathsByUuid: ReadonlyMap<string, string>,
): Record<string, unknown> {
  const common = { reason, description, delivery_count: deliveryCount, enqueued_time: enqueuedTime.toISOString() };
  if (content.kind === 'foreign') return { ...common, foreign: true };
  const { mount, key, provider } = content;
  return {
    ...common,
    foreign: false,
    // A mount that is gone has no path any more.
    mount: pathsByUuid.get(mount) ?? '',
    mount_uuid: mount,
    ...(key !== undefined && { key }),
    provider,
  };
}

function contentsOf({ content }: DeadLetter): Record<string, unknown> {
  return content.kind === 'ours'
    ? { body: content.body }
    : { body_size: content.sizeBytes, body_sha256: content.sha256 };
}
