import type { ServiceBusClient, ServiceBusReceivedMessage, ServiceBusReceiver } from '@azure/service-bus';
import type { ServiceBusSettings } from '../configuration/host-json.ts';

/** Where a trigger listens. */
export interface Entity {
  path: string;
  receiverOf: [queueName: string] | [topicName: string, subscriptionName: string];
}

/** Runs the function for a message and settles it. Never throws. */
export type ProcessMessage = (receiver: ServiceBusReceiver, message: ServiceBusReceivedMessage) => Promise<void>;

export interface ListenerOptions {
  client: ServiceBusClient;
  entity: Entity;
  hostSettings: ServiceBusSettings;
  processMessage: ProcessMessage;
  report: (what: string, error: unknown) => void;
}

export interface Listener {
  /** Takes no more messages; resolves when those that were taken are settled. */
  stop(): Promise<void>;
}
