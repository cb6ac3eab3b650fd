// The scaler as a Functions app on Flex Consumption. No setting holds a secret: everything is reached by identity.

@description('Name of the app, unique in all of Azure.')
@minLength(2)
@maxLength(60)
param name string

@description('Name of the plan.')
@minLength(1)
@maxLength(60)
param planName string

@description('Azure region; not every region has Flex Consumption.')
@minLength(3)
param location string

@description('Tags of the app and its plan.')
param tags object

@description('Resource id of the scaler\'s identity.')
@minLength(20)
param identityId string

@description('Client id of the scaler\'s identity.')
@minLength(36)
@maxLength(36)
param identityClientId string

@description('The container that holds the app\'s package, as an address.')
@minLength(20)
param packageContainer string

@description('Where blobs are.')
@minLength(10)
param blobEndpoint string

@description('Where queues are.')
@minLength(10)
param queueEndpoint string

@description('Where tables are.')
@minLength(10)
param tableEndpoint string

@description('Name of Application Insights, in this resource group.')
@minLength(1)
param insightsName string

@description('Memory of an instance of the app, MB.')
@allowed([512, 2048, 4096])
param instanceMemoryMb int

@description('The most instances of the app.')
@minValue(40)
@maxValue(1000)
param maximumInstances int

@description('Instances of the app that are always there, paid for around the clock; 0 lets it scale to none.')
@minValue(0)
@maxValue(100)
param alwaysReady int

@description('Resource id of a subnet through which the app reaches slots with private addresses; empty for none.')
@maxLength(400)
param subnetId string

@description('How instances are kept: a policy of docs/reference/policies.md.')
@minLength(3)
@maxLength(200)
param policy string

@description('SHA-256 of the key of the operator who may have instances provisioned, as funcscaler token prints it; empty for nobody.')
@maxLength(64)
param operatorKeySha256 string

@description('What one second of a caller waiting is worth, GBs of memory time; docs/how-to/choose-a-price.md says how to choose it.')
@minLength(1)
@maxLength(12)
param latencyPrice string

@description('The price of single functions: their keys with a number of GB·s, or "auto".')
param latencyPrices object

@description('Limits of single functions, as docs/how-to/limits.md has them: {"functions": {"checkout": {"min": 1}}}; an empty object for none.')
param limits object

@description('Settings of container instances; AciOptions in camelCase.')
@secure()
param aci object

@description('How workers lease instances; ScalerAppOptions.')
param leasing object

@description('Address of a Durable Task Scheduler; empty for Durable on the storage account.')
@maxLength(200)
param schedulerEndpoint string

@description('Task hub in the scheduler, or name prefix in the storage account.')
@minLength(3)
@maxLength(45)
param taskHubName string

@description('Address of an OpenTelemetry collector; empty for none.')
@maxLength(400)
param otlpEndpoint string

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { name: 'FC1', tier: 'FlexConsumption' }
  properties: { reserved: true }
}

var hostSettings = [
  { name: 'AzureWebJobsStorage__credential', value: 'managedidentity' }
  { name: 'AzureWebJobsStorage__clientId', value: identityClientId }
  { name: 'AzureWebJobsStorage__blobServiceUri', value: blobEndpoint }
  { name: 'AzureWebJobsStorage__queueServiceUri', value: queueEndpoint }
  { name: 'AzureWebJobsStorage__tableServiceUri', value: tableEndpoint }
  // An address; writing takes the identity, as local authentication is off.
  { name: 'APPLICATIONINSIGHTS_CONNECTION_STRING', value: insights.properties.ConnectionString }
  { name: 'APPLICATIONINSIGHTS_AUTHENTICATION_STRING', value: 'ClientId=${identityClientId};Authorization=AAD' }
  { name: 'AzureFunctionsJobHost__extensions__durableTask__hubName', value: taskHubName }
]

// No Scaler__Grpc__Port: this plan gives workers no port that callers could reach, and no volume for a certificate. Native gRPC is
// what containerapp.bicep deploys.
// The same names as ScalerAppOptions has; tests/Infra.Tests compares them.
var scalerSettings = [
  { name: 'Scaler__Backend', value: 'aci' }
  { name: 'Scaler__BackendSettings', value: string(aci) }
  { name: 'Scaler__Policy', value: policy }
  { name: 'Scaler__LatencyPrice', value: latencyPrice }
  { name: 'Scaler__LatencyPrices', value: string(latencyPrices) }
  { name: 'Scaler__Limits', value: empty(limits) ? '' : string(limits) }
  // A hash, which does not lead back to the key.
  { name: 'Scaler__OperatorKeySha256', value: operatorKeySha256 }
  { name: 'Scaler__DrainTimeout', value: leasing.drainTimeout }
  { name: 'Scaler__LeaseSeconds', value: string(leasing.leaseSeconds) }
  { name: 'Scaler__ReportSeconds', value: string(leasing.reportSeconds) }
  { name: 'Scaler__ParkSeconds', value: string(leasing.parkSeconds) }
  { name: 'Scaler__HoldAheadSeconds', value: string(leasing.holdAheadSeconds) }
  { name: 'Scaler__MaxSlotsPerFunction', value: string(leasing.maxSlotsPerFunction) }
  { name: 'Scaler__CreateBurst', value: string(leasing.createBurst) }
  { name: 'Scaler__CreatesPerMinute', value: string(leasing.createsPerMinute) }
]

// Over host.json, whose provider is the storage account. No secret: the endpoint, and how to sign in.
var schedulerSettings = empty(schedulerEndpoint)
  ? []
  : [
      { name: 'AzureFunctionsJobHost__extensions__durableTask__storageProvider__type', value: 'azureManaged' }
      { name: 'AzureFunctionsJobHost__extensions__durableTask__storageProvider__connectionStringName', value: 'DURABLE_TASK_SCHEDULER' }
      { name: 'DURABLE_TASK_SCHEDULER', value: 'Endpoint=${schedulerEndpoint};Authentication=ManagedIdentity;ClientID=${identityClientId}' }
    ]

var otlpSettings = empty(otlpEndpoint) ? [] : [{ name: 'OTEL_EXPORTER_OTLP_ENDPOINT', value: otlpEndpoint }]

resource app 'Microsoft.Web/sites@2025-03-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'scaler' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identityId}': {} }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packageContainer
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: { name: 'dotnet-isolated', version: '10.0' }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMb
        maximumInstanceCount: maximumInstances
        alwaysReady: alwaysReady == 0 ? [] : [{ name: 'http', instanceCount: alwaysReady }]
      }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      ftpsState: 'Disabled'
      appSettings: concat(hostSettings, scalerSettings, schedulerSettings, otlpSettings)
    }
  }

  // Nobody deploys by name and password.
  resource ftp 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: { allow: false }
  }

  resource scm 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: { allow: false }
  }
}

@description('Name of the app.')
output name string = app.name

@description('Where callers reach the scaler; each call wants a function key.')
output url string = 'https://${app.properties.defaultHostName}'
