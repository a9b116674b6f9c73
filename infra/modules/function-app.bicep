metadata description = 'The Flex Consumption app. Every service is reached with the one identity; no setting is a secret.'

@description('Region of the app.')
param location string

@description('Name of the app, the first part of its address.')
param name string

@description('Name of the plan, which holds this app alone.')
param planName string

@description('Resource id of the identity.')
param identityId string

@description('Client id of the identity.')
param identityClientId string

@description('Container that the code package is deployed to.')
param packageContainerUrl string

@description('Blob endpoint of the account of the Functions host.')
param hostBlobEndpoint string

@description('Table endpoint of the state account.')
param stateTableEndpoint string

@description('Host name of the Service Bus namespace.')
param serviceBusNamespace string

@description('Address of the home vault.')
param homeVaultUri string

@description('Name of the root key in the home vault.')
param rootKeyName string

@description('Client id of the Entra application that stands for the service: what callers ask their tokens for. Empty: nobody can sign in with Entra yet.')
param audience string

@description('Key pairs that are kept ready: type of key -> how many.')
param keyPool object

@description('Connection string of Application Insights.')
param applicationInsightsConnectionString string

@description('Most instances that each function, and HTTP as a whole, is scaled out to.')
param maximumInstanceCount int

@description('Instances that are kept ready for HTTP.')
param alwaysReadyInstanceCount int

@description('Subnet for outbound traffic, delegated to Microsoft.App/environments; empty: none.')
param outboundSubnetId string

@description('Tags of every resource.')
param tags object

var settings = {
  AzureWebJobsStorage__blobServiceUri: hostBlobEndpoint
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identityClientId
  ServiceBus__fullyQualifiedNamespace: serviceBusNamespace
  ServiceBus__credential: 'managedidentity'
  ServiceBus__clientId: identityClientId
  APPLICATIONINSIGHTS_CONNECTION_STRING: applicationInsightsConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
  KEYFLEET_TENANT_ID: tenant().tenantId
  KEYFLEET_AUDIENCE: audience
  KEYFLEET_IDENTITY_CLIENT_ID: identityClientId
  KEYFLEET_TABLES_ENDPOINT: stateTableEndpoint
  KEYFLEET_HOME_VAULT_URI: homeVaultUri
  KEYFLEET_ROOT_KEY_NAME: rootKeyName
  KEYFLEET_KEY_POOL: string(keyPool)
}

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: planName
  location: location
  kind: 'functionapp'
  tags: tags
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2025-03-01' = {
  name: name
  location: location
  kind: 'functionapp,linux'
  // azd finds the place to deploy to by this tag: the service's name in azure.yaml.
  tags: union(tags, { 'azd-service-name': 'api' })
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    clientAffinityEnabled: false
    publicNetworkAccess: 'Enabled'
    sshEnabled: false
    // Closes /admin, even to the master key. Azure takes it but the published types lack it.
    #disable-next-line BCP037
    functionsRuntimeAdminIsolationEnabled: true
    virtualNetworkSubnetId: empty(outboundSubnetId) ? null : outboundSubnetId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packageContainerUrl
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: {
        name: 'node'
        version: '24'
      }
      scaleAndConcurrency: {
        instanceMemoryMB: 2048
        maximumInstanceCount: maximumInstanceCount
        alwaysReady: alwaysReadyInstanceCount == 0 ? [] : [{ name: 'http', instanceCount: alwaysReadyInstanceCount }]
      }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      appSettings: map(items(settings), setting => { name: setting.key, value: setting.value })
    }
  }
}

@description('Name of the app.')
output name string = app.name

@description('Address of the app.')
output url string = 'https://${app.properties.defaultHostName}'
