// The storage account of the Functions host and of Durable: blobs, queues and tables, by identity only.

import { roles } from 'roles.bicep'

@description('Name of the account, unique in all of Azure.')
@minLength(3)
@maxLength(24)
param name string

@description('Azure region.')
@minLength(3)
param location string

@description('Tags of the account.')
param tags object

@description('Redundancy.')
@allowed(['Standard_LRS', 'Standard_ZRS'])
param sku string

@description('Object id of the scaler\'s identity.')
@minLength(36)
@maxLength(36)
param principalId string

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: sku }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    // Identities are asked for on the public endpoint too; a Flex app without a network needs it.
    publicNetworkAccess: 'Enabled'
    networkAcls: { defaultAction: 'Allow', bypass: 'AzureServices' }
  }

  resource blobs 'blobServices' = {
    name: 'default'

    resource packages 'containers' = {
      name: 'app-package'
      properties: { publicAccess: 'None' }
    }
  }

  resource queues 'queueServices' = {
    name: 'default'
  }

  resource tables 'tableServices' = {
    name: 'default'
  }
}

resource blobOwner 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: account
  name: guid(account.id, principalId, roles.storageBlobDataOwner)
  properties: {
    description: 'The host keeps leases, keys and the package of the app in blobs, and Durable its partitions. Setting the lease state of containers takes the owner of data.'
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataOwner)
  }
}

resource queueContributor 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: account
  name: guid(account.id, principalId, roles.storageQueueDataContributor)
  properties: {
    description: 'Work items and control messages of Durable are queues that it creates itself.'
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageQueueDataContributor)
  }
}

resource tableContributor 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: account
  name: guid(account.id, principalId, roles.storageTableDataContributor)
  properties: {
    description: 'Histories and instances of Durable are tables that it creates itself.'
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageTableDataContributor)
  }
}

@description('Name of the account.')
output name string = account.name

@description('Where blobs are.')
output blobEndpoint string = account.properties.primaryEndpoints.blob

@description('Where queues are.')
output queueEndpoint string = account.properties.primaryEndpoints.queue

@description('Where tables are.')
output tableEndpoint string = account.properties.primaryEndpoints.table

@description('The container that holds the app\'s package, as an address.')
output packageContainer string = '${account.properties.primaryEndpoints.blob}${account::blobs::packages.name}'
