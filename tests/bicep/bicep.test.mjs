// The deployment is as it must be; and each check notices when it is not, on a copy broken in memory.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import * as checks from './checks.mjs';
import { parseAll, readTexts, repository } from './syntax.mjs';

const texts = readTexts();

for (const [name, check] of Object.entries(checks).filter(([, value]) => value.length === 1)) {
  test(`infra/bicep passes ${name}`, () => assert.deepEqual(check(parseAll(texts)), []));
}

test('infra/bicep has what the checks are about', () => {
  const types = [...parseAll(texts).values()].flatMap(file => file.resources.map(r => r.type));
  for (const type of ['Microsoft.Storage/storageAccounts', 'Microsoft.Authorization/roleAssignments', 'Microsoft.Web/sites', 'Microsoft.App/containerApps',
    'Microsoft.DurableTask/schedulers', 'Microsoft.DurableTask/schedulers/taskHubs', 'Microsoft.StandbyPool/standbyContainerGroupPools', 'Microsoft.Insights/scheduledQueryRules']) {
    assert.ok(types.includes(type), type);
  }
});

test('azd sends parameters that main.bicep has', () => {
  const sent = Object.keys(JSON.parse(fs.readFileSync(path.join(repository, 'infra/bicep/main.parameters.json'), 'utf8')).parameters);
  const has = parseAll(texts).get('main.bicep').parameters.map(p => p.name);
  assert.deepEqual(sent.filter(name => !has.includes(name)), []);
});

/** File, what to replace, by what, the check that must notice, and what it must say. */
const mutations = [
  ['main.bicep', 'targetScope =', 'targetScope', 'parses', /not understood/],
  ['modules/storage.bicep', 'allowSharedKeyAccess: false', 'allowSharedKeyAccess: true', 'storageIsLocked', /allowSharedKeyAccess/],
  ['modules/storage.bicep', '    allowSharedKeyAccess: false\n', '', 'storageIsLocked', /not set/],
  ['modules/storage.bicep', "'TLS1_2'", "'TLS1_0'", 'storageIsLocked', /minimumTlsVersion/],
  ['modules/storage.bicep', 'allowBlobPublicAccess: false', 'allowBlobPublicAccess: true', 'storageIsLocked', /allowBlobPublicAccess/],
  ['modules/functionapp.bicep', 'httpsOnly: true', 'httpsOnly: false', 'hostsAreLocked', /httpsOnly/],
  ['modules/functionapp.bicep', "minTlsVersion: '1.2'", "minTlsVersion: '1.0'", 'hostsAreLocked', /minTlsVersion/],
  ['modules/functionapp.bicep', "name: 'scm'\n    properties: { allow: false }", "name: 'scm'\n    properties: { allow: true }", 'hostsAreLocked', /password over scm/],
  ['modules/functionapp.bicep', "type: 'UserAssignedIdentity'", "type: 'StorageAccountConnectionString'", 'hostsAreLocked', /authentication/],
  ['modules/registry.bicep', 'adminUserEnabled: false', 'adminUserEnabled: true', 'hostsAreLocked', /adminUserEnabled/],
  ['modules/containerapp.bicep', 'external: !empty(callerCidrs)', 'external: true', 'hostsAreLocked', /external/],
  ['modules/containerapp.bicep', 'maxReplicas: 1', 'maxReplicas: 3', 'hostsAreLocked', /maxReplicas/],
  ['modules/monitoring.bicep', 'DisableLocalAuth: true', 'DisableLocalAuth: false', 'noSecrets', /ConnectionString/],
  ['modules/monitoring.bicep', 'DisableLocalAuth: true', 'DisableLocalAuth: false', 'hostsAreLocked', /DisableLocalAuth/],
  ['modules/slots.bicep', 'scope: resourceGroup()', 'scope: subscription()', 'rolesAreNarrow', /not scoped below/],
  ['modules/storage.bicep', '  scope: account\n', '', 'rolesAreNarrow', /not scoped below/],
  ['modules/slots.bicep', '// The resource group that', "targetScope = 'subscription'\n// The resource group that", 'rolesAreNarrow', /not scoped below/],
  ['main.bicep', "module slots 'modules/slots.bicep' = {\n  scope: slotsGroup", "module slots 'modules/slots.bicep' = {\n  scope: subscription()", 'rolesAreNarrow', /module slots/],
  ['modules/slots.bicep', /\/\/ Creates, reads and deletes.*\n/, '', 'rolesAreNarrow', /says why/],
  ['modules/slots.bicep', 'roles.managedIdentityOperator)\n  }', "'8e3af657-a8ff-443c-a75c-2fe8c4bcb635')\n  }", 'rolesAreNarrow', /none of/],
  ['modules/storage.bicep', '@description(\'Name of the account.\')\noutput', "output accountKey string = account.listKeys().keys[0].value\noutput", 'noSecrets', /hands out/],
  ['modules/functionapp.bicep', 'value: blobEndpoint', "value: 'DefaultEndpointsProtocol=https;AccountKey=x'", 'noSecrets', /secret in a string/],
  ['modules/monitoring.bicep', 'output insightsName string = insights.name', 'output insightsName string = insights.properties.ConnectionString', 'noSecrets', /secret/],
  ['main.bicep', 'param policy string', 'param apiKey string', 'noSecrets', /apiKey/],
  ['main.bicep', "'modules/slots.bicep'", "'modules/slot.bicep'", 'referencesResolve', /no modules\/slot\.bicep/],
  ['main.bicep', 'slots.outputs.pullIdentityId', 'slots.outputs.identityId', 'referencesResolve', /no output identityId/],
  ['main.bicep', "    policy: policy\n    latencyPrice: latencyPrice\n    aci: aci\n    leasing", '    latencyPrice: latencyPrice\n    aci: aci\n    leasing', 'referencesResolve', /needs policy/],
  ['main.bicep', '    sku: storageSku', '    redundancy: storageSku', 'referencesResolve', /no parameter redundancy/],
  ['main.bicep', 'insightsName: monitoring.outputs.insightsName', "insightsName: '${baseName}-other'", 'referencesResolve', /nothing deploys/],
  ['modules/monitoring.bicep', 'output insightsName string = insights.name', 'output insightsName string = workspace.name', 'referencesResolve', /nothing deploys/],
  ['modules/storage.bicep', "from 'roles.bicep'", "from 'role.bicep'", 'referencesResolve', /no role\.bicep/],
  ['prod.bicepparam', 'param privateNetwork', 'param privateNet', 'referencesResolve', /no parameter privateNet/],
  ['dev.bicepparam', /param location.*\n/, '', 'referencesResolve', /location is missing/],
  ['main.bicep', 'retentionDays: retentionDays', 'retentionDays: 30', 'namesAreUsed', /retentionDays is used nowhere/],
  ['main.bicep', "var taskHub = 'funcscaler'", "var taskHub = 'funcscaler'\nvar spare = 1", 'namesAreUsed', /spare/],
  ['modules/storage.bicep', "@description('Azure region.')\n", '', 'parametersAreDescribed', /location has no description/],
  ['main.bicep', '@minValue(0)\n@maxValue(2000)\n', '', 'parametersAreDescribed', /standbySize has no limits/],
  ['modules/scheduler.bicep', '2025-11-01', '2024-10-01-preview', 'versionsAreListed', /schedulers@2024-10-01-preview/],
  ['modules/functionapp.bicep', 'sites@2025-03-01', 'sites@2023-12-01', 'versionsAreListed', /sites@2023-12-01/],
  ['main.bicep', 'uniqueString(subscription().subscriptionId, environmentName, location)', 'newGuid()', 'namesAreDeterministic', /newGuid/],
  ['modules/functionapp.bicep', 'Scaler__ParkSeconds', 'Scaler__ParkSecs', 'settingsAgree', /ParkSecs, which no option reads/],
  ['modules/functionapp.bicep', /.*Scaler__CreateBurst.*\n/, '', 'settingsAgree', /reads Scaler__CreateBurst/],
  ['main.bicep', '  port: slotPort\n  start', '  ports: slotPort\n  start', 'settingsAgree', /sets ports/],
];

for (const [file, from, to, check, message] of mutations) {
  test(`${check} notices ${file}: ${String(from).trim().split('\n')[0]} -> ${to.trim().split('\n').at(-1) || 'nothing'}`, () => {
    const broken = texts.get(file).replace(from, to);
    assert.notEqual(broken, texts.get(file), 'the mutation changed nothing');
    const problems = checks[check](parseAll(new Map([...texts, [file, broken]])));
    assert.ok(problems.some(problem => message.test(problem)), `it says: ${problems.join('; ') || 'nothing'}`);
  });
}

test('settingsAgree notices an option that bicep does not know', () => {
  const sources = checks.readSources();
  const app = sources.app.replace('    public int CreateBurst', '    public int BrandNew { get; set; }\n\n    public int CreateBurst');
  assert.ok(checks.settingsAgree(parseAll(texts), { ...sources, app }).some(problem => problem.includes('Scaler__BrandNew')));
});
