metadata description = 'The home vault: one HSM key, which wraps the data keys that encrypt Keyfleet\'s state.'

@description('Region of the vault.')
param location string

@description('Name of the vault.')
@maxLength(24)
param name string

@description('Object id of the identity that wraps and unwraps.')
param principalId string

@description('Log Analytics workspace that audit events go to.')
param workspaceId string

@description('Whether the vault is locked against deletion.')
param deletionLock bool

@description('Tags of every resource.')
param tags object

var keyVaultCryptoServiceEncryptionUser = 'e147488a-f6f5-4113-8e2d-b22465e65bf6'

resource vault 'Microsoft.KeyVault/vaults@2026-02-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: 'premium'
    }
    enableRbacAuthorization: true
    enablePurgeProtection: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    enabledForDeployment: false
    enabledForDiskEncryption: false
    enabledForTemplateDeployment: false
    publicNetworkAccess: 'Enabled'
  }
}

// Deploying again leaves an existing key as it is: Resource Manager only ever creates the first version.
resource rootKey 'Microsoft.KeyVault/vaults/keys@2026-02-01' = {
  parent: vault
  name: 'keyfleet-root'
  tags: tags
  properties: {
    kty: 'RSA-HSM'
    keySize: 3072
    keyOps: ['wrapKey', 'unwrapKey']
    attributes: {
      enabled: true
      exportable: false
    }
  }
}

resource wrapsAndUnwraps 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(rootKey.id, principalId, keyVaultCryptoServiceEncryptionUser)
  scope: rootKey
  properties: {
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      keyVaultCryptoServiceEncryptionUser
    )
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}

resource audit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'audit'
  scope: vault
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'AuditEvent'
        enabled: true
      }
    ]
  }
}

resource vaultLock 'Microsoft.Authorization/locks@2020-05-01' = if (deletionLock) {
  name: 'keyfleet-home-vault'
  scope: vault
  properties: {
    level: 'CanNotDelete'
    notes: 'Without its root key nothing that Keyfleet has stored can be decrypted.'
  }
}

@description('Address of the vault.')
output vaultUri string = vault.properties.vaultUri

@description('Name of the key that wraps the data keys.')
output rootKeyName string = rootKey.name
