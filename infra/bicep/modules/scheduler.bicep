// Durable Task Scheduler: the managed alternative to Durable's own use of the storage account.

import { roles } from 'roles.bicep'

@description('Name of the scheduler.')
@minLength(3)
@maxLength(64)
param name string

@description('Azure region; not every region has the service.')
@minLength(3)
param location string

@description('Tags of the scheduler.')
param tags object

@description('Billing: by operation, or by reserved capacity.')
@allowed(['Consumption', 'Dedicated'])
param sku string

@description('Name of the task hub.')
@minLength(3)
@maxLength(64)
param taskHubName string

@description('Object id of the scaler\'s identity.')
@minLength(36)
@maxLength(36)
param principalId string

resource scheduler 'Microsoft.DurableTask/schedulers@2025-11-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    // Whoever comes needs a role all the same; a Flex app has no address of its own to allow.
    ipAllowlist: ['0.0.0.0/0']
    sku: sku == 'Dedicated' ? { name: 'Dedicated', capacity: 1 } : { name: 'Consumption' }
  }

  resource hub 'taskHubs' = {
    name: taskHubName
  }
}

resource dataContributor 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: scheduler::hub
  name: guid(scheduler::hub.id, principalId, roles.durableTaskDataContributor)
  properties: {
    description: 'Runs orchestrations and entities in this one task hub; does not manage the scheduler.'
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.durableTaskDataContributor)
  }
}

@description('Address of the scheduler.')
output endpoint string = scheduler.properties.endpoint

@description('Name of the task hub.')
output taskHubName string = scheduler::hub.name
