// Where logs, traces and metrics go.

import { roles } from 'roles.bicep'

@description('Name of the workspace.')
@minLength(4)
@maxLength(63)
param workspaceName string

@description('Name of Application Insights.')
@minLength(1)
@maxLength(260)
param insightsName string

@description('Azure region.')
@minLength(3)
param location string

@description('Tags of both.')
param tags object

@description('How long logs are kept, days.')
@minValue(30)
@maxValue(730)
param retentionDays int

@description('The most that is taken in per day, GB; what comes on top is dropped, so that a loop that logs cannot cost without limit.')
@minValue(1)
@maxValue(100)
param dailyCapGb int

@description('Object id of the scaler\'s identity.')
@minLength(36)
@maxLength(36)
param principalId string

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: workspaceName
  location: location
  tags: tags
  properties: {
    sku: { name: 'PerGB2018' }
    retentionInDays: retentionDays
    workspaceCapping: { dailyQuotaGb: dailyCapGb }
    features: { disableLocalAuth: true }
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: insightsName
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    // The connection string alone lets nobody write: it is an address, and no secret.
    DisableLocalAuth: true
  }
}

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, 'workbook')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'FuncScaler'
    category: 'workbook'
    sourceId: workspace.id
    serializedData: loadTextContent('../../dashboards/workbook.json')
  }
}

resource publisher 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: insights
  name: guid(insights.id, principalId, roles.monitoringMetricsPublisher)
  properties: {
    description: 'The app sends telemetry to this component; it can read nothing there.'
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.monitoringMetricsPublisher)
  }
}

@description('Resource id of the workspace.')
output workspaceId string = workspace.id

@description('Name of Application Insights.')
output insightsName string = insights.name
