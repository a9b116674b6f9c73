import type { AzureAddresses } from './addresses.ts';

/** @returns what a person who has just started the stand-ins wants to know. */
export function announcement(
  addresses: AzureAddresses,
  options: { output: string; app: { url: string; functions: readonly { name: string }[] } | undefined },
): string {
  const { output, app } = options;
  const vaults = Object.entries(addresses.vaults).map(([name, { url }]) => `    ${name.padEnd(24)} ${url}`);
  const functions = app?.functions.map(({ name }) => name).join(', ');
  return `
Azure's stand-ins are ready

  Entra                     ${addresses.authorityHost}
  Managed identity          ${addresses.identityEndpoint}
  Service Bus               ${addresses.serviceBus}   AMQP over TLS
  Table Storage             ${addresses.tables}   Azurite
  Key Vault, by vault:
${vaults.length === 0 ? '    none' : vaults.join('\n')}
${app ? `\n  The app                   ${app.url}   ${functions === '' ? 'without functions' : functions}\n` : ''}
  Identities and all else:  ${output}
  Certificate authority:    ${addresses.caFile}

Nothing is kept after the end. Ctrl+C stops everything.
`;
}
