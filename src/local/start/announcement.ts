import type { LocalFile } from './local-file.ts';

/** @returns what a person who has just started the platform wants to know. */
export function announcement(
  local: LocalFile,
  options: { localFile: string; dataDirectory: string | undefined },
): string {
  const { localFile, dataDirectory } = options;
  const vaults = Object.entries(local.vaults).map(([name, url]) => `    ${name.padEnd(24)} ${url}`);
  const [firstVault = ''] = Object.keys(local.vaults);
  return `
Keyfleet is ready at ${local.api}   (root token: ${local.token})

  In the place of Azure:
    Azure Functions          ${local.api}   runs the built app as the Functions host does
    Entra, managed identity  ${local.identityEndpoint}
    Table Storage            ${local.tables}   Azurite
    Service Bus              ${local.serviceBus}   AMQP over TLS
    Key Vault, by vault:
${vaults.join('\n')}

  ${dataDirectory ? `State is kept in ${dataDirectory}.` : 'Nothing is kept after the end; --data DIR keeps it.'}
  Addresses, token and certificate authority for other programs: ${localFile}

  Try:
    curl -H 'X-Vault-Token: ${local.token}' ${local.api}/v1/sys/mounts
    VAULT_ADDR=${local.api} VAULT_TOKEN=${local.token} vault secrets list
    npm run tutorial      creates a key and distributes it to ${firstVault}

Ctrl+C stops everything.
`;
}
