metadata description = 'Two accounts, both without account keys: the host account belongs to the Functions host, the state account to Keyfleet. Owning the blobs of the one gives nothing in the other.'

@description('Region of the accounts.')
param location string

@description('Name of the account of the Functions host: its leases and the code package.')
param hostAccountName string

@description('Name of the account that holds Keyfleet\'s tables.')
param stateAccountName string

@description('Redundancy of the state account. What it holds exists nowhere else.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS', 'Standard_RAGRS', 'Standard_RAGZRS'])
param stateRedundancy string

@description('Whether the state account is locked against deletion.')
param deletionLock bool

@description('Object id of the identity that uses both accounts.')
param principalId string

@description('Tags of every resource.')
param tags object

var storageBlobDataOwner = 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
var storageTableDataContributor = '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'

var accountProperties = {
  allowBlobPublicAccess: false
  allowCrossTenantReplication: false
  allowSharedKeyAccess: false
  defaultToOAuthAuthentication: true
  minimumTlsVersion: 'TLS1_2'
  publicNetworkAccess: 'Enabled'
  supportsHttpsTrafficOnly: true
}

resource hostAccount 'Microsoft.Storage/storageAccounts@2026-04-01' = {
  name: hostAccountName
  location: location
  kind: 'StorageV2'
  tags: tags
  sku: {
    name: 'Standard_LRS'
  }
  properties: accountProperties

  resource blobs 'blobServices' = {
    name: 'default'
    properties: {
      deleteRetentionPolicy: {
        enabled: true
        days: 7
      }
    }

    resource packages 'containers' = {
      name: 'app-package'
      properties: {
        publicAccess: 'None'
      }
    }
  }
}

resource stateAccount 'Microsoft.Storage/storageAccounts@2026-04-01' = {
  name: stateAccountName
  location: location
  kind: 'StorageV2'
  tags: tags
  sku: {
    name: stateRedundancy
  }
  properties: accountProperties
}

resource stateLock 'Microsoft.Authorization/locks@2020-05-01' = if (deletionLock) {
  name: 'keyfleet-state'
  scope: stateAccount
  properties: {
    level: 'CanNotDelete'
    notes: 'Holds the only copy of the keys that Keyfleet owns.'
  }
}

resource ownsHostBlobs 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(hostAccount.id, principalId, storageBlobDataOwner)
  scope: hostAccount
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', storageBlobDataOwner)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}

resource writesStateTables 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(stateAccount.id, principalId, storageTableDataContributor)
  scope: stateAccount
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', storageTableDataContributor)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}

@description('Blob endpoint of the host account.')
output hostBlobEndpoint string = hostAccount.properties.primaryEndpoints.blob

@description('Container that the code package is deployed to.')
output packageContainerUrl string = '${hostAccount.properties.primaryEndpoints.blob}${hostAccount::blobs::packages.name}'

@description('Table endpoint of the state account.')
output stateTableEndpoint string = stateAccount.properties.primaryEndpoints.table
