import type { NewMessage } from '../engine/message.ts';
import type { CorrelationFilter } from '../engine/options.ts';
import { types } from './rhea-internals.ts';
import { applicationProperties, property } from './wire-message.ts';
import type { PropertyName, WireMessage } from './wire-message.ts';

const propertyNames = {
  correlationId: 'correlationId',
  messageId: 'messageId',
  to: 'to',
  replyTo: 'replyTo',
  subject: 'subject',
  sessionId: 'groupId',
  replyToSessionId: 'replyToGroupId',
  contentType: 'contentType',
} as const satisfies Record<string, PropertyName>;

/** Whether everything that the filter names is equal in the message. */
export function matchesCorrelationFilter(
  filter: CorrelationFilter | undefined,
  { payload }: NewMessage<WireMessage>,
): boolean {
  if (filter === undefined) return true;
  for (const [name, wireName] of Object.entries(propertyNames)) {
    const wanted = filter[name as keyof typeof propertyNames];
    if (wanted !== undefined && property(payload, wireName) !== wanted) return false;
  }
  const given = applicationProperties(payload);
  return Object.entries(filter.applicationProperties ?? {}).every(([name, wanted]) => {
    const value = given.get(name);
    return value !== undefined && types.unwrap(value) === wanted;
  });
}
