// Alerts on the metrics that every worker sends to Application Insights once a minute. docs/how-to/operations.md says what to do about each.

@description('Name that the alerts begin with.')
@minLength(3)
@maxLength(60)
param name string

@description('Azure region of the rules.')
@minLength(3)
param location string

@description('Tags of the rules.')
param tags object

@description('Resource id of the Log Analytics workspace.')
@minLength(20)
param workspaceId string

@description('Who is told by mail; nobody when empty.')
@maxLength(254)
param email string

@description('Rejected requests, percent of all within 5 minutes, from which on to alert.')
@minValue(1)
@maxValue(100)
param errorPercent int

@description('Requests that waited for an instance, percent of all within 15 minutes, from which on to alert.')
@minValue(1)
@maxValue(100)
param coldStartPercent int

// One row per worker, minute and combination of tags. Counters (assigns, arrivals, throttled, findings) are sent as their growth since the last row.
var metrics = '''
AppMetrics
| where Name startswith "funcscaler."
'''

var alerts = [
  {
    id: 'error-rate'
    title: 'Requests are rejected'
    severity: 1
    window: 'PT5M'
    threshold: errorPercent
    query: '''
| summarize
    Rejected = sumif(Sum, Name == "funcscaler.assigns" and tostring(Properties.outcome) == "rejected"),
    Arrivals = sumif(Sum, Name == "funcscaler.arrivals")
| where Arrivals >= 20
| project Measure = 100.0 * Rejected / Arrivals
'''
  }
  {
    id: 'cold-start-share'
    title: 'Many requests wait for an instance'
    severity: 2
    window: 'PT15M'
    threshold: coldStartPercent
    query: '''
| summarize
    Cold = sumif(Sum, Name == "funcscaler.assigns" and tostring(Properties.outcome) == "cold"),
    Waited = sumif(Sum, Name == "funcscaler.assigns" and tostring(Properties.outcome) == "waited"),
    Arrivals = sumif(Sum, Name == "funcscaler.arrivals")
| where Arrivals >= 20
| project Measure = 100.0 * (Cold + Waited) / Arrivals
'''
  }
  {
    id: 'budget-exhausted'
    title: 'The platform takes no more creations for now'
    severity: 2
    window: 'PT5M'
    threshold: 0
    query: '''
| summarize
    Held = maxif(Sum, Name == "funcscaler.budget.held" and tostring(Properties.call) == "create"),
    Throttled = sumif(Sum, Name == "funcscaler.budget.throttled")
| project Measure = coalesce(Held, 0.0) + coalesce(Throttled, 0.0)
'''
  }
  {
    id: 'leaked-groups'
    title: 'Container groups that no function owns'
    severity: 2
    window: 'PT15M'
    threshold: 0
    query: '''
| summarize Leaked = sumif(Sum, Name == "funcscaler.reconcile.findings" and tostring(Properties.finding) == "leaked")
| project Measure = coalesce(Leaked, 0.0)
'''
  }
]

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(email)) {
  name: '${name}-people'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'funcscaler'
    emailReceivers: [
      {
        name: 'operators'
        emailAddress: email
        useCommonAlertSchema: true
      }
    ]
  }
}

resource rules 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for alert in alerts: {
    name: '${name}-${alert.id}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: 'FuncScaler: ${alert.title}'
      description: 'docs/how-to/operations.md#${alert.id}'
      severity: alert.severity
      enabled: true
      scopes: [workspaceId]
      evaluationFrequency: 'PT5M'
      windowSize: alert.window
      autoMitigate: true
      // The table may not be there before something was written to it.
      skipQueryValidation: true
      criteria: {
        allOf: [
          {
            query: '${metrics}${alert.query}'
            metricMeasureColumn: 'Measure'
            timeAggregation: 'Maximum'
            operator: 'GreaterThan'
            threshold: alert.threshold
            failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
          }
        ]
      }
      actions: { actionGroups: empty(email) ? [] : [people.id] }
    }
  }
]
