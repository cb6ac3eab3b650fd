// To try it out: scales to nothing, keeps logs for a month.
using 'main.bicep'

param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', 'dev')
param location = readEnvironmentVariable('AZURE_LOCATION', 'westeurope')
param host = readEnvironmentVariable('SCALER_HOST', 'functions')
param durableProvider = readEnvironmentVariable('DURABLE_PROVIDER', 'storage')
param functionCode = {
  hello: { main: 'main', code: 'function main(p) { return { body: "hello " + (p.name || "world") }; }' }
}
param alertEmail = readEnvironmentVariable('ALERT_EMAIL', '')
param withRegistry = readEnvironmentVariable('SCALER_HOST', 'functions') == 'containerApp'
param containerImage = readEnvironmentVariable('SCALER_IMAGE', '')
param callers = empty(readEnvironmentVariable('SCALER_TOKEN_SHA256', ''))
  ? []
  : [{ name: 'default', tokenSha256: readEnvironmentVariable('SCALER_TOKEN_SHA256', ''), rights: ['call', 'read'] }]
