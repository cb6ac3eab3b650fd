// The self-host on Azure Container Apps, for callers that want native gRPC. One replica: it has all pools in its memory, and two would
// take each other's instances for their own past.

@description('Name that the parts begin with.')
@minLength(2)
@maxLength(28)
param name string

@description('Azure region.')
@minLength(3)
param location string

@description('Tags of the parts.')
param tags object

@description('Resource id of the scaler\'s identity.')
@minLength(20)
param identityId string

@description('Client id of the scaler\'s identity.')
@minLength(36)
@maxLength(36)
param identityClientId string

@description('Name of Application Insights, in this resource group.')
@minLength(1)
param insightsName string

@description('Resource id of the Log Analytics workspace.')
@minLength(20)
param workspaceId string

@description('The image of the repository\'s Dockerfile.')
@minLength(3)
@maxLength(255)
param image string

@description('The registry to pull it from as the identity; empty for a public one.')
@maxLength(200)
param registryServer string

@description('Resource id of a subnet for the environment; empty for none.')
@maxLength(400)
param subnetId string

@description('The security file as JSON, which says who may call; docs/explanation/security.md.')
@secure()
@minLength(2)
param security string

@description('Address ranges that may call; only callers of the environment when empty.')
@maxLength(50)
param callerCidrs string[]

@description('How instances are kept: a policy of docs/reference/policies.md.')
@minLength(3)
@maxLength(200)
param policy string

@description('What one second of a caller waiting is worth, GBs of memory time; docs/how-to/choose-a-price.md says how to choose it.')
@minLength(1)
@maxLength(12)
param latencyPrice string

@description('Settings of container instances as JSON; AciOptions in camelCase. What functions are told at their start may be confidential.')
@secure()
@minLength(2)
param aci string

@description('Address of an OpenTelemetry collector; empty for none.')
@maxLength(400)
param otlpEndpoint string

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

var telemetrySettings = [
  // An address; writing takes the identity, as local authentication is off.
  { name: 'APPLICATIONINSIGHTS_CONNECTION_STRING', value: insights.properties.ConnectionString }
  { name: 'APPLICATIONINSIGHTS_AUTHENTICATION_STRING', value: 'ClientId=${identityClientId};Authorization=AAD' }
]

var otlpSettings = empty(otlpEndpoint) ? [] : [{ name: 'OTEL_EXPORTER_OTLP_ENDPOINT', value: otlpEndpoint }]

resource environment 'Microsoft.App/managedEnvironments@2025-01-01' = {
  name: '${name}-env'
  location: location
  tags: tags
  properties: {
    // By diagnostic settings: sending to a workspace directly would take its key.
    appLogsConfiguration: { destination: 'azure-monitor' }
    vnetConfiguration: empty(subnetId) ? null : { infrastructureSubnetId: subnetId, internal: false }
    workloadProfiles: [{ name: 'Consumption', workloadProfileType: 'Consumption' }]
  }
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: environment
  name: 'workspace'
  properties: {
    workspaceId: workspaceId
    logs: [{ category: 'ContainerAppConsoleLogs', enabled: true }, { category: 'ContainerAppSystemLogs', enabled: true }]
  }
}

resource app 'Microsoft.App/containerApps@2025-01-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'scaler' })
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identityId}': {} }
  }
  properties: {
    environmentId: environment.id
    workloadProfileName: 'Consumption'
    configuration: {
      activeRevisionsMode: 'Single'
      registries: empty(registryServer) ? [] : [{ server: registryServer, identity: identityId }]
      // This is how a file comes into a container.
      secrets: [{ name: 'aci', value: aci }, { name: 'security', value: security }]
      ingress: {
        external: !empty(callerCidrs)
        allowInsecure: false
        transport: 'http2'
        targetPort: 9001
        ipSecurityRestrictions: [
          for (cidr, i) in callerCidrs: {
            name: 'callers-${i}'
            action: 'Allow'
            ipAddressRange: cidr
          }
        ]
      }
    }
    template: {
      containers: [
        {
          name: 'scaler'
          image: image
          args: [
            'serve'
            '--backend'
            'aci'
            '--aci'
            '/settings/aci.json'
            '--policy'
            policy
            '--latency-price'
            latencyPrice
            '--listen'
            '0.0.0.0'
            '--security'
            '/settings/security.json'
            '--verbose'
          ]
          env: concat(telemetrySettings, otlpSettings)
          resources: { cpu: json('0.5'), memory: '1Gi' }
          volumeMounts: [{ volumeName: 'settings', mountPath: '/settings' }]
          probes: [
            // Before it serves, the scaler sweeps what a former run has left.
            { type: 'Startup', httpGet: { path: '/healthz', port: 8080 }, periodSeconds: 5, failureThreshold: 30 }
            { type: 'Liveness', httpGet: { path: '/healthz', port: 8080 }, periodSeconds: 10 }
          ]
        }
      ]
      scale: { minReplicas: 1, maxReplicas: 1 }
      terminationGracePeriodSeconds: 30
      volumes: [
        { name: 'settings', storageType: 'Secret', secrets: [{ secretRef: 'aci', path: 'aci.json' }, { secretRef: 'security', path: 'security.json' }] }
      ]
    }
  }
  dependsOn: [logs]
}

@description('Name of the app.')
output name string = app.name

@description('Where callers reach the scaler, by gRPC and by JSON.')
output url string = 'https://${app.properties.configuration.ingress.fqdn}'
