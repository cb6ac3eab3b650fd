// A network in which slots have private addresses only.

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

@description('Addresses of the network, a /16 to /22.')
@minLength(9)
@maxLength(18)
param addressPrefix string

@description('Object id of the scaler\'s identity.')
@minLength(36)
@maxLength(36)
param principalId string

resource outbound 'Microsoft.Network/publicIPAddresses@2024-05-01' = {
  name: '${name}-out'
  location: location
  tags: tags
  sku: { name: 'Standard' }
  properties: { publicIPAllocationMethod: 'Static' }
}

// Container groups in a subnet have no way out of their own, and they pull images.
resource gateway 'Microsoft.Network/natGateways@2024-05-01' = {
  name: '${name}-nat'
  location: location
  tags: tags
  sku: { name: 'Standard' }
  properties: {
    publicIpAddresses: [{ id: outbound.id }]
    idleTimeoutInMinutes: 4
  }
}

// Nothing outside the network reaches a slot: the platform's default rules deny what comes from the internet, this says so in writing.
resource guard 'Microsoft.Network/networkSecurityGroups@2024-05-01' = {
  name: '${name}-guard'
  location: location
  tags: tags
  properties: {
    securityRules: [
      {
        name: 'no-internet-in'
        properties: {
          priority: 4000
          direction: 'Inbound'
          access: 'Deny'
          protocol: '*'
          sourceAddressPrefix: 'Internet'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
        }
      }
    ]
  }
}

resource network 'Microsoft.Network/virtualNetworks@2024-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: [addressPrefix] }
  }

  resource slots 'subnets' = {
    name: 'slots'
    properties: {
      addressPrefix: cidrSubnet(addressPrefix, 23, 0)
      natGateway: { id: gateway.id }
      networkSecurityGroup: { id: guard.id }
      delegations: [{ name: 'aci', properties: { serviceName: 'Microsoft.ContainerInstance/containerGroups' } }]
    }
  }

  // The scaler, on either host, reaches slots from here.
  resource scaler 'subnets' = {
    name: 'scaler'
    properties: {
      addressPrefix: cidrSubnet(addressPrefix, 23, 1)
      delegations: [{ name: 'app', properties: { serviceName: 'Microsoft.App/environments' } }]
    }
    dependsOn: [slots]
  }
}

resource joiner 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: network::slots
  name: guid(network::slots.id, principalId, roles.networkContributor)
  properties: {
    description: 'Puts container groups into this one subnet: that takes subnets/join/action, which no narrower built-in role has.'
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.networkContributor)
  }
}

@description('Resource id of the subnet of the slots.')
output slotsSubnetId string = network::slots.id

@description('Resource id of the subnet of the scaler.')
output scalerSubnetId string = network::scaler.id
