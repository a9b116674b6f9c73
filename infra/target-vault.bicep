metadata description = 'Lets Keyfleet distribute keys to one existing vault. Deploy it to the resource group of that vault.'

@description('Name of the vault, which must be in this resource group and use Azure RBAC.')
param vaultName string

@description('Object id of the principal that Keyfleet signs in to the vault with: its own identity, or the service principal of the provider\'s credentials.')
param principalId string

// Five actions and no more: what distributing, rotating, disabling and removing keys needs. No use of a key
// (sign, unwrap), no backup, no recovery, no purge.
resource keyDistributor 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(resourceGroup().id, 'keyfleet-key-distributor')
  properties: {
    // Names of custom roles are unique in a tenant.
    roleName: 'Keyfleet Key Distributor (${uniqueString(resourceGroup().id)})'
    description: 'Creates, imports, reads, updates and deletes keys of Key Vaults.'
    type: 'CustomRole'
    assignableScopes: [resourceGroup().id]
    permissions: [
      {
        actions: []
        notActions: []
        dataActions: [
          'Microsoft.KeyVault/vaults/keys/create/action'
          'Microsoft.KeyVault/vaults/keys/delete'
          'Microsoft.KeyVault/vaults/keys/import/action'
          'Microsoft.KeyVault/vaults/keys/read'
          'Microsoft.KeyVault/vaults/keys/update/action'
        ]
        notDataActions: []
      }
    ]
  }
}

resource vault 'Microsoft.KeyVault/vaults@2026-02-01' existing = {
  name: vaultName
}

resource distributesKeys 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault.id, principalId, keyDistributor.name)
  scope: vault
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', keyDistributor.name)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}

@description('Resource id of the role definition.')
output roleDefinitionId string = keyDistributor.id
