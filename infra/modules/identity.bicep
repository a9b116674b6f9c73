metadata description = 'The identity that Keyfleet is in Azure. Roles are granted to it before the app exists, so the first start already has them.'

@description('Region of the identity.')
param location string

@description('Name of the user-assigned identity.')
param name string

@description('Tags of every resource.')
param tags object

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: name
  location: location
  tags: tags
}

@description('Resource id, by which the app carries the identity.')
output id string = identity.id

@description('Client id, by which the app asks for tokens.')
output clientId string = identity.properties.clientId

@description('Object id, to which roles are granted.')
output principalId string = identity.properties.principalId
