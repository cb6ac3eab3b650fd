// To be relied on: private addresses, zone-redundant state, an instance of the app that is always there.
using 'main.bicep'

param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', 'prod')
param location = readEnvironmentVariable('AZURE_LOCATION', 'westeurope')
param host = readEnvironmentVariable('SCALER_HOST', 'functions')
param durableProvider = readEnvironmentVariable('DURABLE_PROVIDER', 'storage')
param privateNetwork = true
param storageSku = 'Standard_ZRS'
param alwaysReady = 1
param maximumInstances = 100
param maxGroups = 100
param retentionDays = 90
param dailyCapGb = 5
param errorPercent = 1
param coldStartPercent = 10
param alertEmail = readEnvironmentVariable('ALERT_EMAIL', '')
param withRegistry = true
param containerImage = readEnvironmentVariable('SCALER_IMAGE', '')
param callers = empty(readEnvironmentVariable('SCALER_TOKEN_SHA256', ''))
  ? []
  : [{ name: 'default', tokenSha256: readEnvironmentVariable('SCALER_TOKEN_SHA256', ''), rights: ['call', 'read'] }]
