import type { TokenCredential } from '@azure/identity';
import { ServiceBusClient } from '@azure/service-bus';
import { readSetting, type Settings } from '../configuration/settings.ts';

/** Long waits of the client can't be interrupted, so that none may be long. */
const operationTimeoutMilliseconds = 1500;

/**
 * A client for the connection that a trigger names: `<name>__fullyQualifiedNamespace` with the host's credential, or a
 * connection string in the setting itself.
 * @throws Error when neither is there
 */
export function connect(name: string, settings: Settings, credential: TokenCredential | undefined): ServiceBusClient {
  const options = {
    retryOptions: {
      timeoutInMs: operationTimeoutMilliseconds,
      maxRetries: 3,
      retryDelayInMs: 250,
      maxRetryDelayInMs: 1000,
    },
  };
  const namespace = readSetting(settings, `${name}__fullyQualifiedNamespace`);
  if (namespace !== undefined && credential) return new ServiceBusClient(namespace, credential, options);
  const connectionString = readSetting(settings, name) ?? readSetting(settings, `AzureWebJobs${name}`);
  if (connectionString !== undefined) return new ServiceBusClient(connectionString, options);
  throw new Error(
    `Service Bus connection '${name}' has neither a namespace with a credential nor a connection string.`,
  );
}

/** What the client keeps to itself: its AMQP connection. */
interface ConnectionHolder {
  _connectionContext?: { connection?: { _connection?: NodeJS.EventEmitter } };
}

/**
 * Closes the client and gives up what still waits for an answer: a link that is being attached would wait for its
 * minute, and keep the process alive for as long.
 */
export async function disconnect(client: ServiceBusClient): Promise<void> {
  await client.close();
  const connection = (client as unknown as ConnectionHolder)._connectionContext?.connection?._connection;
  connection?.emit('disconnected', { connection, error: new Error('The connection was closed.') });
}
