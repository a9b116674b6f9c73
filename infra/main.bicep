targetScope = 'subscription'

metadata description = 'Entry point of azd: a resource group and everything in it.'

@description('Name of the azd environment; names the resource group.')
@minLength(1)
@maxLength(64)
param environmentName string

@description('Region of every resource.')
@minLength(1)
@metadata({ azd: { type: 'location' } })
param location string

@description('Redundancy of the account that holds the tables.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS', 'Standard_RAGRS', 'Standard_RAGZRS'])
param stateRedundancy string = 'Standard_ZRS'

@description('Whether the state account and the home vault are locked against deletion.')
param deletionLocks bool = false

@description('Subnet for outbound traffic, delegated to Microsoft.App/environments; empty: none.')
param outboundSubnetId string = ''

@description('Client id of the Entra application that stands for the service: what callers ask their tokens for. Empty: nobody can sign in with Entra yet.')
param audience string = ''

@description('Key pairs that are kept ready, sealed, so that rotations need not wait for them: type of key -> how many.')
param keyPool object = {}

var tags = { 'azd-env-name': environmentName }

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

module resources 'resources.bicep' = {
  scope: group
  params: {
    location: location
    resourceToken: toLower(uniqueString(subscription().id, environmentName, location))
    tags: tags
    stateRedundancy: stateRedundancy
    deletionLocks: deletionLocks
    outboundSubnetId: outboundSubnetId
    audience: audience
    keyPool: keyPool
  }
}

@description('Resource group that holds everything.')
output AZURE_RESOURCE_GROUP string = group.name

@description('Name of the function app.')
output SERVICE_API_NAME string = resources.outputs.functionAppName

@description('Address of the service: what Vault\'s clients call VAULT_ADDR.')
output SERVICE_API_URI string = resources.outputs.url

@description('Tenant of the deployment.')
output KEYFLEET_TENANT_ID string = tenant().tenantId

@description('Client id of the identity.')
output KEYFLEET_IDENTITY_CLIENT_ID string = resources.outputs.identityClientId

@description('Object id of the identity: what target vaults grant their role to.')
output KEYFLEET_IDENTITY_PRINCIPAL_ID string = resources.outputs.identityPrincipalId

@description('Blob endpoint of the account of the Functions host.')
output KEYFLEET_HOST_BLOB_ENDPOINT string = resources.outputs.hostBlobEndpoint

@description('Table endpoint of the state account.')
output KEYFLEET_TABLES_ENDPOINT string = resources.outputs.stateTableEndpoint

@description('Host name of the Service Bus namespace.')
output KEYFLEET_SERVICE_BUS_NAMESPACE string = resources.outputs.serviceBusNamespace

@description('Address of the home vault.')
output KEYFLEET_HOME_VAULT_URI string = resources.outputs.homeVaultUri

@description('Name of the root key.')
output KEYFLEET_ROOT_KEY_NAME string = resources.outputs.rootKeyName
