import { z } from 'zod';
import { badParameter } from '../errors.ts';
import { parseBody } from '../fields.ts';
import { baseIdOf } from '../object-operations.ts';
import { ok, type OperationRequest, type Reply } from '../operation.ts';
import { secondsOf } from '../vault.ts';
import { keyView } from './bundle.ts';
import type { LifetimeAction, RotationPolicy } from './rotation-policy.ts';
import { parseDuration, roughDays, type Duration } from './duration.ts';

const notifyByDefault: LifetimeAction = { trigger: { timeBeforeExpiry: 'P30D' }, action: { type: 'Notify' } };
const shortestExpiryDays = 28;
/** From a version's creation to its rotation, and from there to its expiry. */
const shortestDistanceDays = 7;

const duration = z.string().refine((text) => parseDuration(text) !== undefined);
const trigger = z
  .object({ timeAfterCreate: duration.optional(), timeBeforeExpiry: duration.optional() })
  .refine((given) => (given.timeAfterCreate === undefined) !== (given.timeBeforeExpiry === undefined));
const policyBody = z.object({
  lifetimeActions: z.array(z.object({ trigger, action: z.object({ type: z.enum(['Rotate', 'Notify']) }) })).optional(),
  attributes: z.object({ expiryTime: duration.optional() }).optional(),
});

export function getRotationPolicy(request: OperationRequest): Reply {
  const object = request.vault.keys.live(request.name);
  if (object.rotationPolicy) return policyReply(request, object.name, object.rotationPolicy);
  return ok({ lifetimeActions: [notifyByDefault], attributes: null });
}

/** Replaces the whole policy. */
export function setRotationPolicy(request: OperationRequest): Reply {
  const body = parseBody(policyBody, request.body);
  const object = request.vault.keys.live(request.name);
  const expiryTime = body.attributes?.expiryTime;
  const actions = (body.lifetimeActions ?? []).map(({ trigger: when, action }) => ({
    trigger: definedOf(when),
    action,
  }));
  assertPossible(actions, expiryTime);
  const at = secondsOf(request.vault.now());
  object.rotationPolicy = {
    lifetimeActions: actions.some(({ action }) => action.type === 'Notify') ? actions : [...actions, notifyByDefault],
    ...(expiryTime === undefined ? {} : { expiryTime }),
    created: object.rotationPolicy?.created ?? at,
    updated: at,
  };
  request.vault.rotations.reschedule(object);
  return policyReply(request, object.name, object.rotationPolicy);
}

function policyReply(request: OperationRequest, name: string, policy: RotationPolicy): Reply {
  const { lifetimeActions, expiryTime, created, updated } = policy;
  return ok({
    id: `${baseIdOf(keyView, request, name)}/rotationpolicy`,
    lifetimeActions,
    attributes: { ...(expiryTime === undefined ? {} : { expiryTime }), created, updated },
  });
}

function definedOf(given: z.infer<typeof trigger>): LifetimeAction['trigger'] {
  if (given.timeAfterCreate !== undefined) return { timeAfterCreate: given.timeAfterCreate };
  return given.timeBeforeExpiry === undefined ? {} : { timeBeforeExpiry: given.timeBeforeExpiry };
}

function assertPossible(actions: readonly LifetimeAction[], expiryTime: string | undefined): void {
  const types = actions.map(({ action }) => action.type);
  if (new Set(types).size < types.length) throw badParameter('A rotation policy has one action of each type at most.');
  const lifetimeDays = expiryTime === undefined ? undefined : daysOf(expiryTime);
  if (lifetimeDays !== undefined && lifetimeDays < shortestExpiryDays) {
    throw badParameter(`expiryTime must be ${shortestExpiryDays} days at least.`);
  }
  const when = actions.find(({ action }) => action.type === 'Rotate')?.trigger;
  if (!when) return;
  if (when.timeBeforeExpiry !== undefined && lifetimeDays === undefined) {
    throw badParameter('A rotation before expiry needs an expiryTime.');
  }
  const sinceCreation =
    when.timeAfterCreate === undefined
      ? (lifetimeDays ?? 0) - daysOf(when.timeBeforeExpiry ?? '')
      : daysOf(when.timeAfterCreate);
  if (sinceCreation < shortestDistanceDays || (lifetimeDays ?? Infinity) - sinceCreation < shortestDistanceDays) {
    throw badParameter(`A rotation must be ${shortestDistanceDays} days from creation and from expiry at least.`);
  }
}

const daysOf = (text: string): number => roughDays(parseDuration(text) as Duration);
