metadata description = 'Everything Keyfleet needs, in one resource group. Can be deployed by itself, without azd.'

@description('Region of every resource.')
param location string = resourceGroup().location

@description('Makes the names of the resources unique in Azure.')
@minLength(5)
@maxLength(13)
param resourceToken string = toLower(uniqueString(resourceGroup().id, location))

@description('Tags of every resource.')
param tags object = {}

@description('Redundancy of the account that holds the tables. What they hold exists nowhere else.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS', 'Standard_RAGRS', 'Standard_RAGZRS'])
param stateRedundancy string = 'Standard_ZRS'

@description('Whether the state account and the home vault are locked against deletion.')
param deletionLocks bool = false

@description('Days that logs are kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 90

@description('Most instances that each function, and HTTP as a whole, is scaled out to.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('Instances that are kept ready for HTTP; each costs money all the time.')
@minValue(0)
param alwaysReadyInstanceCount int = 0

@description('Subnet for outbound traffic, so that target vaults with private endpoints can be reached. Must be delegated to Microsoft.App/environments. Empty: none.')
param outboundSubnetId string = ''

@description('Client id of the Entra application that stands for the service: what callers ask their tokens for. Empty: nobody can sign in with Entra yet.')
param audience string = ''

@description('Key pairs that are kept ready, sealed, so that rotations need not wait for them: type of key -> how many.')
param keyPool object = {}

module identity 'modules/identity.bicep' = {
  params: {
    location: location
    name: 'id-keyfleet-${resourceToken}'
    tags: tags
  }
}

module monitoring 'modules/monitoring.bicep' = {
  params: {
    location: location
    workspaceName: 'log-keyfleet-${resourceToken}'
    componentName: 'appi-keyfleet-${resourceToken}'
    principalId: identity.outputs.principalId
    retentionDays: logRetentionDays
    tags: tags
  }
}

module storage 'modules/storage.bicep' = {
  params: {
    location: location
    hostAccountName: 'sthost${resourceToken}'
    stateAccountName: 'ststate${resourceToken}'
    stateRedundancy: stateRedundancy
    deletionLock: deletionLocks
    principalId: identity.outputs.principalId
    tags: tags
  }
}

module serviceBus 'modules/service-bus.bicep' = {
  params: {
    location: location
    name: 'sb-keyfleet-${resourceToken}'
    principalId: identity.outputs.principalId
    tags: tags
  }
}

module homeVault 'modules/home-vault.bicep' = {
  params: {
    location: location
    name: 'kv-${resourceToken}'
    principalId: identity.outputs.principalId
    workspaceId: monitoring.outputs.workspaceId
    deletionLock: deletionLocks
    tags: tags
  }
}

module functionApp 'modules/function-app.bicep' = {
  params: {
    location: location
    name: 'func-keyfleet-${resourceToken}'
    planName: 'plan-keyfleet-${resourceToken}'
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    packageContainerUrl: storage.outputs.packageContainerUrl
    hostBlobEndpoint: storage.outputs.hostBlobEndpoint
    stateTableEndpoint: storage.outputs.stateTableEndpoint
    serviceBusNamespace: serviceBus.outputs.fullyQualifiedNamespace
    homeVaultUri: homeVault.outputs.vaultUri
    rootKeyName: homeVault.outputs.rootKeyName
    applicationInsightsConnectionString: monitoring.outputs.connectionString
    maximumInstanceCount: maximumInstanceCount
    alwaysReadyInstanceCount: alwaysReadyInstanceCount
    outboundSubnetId: outboundSubnetId
    audience: audience
    keyPool: keyPool
    tags: tags
  }
}

@description('Name of the function app.')
output functionAppName string = functionApp.outputs.name

@description('Address of the service: what Vault\'s clients call VAULT_ADDR.')
output url string = functionApp.outputs.url

@description('Client id of the identity.')
output identityClientId string = identity.outputs.clientId

@description('Object id of the identity: what target vaults grant their role to.')
output identityPrincipalId string = identity.outputs.principalId

@description('Blob endpoint of the account of the Functions host.')
output hostBlobEndpoint string = storage.outputs.hostBlobEndpoint

@description('Table endpoint of the state account.')
output stateTableEndpoint string = storage.outputs.stateTableEndpoint

@description('Host name of the Service Bus namespace.')
output serviceBusNamespace string = serviceBus.outputs.fullyQualifiedNamespace

@description('Address of the home vault.')
output homeVaultUri string = homeVault.outputs.vaultUri

@description('Name of the root key.')
output rootKeyName string = homeVault.outputs.rootKeyName
