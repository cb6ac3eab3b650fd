// FuncScaler in a subscription: a resource group for the scaler, and one for the slots it makes. docs/how-to/deploy.md goes through it.
targetScope = 'subscription'

@description('Name of this deployment; names of resources are made of it, the subscription and the region.')
@minLength(2)
@maxLength(12)
param environmentName string

@description('Azure region.')
@minLength(3)
param location string

@description('Where the scaler runs: as a Functions app, or as a container with native gRPC ingress.')
@allowed(['functions', 'containerApp'])
param host string = 'functions'

@description('What keeps the durable state of the Functions app: its storage account, or a Durable Task Scheduler.')
@allowed(['storage', 'scheduler'])
param durableProvider string = 'storage'

@description('Billing of the Durable Task Scheduler.')
@allowed(['Consumption', 'Dedicated'])
param schedulerSku string = 'Consumption'

@description('How instances are kept: a policy of docs/reference/policies.md.')
@minLength(3)
@maxLength(200)
param policy string = 'adaptive'

@description('What one second of a caller waiting is worth, GBs of memory time; auto: as the contest weighs them; docs/how-to/choose-a-price.md says how to choose it.')
@minLength(1)
@maxLength(12)
param latencyPrice string = '100'

@description('The price of single functions: their keys with a number of GB·s, or "auto". Of the Functions app.')
param latencyPrices object = {}

@description('With host functions: floors, ceilings, schedules and concurrency of single functions, as docs/how-to/limits.md has them.')
param limits object = {}

@description('The container image of each runtime; * for every other one.')
param runtimeImages object = {
  'nodejs:20': 'openwhisk/action-nodejs-v20'
  'python:3': 'openwhisk/action-python-v3.12'
}

@description('What instances of a function are told in POST /init, by the function\'s key. Kept out of the history of deployments.')
@secure()
param functionCode object = {}

@description('How instances are made ready: nothing, or POST /init as OpenWhisk\'s runtimes expect it.')
@allowed(['none', 'httpInit'])
param initMode string = 'httpInit'

@description('The port that slots listen on.')
@minValue(1)
@maxValue(65535)
param slotPort int = 8080

@description('The most container groups in the region: the subscription\'s quota.')
@minValue(1)
@maxValue(5000)
param maxGroups int = 100

@description('Whether slots have private addresses only. Adds a NAT gateway, which costs by the hour.')
param privateNetwork bool = false

@description('Addresses of that network.')
@minLength(9)
@maxLength(18)
param networkPrefix string = '10.42.0.0/20'

@description('Groups that Azure keeps ready, paid for around the clock; 0 for none.')
@minValue(0)
@maxValue(2000)
param standbySize int = 0

@description('Image of the standby groups; needed with a standby pool.')
@maxLength(255)
param standbyImage string = ''

@description('Memory of a standby group, GB.')
@minValue(1)
@maxValue(16)
param standbyMemoryGb int = 1

@description('Object id of the Standby Pool Resource Provider in this tenant; needed with a standby pool.')
@maxLength(36)
param standbyProviderId string = ''

@description('Whether to make a container registry, and to pull from it.')
param withRegistry bool = false

@description('With a container app: the image of the repository\'s Dockerfile; while empty, everything but the app is made, so that there is a registry to push to.')
@maxLength(255)
param containerImage string = ''

@description('With a container app: who may call, as the callers of docs/explanation/security.md.')
@maxLength(1000)
param callers array = []

@description('With the Functions app: SHA-256 of the key of the operator who may have instances provisioned, as funcscaler token prints it; empty for nobody.')
@maxLength(64)
param operatorKeySha256 string = ''

@description('With a container app: address ranges that may call; only the environment when empty.')
@maxLength(50)
param callerCidrs string[] = []

@description('Redundancy of the storage account.')
@allowed(['Standard_LRS', 'Standard_ZRS'])
param storageSku string = 'Standard_LRS'

@description('Memory of an instance of the Functions app, MB.')
@allowed([512, 2048, 4096])
param instanceMemoryMb int = 2048

@description('The most instances of the Functions app.')
@minValue(40)
@maxValue(1000)
param maximumInstances int = 40

@description('Instances of the Functions app that are always there; 0 lets it scale to none.')
@minValue(0)
@maxValue(100)
param alwaysReady int = 0

@description('How workers of the Functions app lease instances.')
param leasing leasingSettings = {
  drainTimeout: '00:00:03'
  leaseSeconds: 30
  reportSeconds: 1
  parkSeconds: 60
  holdAheadSeconds: 3660
  maxSlotsPerFunction: 0
  createBurst: 20
  createsPerMinute: 20
}

@description('How long logs are kept, days.')
@minValue(30)
@maxValue(730)
param retentionDays int = 30

@description('The most logs that are taken in per day, GB.')
@minValue(1)
@maxValue(100)
param dailyCapGb int = 1

@description('Who is told of alerts by mail; nobody when empty.')
@maxLength(254)
param alertEmail string = ''

@description('Rejected requests, percent of all, from which on to alert.')
@minValue(1)
@maxValue(100)
param errorPercent int = 1

@description('Requests that waited for an instance, percent of all, from which on to alert.')
@minValue(1)
@maxValue(100)
param coldStartPercent int = 20

@description('Address of an OpenTelemetry collector; empty for none.')
@maxLength(400)
param otlpEndpoint string = ''

@description('Settings of the leasing protocol; ScalerAppOptions says what each means.')
type leasingSettings = {
  @description('How long a stopping worker waits for instances in use, hh:mm:ss.')
  @minLength(8)
  @maxLength(8)
  drainTimeout: string

  @description('How long a worker\'s slots are held for it after its last report, s.')
  @minValue(1)
  @maxValue(3600)
  leaseSeconds: int

  @description('How often a worker reports, s.')
  @minValue(1)
  @maxValue(60)
  reportSeconds: int

  @description('After this long unused an instance goes back to its ledger, s.')
  @minValue(0)
  @maxValue(86400)
  parkSeconds: int
  holdAheadSeconds: int

  @description('The most slots of one function; 0 for no limit.')
  @minValue(0)
  @maxValue(5000)
  maxSlotsPerFunction: int

  @description('Slots created ahead at once before the rate limit counts.')
  @minValue(1)
  @maxValue(1000)
  createBurst: int

  @description('Slots created ahead per minute and function.')
  @minValue(1)
  @maxValue(1000)
  createsPerMinute: int
}

var suffix = uniqueString(subscription().subscriptionId, environmentName, location)
var baseName = 'funcscaler-${environmentName}'
var uniqueName = '${baseName}-${take(suffix, 6)}'
var compactName = 'fs${replace(environmentName, '-', '')}${take(suffix, 8)}'
var tags = { project: 'funcscaler', 'azd-env-name': environmentName }
var taskHub = 'funcscaler'

resource scalerGroup 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: baseName
  location: location
  tags: tags
}

resource slotsGroup 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: '${baseName}-slots'
  location: location
  tags: tags
}

module identity 'modules/identity.bicep' = {
  scope: scalerGroup
  name: 'identity'
  params: {
    name: '${baseName}-identity'
    location: location
    tags: tags
  }
}

module monitoring 'modules/monitoring.bicep' = {
  scope: scalerGroup
  name: 'monitoring'
  params: {
    workspaceName: '${baseName}-logs'
    insightsName: '${baseName}-insights'
    location: location
    tags: tags
    retentionDays: retentionDays
    dailyCapGb: dailyCapGb
    principalId: identity.outputs.principalId
  }
}

module alerts 'modules/alerts.bicep' = {
  scope: scalerGroup
  name: 'alerts'
  params: {
    name: baseName
    location: location
    tags: tags
    workspaceId: monitoring.outputs.workspaceId
    email: alertEmail
    errorPercent: errorPercent
    coldStartPercent: coldStartPercent
  }
}

module network 'modules/network.bicep' = if (privateNetwork) {
  scope: slotsGroup
  name: 'network'
  params: {
    name: '${baseName}-net'
    location: location
    tags: tags
    addressPrefix: networkPrefix
    principalId: identity.outputs.principalId
  }
}

module slots 'modules/slots.bicep' = {
  scope: slotsGroup
  name: 'slots'
  params: {
    name: baseName
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    standbySize: standbySize
    standbyImage: standbyImage
    standbyMemoryGb: standbyMemoryGb
    port: slotPort
    subnetId: privateNetwork ? network!.outputs.slotsSubnetId : ''
    standbyProviderId: standbyProviderId
  }
}

module registry 'modules/registry.bicep' = if (withRegistry) {
  scope: scalerGroup
  name: 'registry'
  params: {
    name: compactName
    location: location
    tags: tags
    pullerIds: [identity.outputs.principalId, slots.outputs.pullPrincipalId]
  }
}

var registryServer = withRegistry ? registry!.outputs.server : ''

// AciOptions; tests/Infra.Tests compares the names.
var aci = {
  owner: take(baseName, 30)
  subscription: subscription().subscriptionId
  places: [{ resourceGroup: slotsGroup.name, region: location }]
  images: runtimeImages
  functions: functionCode
  port: slotPort
  start: { init: initMode }
  subnetId: privateNetwork ? network!.outputs.slotsSubnetId : ''
  registryServer: registryServer
  registryIdentityId: withRegistry ? slots.outputs.pullIdentityId : ''
  credentialClientId: identity.outputs.clientId
  tags: tags
  standbyPoolId: slots.outputs.standbyPoolId
  containerGroupProfileId: slots.outputs.standbyProfileId
  maxGroupsPerRegion: maxGroups
}

module storage 'modules/storage.bicep' = if (host == 'functions') {
  scope: scalerGroup
  name: 'storage'
  params: {
    name: compactName
    location: location
    tags: tags
    sku: storageSku
    principalId: identity.outputs.principalId
  }
}

module scheduler 'modules/scheduler.bicep' = if (host == 'functions' && durableProvider == 'scheduler') {
  scope: scalerGroup
  name: 'scheduler'
  params: {
    name: uniqueName
    location: location
    tags: tags
    sku: schedulerSku
    taskHubName: taskHub
    principalId: identity.outputs.principalId
  }
}

module functionApp 'modules/functionapp.bicep' = if (host == 'functions') {
  scope: scalerGroup
  name: 'functionapp'
  params: {
    name: uniqueName
    planName: '${baseName}-plan'
    location: location
    tags: tags
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    packageContainer: storage!.outputs.packageContainer
    blobEndpoint: storage!.outputs.blobEndpoint
    queueEndpoint: storage!.outputs.queueEndpoint
    tableEndpoint: storage!.outputs.tableEndpoint
    insightsName: monitoring.outputs.insightsName
    instanceMemoryMb: instanceMemoryMb
    maximumInstances: maximumInstances
    alwaysReady: alwaysReady
    subnetId: privateNetwork ? network!.outputs.scalerSubnetId : ''
    policy: policy
    operatorKeySha256: operatorKeySha256
    latencyPrice: latencyPrice
    latencyPrices: latencyPrices
    limits: limits
    aci: aci
    leasing: leasing
    schedulerEndpoint: durableProvider == 'scheduler' ? scheduler!.outputs.endpoint : ''
    taskHubName: durableProvider == 'scheduler' ? scheduler!.outputs.taskHubName : taskHub
    otlpEndpoint: otlpEndpoint
  }
}

module containerApp 'modules/containerapp.bicep' = if (host == 'containerApp' && !empty(containerImage)) {
  scope: scalerGroup
  name: 'containerapp'
  params: {
    name: take(uniqueName, 28)
    location: location
    tags: tags
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    insightsName: monitoring.outputs.insightsName
    workspaceId: monitoring.outputs.workspaceId
    image: containerImage
    registryServer: registryServer
    subnetId: privateNetwork ? network!.outputs.scalerSubnetId : ''
    // The ingress speaks TLS with callers. Tokens stand in it by their hash.
    security: string({ tlsInFront: true, callers: callers })
    callerCidrs: callerCidrs
    policy: policy
    latencyPrice: latencyPrice
    aci: string(aci)
    otlpEndpoint: otlpEndpoint
  }
}

@description('The resource group of the scaler.')
output AZURE_RESOURCE_GROUP string = scalerGroup.name

@description('The resource group of the slots.')
output SLOTS_RESOURCE_GROUP string = slotsGroup.name

@description('Name of the app, whichever host it has.')
output SCALER_NAME string = host == 'functions' ? functionApp!.outputs.name : empty(containerImage) ? '' : containerApp!.outputs.name

@description('Where callers reach the scaler.')
output SCALER_URL string = host == 'functions' ? functionApp!.outputs.url : empty(containerImage) ? '' : containerApp!.outputs.url

@description('The storage account of the Functions app; empty without one.')
output STORAGE_ACCOUNT string = host == 'functions' ? storage!.outputs.name : ''

@description('The registry that images are pushed to; empty without one.')
output AZURE_CONTAINER_REGISTRY_ENDPOINT string = registryServer

@description('The registry\'s name; empty without one.')
output REGISTRY_NAME string = withRegistry ? registry!.outputs.name : ''
