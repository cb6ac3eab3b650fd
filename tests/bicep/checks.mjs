// What infra/bicep must be like. Each check takes the parsed files and returns a sentence for each thing that is wrong.
import fs from 'node:fs';
import path from 'node:path';
import { at, descendants, properties, property, repository, stringOf } from './syntax.mjs';

const apiVersions = Object.assign({}, ...Object.values(JSON.parse(fs.readFileSync(path.join(import.meta.dirname, 'api-versions.json'), 'utf8'))));

/** Settings that the deployment leaves at their defaults, and why. */
const settingsLeftOut = {
  Scaler__Platform: 'only the simulator backend has a platform',
  Scaler__HostUrl: 'only a worker with a gRPC port knocks at its own host',
  Scaler__Grpc__Port: 'the front end of Flex Consumption passes no HTTP/2 trailers, and opens no further port',
  Scaler__Grpc__Address: 'as Scaler__Grpc__Port',
  Scaler__Grpc__Key: 'as Scaler__Grpc__Port',
  Scaler__Grpc__AllowAnonymous: 'as Scaler__Grpc__Port',
};

export function parses(files) {
  return each(files, file => file.errors.map(node => `${at(file, node)}: not understood: ${node.text.slice(0, 60)}`));
}

export function storageIsLocked(files) {
  return eachResource(files, 'Microsoft.Storage/storageAccounts', (file, account) => [
    ...demand(file, account, 'properties.allowSharedKeyAccess', 'false'),
    ...demand(file, account, 'properties.minimumTlsVersion', 'TLS1_2'),
    ...demand(file, account, 'properties.allowBlobPublicAccess', 'false'),
    ...demand(file, account, 'properties.supportsHttpsTrafficOnly', 'true'),
  ]);
}

export function hostsAreLocked(files) {
  return [
    ...eachResource(files, 'Microsoft.Web/sites', (file, site) => [
      ...demand(file, site, 'properties.httpsOnly', 'true'),
      ...demand(file, site, 'properties.siteConfig.minTlsVersion', '1.2'),
      ...demand(file, site, 'properties.siteConfig.ftpsState', 'Disabled'),
      ...demand(file, site, 'identity.type', 'UserAssigned'),
      ...demand(file, site, 'properties.functionAppConfig.deployment.storage.authentication.type', 'UserAssignedIdentity'),
      ...['ftp', 'scm'].filter(name => !file.resources.some(r => r.type.endsWith('/basicPublishingCredentialsPolicies')
        && stringOf(property(r.body, 'name')) === name && property(r.body, 'properties.allow')?.text === 'false'))
        .map(name => `${at(file, site.node)}: publishing by password over ${name} is not off`),
    ]),
    ...eachResource(files, 'Microsoft.ContainerRegistry/registries', (file, registry) => [
      ...demand(file, registry, 'properties.adminUserEnabled', 'false'),
      ...demand(file, registry, 'properties.anonymousPullEnabled', 'false'),
    ]),
    // The self-host asks nobody who they are: no way in from outside but for named addresses.
    ...eachResource(files, 'Microsoft.App/containerApps', (file, app) => [
      ...demand(file, app, 'properties.configuration.ingress.external', '!empty(callerCidrs)'),
      ...demand(file, app, 'properties.configuration.ingress.allowInsecure', 'false'),
      ...demand(file, app, 'properties.template.scale.maxReplicas', '1'),
      ...(property(app.body, 'properties.configuration.ingress.ipSecurityRestrictions')?.text.includes('callerCidrs')
        ? [] : [`${at(file, app.node)}: ingress is not restricted to callerCidrs`]),
    ]),
    ...eachResource(files, 'Microsoft.Insights/components', (file, insights) => demand(file, insights, 'properties.DisableLocalAuth', 'true')),
    ...eachResource(files, 'Microsoft.OperationalInsights/workspaces', (file, workspace) => demand(file, workspace, 'properties.features.disableLocalAuth', 'true')),
  ];
}

export function rolesAreNarrow(files) {
  const given = new Set();
  const known = [...properties([...files.values()].flatMap(f => f.variables).find(v => v.name === 'roles')?.node.namedChildren.at(-1)).keys()];
  const problems = eachResource(files, 'Microsoft.Authorization/roleAssignments', (file, assignment) => {
    const found = [];
    const where = at(file, assignment.node);
    const scope = property(assignment.body, 'scope')?.text;
    if (file.targetScope !== 'resourceGroup' || !scope || /\b(subscription|tenant|managementGroup)\b/.test(scope)) {
      found.push(`${where}: the role is not scoped below the subscription (${scope ?? `no scope, in a file of ${file.targetScope}`})`);
    }

    const role = /\broles\.(\w+)\)$/.exec(property(assignment.body, 'properties.roleDefinitionId')?.text ?? '')?.[1];
    if (!known.includes(role)) {
      found.push(`${where}: the role is none of modules/roles.bicep`);
    }

    given.add(role);
    if (!/\w{3}/.test(assignment.comment ?? '')) {
      found.push(`${where}: no comment says why the role is given`);
    }

    if (stringOf(property(assignment.body, 'properties.principalType')) !== 'ServicePrincipal') {
      found.push(`${where}: the role is not for an identity`);
    }

    return found;
  });
  for (const file of files.values()) {
    for (const module of file.modules) {
      const scope = property(module.body, 'scope')?.text;
      if (file.targetScope === 'subscription' && (!scope || /\bsubscription\(/.test(scope))) {
        problems.push(`${at(file, module.node)}: module ${module.name} is not scoped below the subscription`);
      }
    }
  }

  return [...problems, ...known.filter(role => !given.has(role)).map(role => `modules/roles.bicep: ${role} is given to nobody`)];
}

export function noSecrets(files) {
  const locked = [...files.values()].every(file => file.resources
    .filter(r => r.type === 'Microsoft.Insights/components' && !r.existing)
    .every(r => property(r.body, 'properties.DisableLocalAuth')?.text === 'true'));
  return each(files, file => {
    const found = file.calls.filter(call => /(^|\.)list[A-Z]?\w*$/.test(call.name)).map(call => `${at(file, call.node)}: ${call.name} hands out a secret`);
    for (const node of descendants(file.root)) {
      if (node.type === 'property_identifier' && /(key|secret|password|connectionstring)s?$/i.test(node.text)) {
        // Application Insights' is an address where local authentication is off.
        const insights = node.text === 'ConnectionString' && locked && node.parent.text === 'insights.properties.ConnectionString';
        if (!insights) {
          found.push(`${at(file, node)}: ${node.parent.text} reads a secret`);
        }
      }

      if (node.type === 'string_content' && /(AccountKey|SharedAccessKey|SharedAccessSignature|Password|InstrumentationKey)=/i.test(node.text)) {
        found.push(`${at(file, node)}: a secret in a string`);
      }
    }

    for (const output of file.outputs) {
      if (/(key|secret|password|connection)/i.test(output.name) || /ConnectionString/i.test(output.value.text)) {
        found.push(`${at(file, output.node)}: output ${output.name} is, or reads like, a secret`);
      }
    }

    for (const parameter of file.parameters) {
      if (/(key|secret|password|token)$/i.test(parameter.name)) {
        found.push(`${at(file, parameter.node)}: parameter ${parameter.name} would bring a secret in`);
      }
    }

    return found;
  });
}

export function referencesResolve(files) {
  return each(files, file => {
    const folder = path.posix.dirname(file.file);
    const found = file.files.filter(target => !files.has(path.posix.join(folder, target))).map(target => `${file.file}: there is no ${target}`);
    for (const module of file.modules) {
      const target = files.get(path.posix.join(folder, module.path));
      if (!target) {
        found.push(`${at(file, module.node)}: there is no ${module.path}`);
        continue;
      }

      const sent = properties(property(module.body, 'params'));
      for (const name of sent.keys()) {
        if (!target.parameters.some(p => p.name === name)) {
          found.push(`${at(file, module.node)}: ${module.path} has no parameter ${name}`);
        }
      }

      for (const parameter of target.parameters) {
        if (!sent.has(parameter.name) && !hasDefault(parameter)) {
          found.push(`${at(file, module.node)}: ${module.path} needs ${parameter.name}`);
        }
      }

      const outputs = target.outputs.map(o => o.name);
      for (const [, name] of file.root.text.matchAll(new RegExp(`\\b${module.name}!?\\.outputs\\.(\\w+)`, 'g'))) {
        if (!outputs.includes(name)) {
          found.push(`${file.file}: ${module.path} has no output ${name}`);
        }
      }
    }

    if (file.file.endsWith('.bicepparam')) {
      const target = files.get(file.files[0]);
      const names = target?.parameters.map(p => p.name) ?? [];
      found.push(...file.variables.filter(v => !names.includes(v.name)).map(v => `${at(file, v.node)}: ${file.files[0]} has no parameter ${v.name}`));
      found.push(...(target?.parameters ?? []).filter(p => !hasDefault(p) && !file.variables.some(v => v.name === p.name)).map(p => `${file.file}: ${p.name} is missing`));
    }

    for (const resource of file.resources.filter(r => r.existing)) {
      if (!existsSomewhere(files, file, resource)) {
        found.push(`${at(file, resource.node)}: nothing deploys the existing ${resource.type} ${property(resource.body, 'name')?.text}`);
      }
    }

    return found;
  });
}

/** Whether an existing resource is one that the deployment makes: its name comes, through each caller, from an output with the name of such a resource. */
function existsSomewhere(files, file, resource) {
  const parameter = property(resource.body, 'name')?.text;
  const callers = [...files.values()].flatMap(caller => caller.modules
    .filter(module => path.posix.join(path.posix.dirname(caller.file), module.path) === file.file).map(module => ({ caller, module })));
  return callers.length > 0 && callers.every(({ caller, module }) => {
    const [, from, output] = /^(\w+)!?\.outputs\.(\w+)$/.exec(property(module.body, `params.${parameter}`)?.text ?? '') ?? [];
    const source = caller.modules.find(m => m.name === from);
    const target = source && files.get(path.posix.join(path.posix.dirname(caller.file), source.path));
    const [, made] = /^(\w+)\.name$/.exec(target?.outputs.find(o => o.name === output)?.value.text ?? '') ?? [];
    const sameScope = property(module.body, 'scope')?.text === property(source?.body, 'scope')?.text;
    return sameScope && target?.resources.some(r => r.name === made && r.type === resource.type && !r.existing);
  });
}

export function namesAreUsed(files) {
  return each(files, file => {
    if (file.file.endsWith('.bicepparam')) {
      return [];
    }

    return [...file.parameters, ...file.variables]
      .filter(declared => !declared.decorators.has('export'))
      .filter(declared => file.identifiers.filter(i => i.text === declared.name && i.type === 'identifier' && i.parent.type !== 'object_property').length
        + keyedUses(file, declared.name) < 2)
      .map(declared => `${at(file, declared.node)}: ${declared.name} is used nowhere`);
  });
}

/** Uses as the value of a property, whose own name may be the same. */
function keyedUses(file, name) {
  return file.identifiers.filter(i => i.text === name && i.parent.type === 'object_property' && i.parent.namedChildren[0].id !== i.id).length;
}

export function parametersAreDescribed(files) {
  return each(files, file => file.file.endsWith('.bicepparam') ? [] : [
    ...[...file.parameters, ...file.outputs].filter(p => !(stringOf(p.decorators.get('description')?.namedChildren[0])?.length > 10))
      .map(p => `${at(file, p.node)}: ${p.name} has no description`),
    ...file.parameters.filter(p => !isConstrained(p)).map(p => `${at(file, p.node)}: ${p.name} has no limits`),
  ]);
}

function isConstrained(parameter) {
  const has = name => parameter.decorators.has(name);
  if (has('allowed')) {
    return true;
  }

  return parameter.type === 'string' ? has('minLength') || has('maxLength')
    : parameter.type === 'int' ? has('minValue') && has('maxValue')
    : parameter.type?.endsWith('[]') ? has('maxLength')
    : true;
}

export function versionsAreListed(files) {
  return each(files, file => file.resources.map(resource => {
    const root = resource.type.split('/').slice(0, 2).join('/');
    return apiVersions[root] === resource.version ? undefined
      : `${at(file, resource.node)}: ${resource.type}@${resource.version} is not listed (${apiVersions[root] ?? 'no version'})`;
  }).filter(Boolean));
}

export function namesAreDeterministic(files) {
  return each(files, file => file.calls.filter(call => ['newGuid', 'utcNow'].includes(call.name)).map(call => `${at(file, call.node)}: ${call.name}() differs with each deployment`));
}

/** App settings are those that the app's options read, and the settings of container instances those of AciOptions. */
export function settingsAgree(files, sources = readSources()) {
  const app = files.get('modules/functionapp.bicep');
  const named = [...descendants(app.root)].filter(n => n.type === 'object').map(o => stringOf(property(o, 'name'))).filter(name => name?.startsWith('Scaler__'));
  const read = optionNames(sources.app, 'ScalerAppOptions', 'Scaler');
  const aci = [...properties(files.get('main.bicep').variables.find(v => v.name === 'aci')?.node.namedChildren.at(-1)).keys()];
  const aciRead = memberNames(sources.aci, 'AciOptions').map(m => camel(m.name));
  const leasing = [...descendants(app.root)].filter(n => n.type === 'member_expression' && n.text.startsWith('leasing.')).map(n => n.text.slice(8));
  return [
    ...named.filter(name => !read.includes(name)).map(name => `bicep sets ${name}, which no option reads`),
    ...read.filter(name => !named.includes(name) && !(name in settingsLeftOut)).map(name => `the app reads ${name}, which bicep does not set and no reason excuses`),
    ...Object.keys(settingsLeftOut).filter(name => !read.includes(name)).map(name => `${name} is excused and exists no more`),
    ...Object.keys(settingsLeftOut).filter(name => named.includes(name)).map(name => `${name} is excused and set all the same`),
    ...named.filter((name, i) => named.indexOf(name) !== i).map(name => `bicep sets ${name} twice`),
    ...aci.filter(name => !aciRead.includes(name)).map(name => `main.bicep sets ${name} of container instances, which AciOptions does not read`),
    ...(aci.length === 0 ? ['main.bicep has no settings of container instances'] : []),
    ...leasing.filter(name => !named.includes(`Scaler__${name[0].toUpperCase()}${name.slice(1)}`)).map(name => `leasing.${name} becomes no setting of its name`),
  ];
}

export function readSources() {
  const read = file => fs.readFileSync(path.join(repository, file), 'utf8');
  return { app: read('src/ScalerFunctions/Hosting/ScalerAppOptions.cs'), aci: read('src/SlotBackends/Aci/AciOptions.cs') };
}

/** Settings' names in the environment; options of options are joined with two underscores. */
function optionNames(source, type, prefix) {
  return memberNames(source, type).flatMap(member => new RegExp(`class ${member.type}\\b`).test(source)
    ? optionNames(source, member.type, `${prefix}__${member.name}`)
    : [`${prefix}__${member.name}`]);
}

function memberNames(source, type) {
  const start = source.search(new RegExp(`(class|record) ${type}\\b`));
  const end = source.indexOf('\n}', start);
  return [...source.slice(start, end).matchAll(/^ {4}public ([\w<>,?. ]+?)\??\s+(\w+) \{ get; (?:set|init); \}/gm)].map(([, memberType, name]) => ({ type: memberType, name }));
}

const camel = name => name[0].toLowerCase() + name.slice(1);

const hasDefault = parameter => parameter.node.children.some(child => child.text === '=');

const each = (files, check) => [...files.values()].flatMap(check);

const eachResource = (files, type, check) => each(files, file => file.resources.filter(r => r.type === type && !r.existing).flatMap(r => check(file, r)));

function demand(file, resource, dotted, value) {
  const node = property(resource.body, dotted);
  const found = stringOf(node) ?? node?.text;
  return found === value ? [] : [`${at(file, resource.node)}: ${dotted} of ${resource.name} is ${found ?? 'not set'} and must be ${value}`];
}
