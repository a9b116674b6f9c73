import type { ServiceBusClient } from '@azure/service-bus';
import { resolveSettings, type Settings } from '../configuration/settings.ts';
import type { ServiceBusSettings } from '../configuration/host-json.ts';
import type { Invoker } from '../invoker.ts';
import type { LogSink } from '../logs.ts';
import type { RpcBinding } from '../rpc.ts';
import { InvocationLost } from '../worker-process.ts';
import { toMessageData } from './message-data.ts';
import type { Entity, Listener, ProcessMessage } from './listener.ts';
import { listenToQueue } from './queue-listener.ts';
import { listenToSessions } from './session-listener.ts';

export interface ServiceBusOptions {
  name: string;
  bindingName: string;
  binding: RpcBinding;
  settings: Settings;
  hostSettings: ServiceBusSettings;
  connect: (connectionName: string) => ServiceBusClient;
  invoker: Invoker;
  log: LogSink;
}

export interface ServiceBusFunction {
  start(): void;
  /** Takes no more messages; resolves when those that were taken are settled. */
  stop(): Promise<void>;
}

interface ServiceBusBinding {
  queueName?: string;
  topicName?: string;
  subscriptionName?: string;
  connection?: string;
  isSessionsEnabled?: boolean;
  autoCompleteMessages?: boolean;
  dataType?: string;
  cardinality?: string;
}

/**
 * A Service Bus function: each message is one run; a return completes it, a throw abandons it.
 * @throws Error for a trigger that this host can't serve
 */
export function createServiceBusFunction(options: ServiceBusOptions): ServiceBusFunction {
  const { name, bindingName, settings, hostSettings, invoker, log } = options;
  const binding = options.binding as RpcBinding & ServiceBusBinding;
  if (binding.cardinality?.toLowerCase() === 'many') throw new Error("Cardinality 'many' is not served here.");
  const entity = findEntity(binding, settings);
  const autoComplete = binding.autoCompleteMessages ?? hostSettings.autoCompleteMessages;
  const asBytes = binding.dataType?.toLowerCase() === 'binary';
  const client = options.connect(binding.connection ?? 'AzureWebJobsServiceBus');
  const report = (what: string, error: unknown): void => {
    const message = `${what} of '${entity.path}' for function '${name}' failed: ${String(error)}`;
    log({ category: 'Host.ServiceBus', level: 'error', message });
  };

  const settle = async (what: string, action: () => Promise<unknown>): Promise<void> => {
    try {
      await action();
    } catch (error) {
      report(what, error);
    }
  };

  const processMessage: ProcessMessage = async (receiver, message) => {
    try {
      const { data, triggerMetadata } = toMessageData(message, asBytes);
      await invoker.invoke(name, {
        reason: `New ServiceBus message detected on '${entity.path}'.`,
        inputData: [{ name: bindingName, data }],
        triggerMetadata,
      });
    } catch (error) {
      // Its lock runs out by itself.
      if (error instanceof InvocationLost) return;
      return settle('Abandoning a message', () => receiver.abandonMessage(message));
    }
    if (autoComplete) await settle('Completing a message', () => receiver.completeMessage(message));
  };

  let listener: Listener | undefined;
  return {
    start() {
      const listen = binding.isSessionsEnabled === true ? listenToSessions : listenToQueue;
      listener = listen({ client, entity, hostSettings, processMessage, report });
    },
    stop: async () => listener?.stop(),
  };
}

function findEntity(binding: ServiceBusBinding, settings: Settings): Entity {
  const { queueName, topicName, subscriptionName } = binding;
  if (queueName !== undefined) {
    const queue = resolveSettings(queueName, settings);
    return { path: queue, receiverOf: [queue] };
  }
  if (topicName === undefined || subscriptionName === undefined)
    throw new Error('A queue or a subscription is needed.');
  const topic = resolveSettings(topicName, settings);
  const subscription = resolveSettings(subscriptionName, settings);
  return { path: `${topic}/Subscriptions/${subscription}`, receiverOf: [topic, subscription] };
}
