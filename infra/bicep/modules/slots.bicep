// The resource group that slots live in, and nothing else: what the scaler may create and delete ends at its border.

import { roles } from 'roles.bicep'

@description('Name that the parts begin with.')
@minLength(3)
@maxLength(50)
param name string

@description('Azure region.')
@minLength(3)
param location string

@description('Tags of the parts.')
param tags object

@description('Object id of the scaler\'s identity.')
@minLength(36)
@maxLength(36)
param principalId string

@description('Groups that Azure keeps ready; 0 for no standby pool.')
@minValue(0)
@maxValue(2000)
param standbySize int

@description('Image of the standby groups; needed with a standby pool.')
@maxLength(255)
param standbyImage string

@description('Memory of a standby group, GB.')
@minValue(1)
@maxValue(16)
param standbyMemoryGb int

@description('The port that standby containers listen on.')
@minValue(1)
@maxValue(65535)
param port int

@description('Resource id of a subnet for private addresses; empty for public ones.')
@maxLength(400)
param subnetId string

@description('Object id of the Standby Pool Resource Provider in this tenant; needed with a standby pool.')
@maxLength(36)
param standbyProviderId string

resource pull 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: '${name}-slots'
  location: location
  tags: tags
}

resource scalerOfGroups 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: resourceGroup()
  name: guid(resourceGroup().id, principalId, roles.containerInstancesContributor)
  properties: {
    description: 'Creates, reads and deletes container groups of this resource group: the purpose of the scaler.'
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.containerInstancesContributor)
  }
}

resource operatorOfPull 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: pull
  name: guid(pull.id, principalId, roles.managedIdentityOperator)
  properties: {
    description: 'Gives container groups this one identity, by which they pull their images; no other identity can be handed on.'
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.managedIdentityOperator)
  }
}

resource profile 'Microsoft.ContainerInstance/containerGroupProfiles@2025-09-01' = if (standbySize > 0) {
  name: '${name}-standby'
  location: location
  tags: tags
  properties: {
    sku: 'Standard'
    osType: 'Linux'
    restartPolicy: 'Never'
    containers: [
      {
        // The scaler looks for this name.
        name: 'function'
        properties: {
          image: standbyImage
          ports: [{ port: port, protocol: 'TCP' }]
          resources: { requests: { cpu: 1, memoryInGB: standbyMemoryGb } }
        }
      }
    ]
    ipAddress: {
      type: empty(subnetId) ? 'Public' : 'Private'
      ports: [{ port: port, protocol: 'TCP' }]
    }
  }
}

resource providerOfGroups 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (standbySize > 0) {
  scope: resourceGroup()
  name: guid(resourceGroup().id, standbyProviderId, roles.containerInstancesContributor)
  properties: {
    description: 'The Azure provider of standby pools fills the pool on its own account: it creates groups of this resource group.'
    principalId: standbyProviderId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.containerInstancesContributor)
  }
}

resource pool 'Microsoft.StandbyPool/standbyContainerGroupPools@2025-03-01' = if (standbySize > 0) {
  name: '${name}-standby'
  location: location
  tags: tags
  properties: {
    elasticityProfile: { maxReadyCapacity: standbySize, refillPolicy: 'always' }
    containerGroupProperties: {
      containerGroupProfile: { id: profile.id, revision: 1 }
      subnetIds: empty(subnetId) ? [] : [{ id: subnetId }]
    }
  }
  dependsOn: [providerOfGroups]
}

@description('Resource id of the identity by which slots pull.')
output pullIdentityId string = pull.id

@description('Object id of the identity by which slots pull.')
output pullPrincipalId string = pull.properties.principalId

@description('Resource id of the standby pool; empty without one.')
output standbyPoolId string = standbySize > 0 ? pool.id : ''

@description('Resource id of the standby groups\' profile; empty without one.')
output standbyProfileId string = standbySize > 0 ? profile.id : ''
