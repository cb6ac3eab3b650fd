// A registry for the images of slots and of the self-host, without an admin user.

import { roles } from 'roles.bicep'

@description('Name of the registry, unique in all of Azure.')
@minLength(5)
@maxLength(50)
param name string

@description('Azure region.')
@minLength(3)
param location string

@description('Tags of the registry.')
param tags object

@description('Object ids of the identities that pull: the scaler\'s and the slots\'.')
@minLength(1)
@maxLength(4)
param pullerIds string[]

resource registry 'Microsoft.ContainerRegistry/registries@2023-07-01' = {
  name: name
  location: location
  tags: tags
  // Only the larger sizes can let strangers pull.
  sku: { name: 'Basic' }
  properties: { adminUserEnabled: false }
}

resource pullers 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for pullerId in pullerIds: {
    scope: registry
    name: guid(registry.id, pullerId, roles.acrPull)
    properties: {
      description: 'Pulls images of this registry; nobody pushes from inside the deployment.'
      principalId: pullerId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.acrPull)
    }
  }
]

@description('Name of the registry.')
output name string = registry.name

@description('What images\' names begin with.')
output server string = registry.properties.loginServer
