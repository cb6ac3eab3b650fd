// Bicep files as what the checks look at. Parsing is tree-sitter's; nothing here knows Azure.
import { createRequire } from 'node:module';
import fs from 'node:fs';
import path from 'node:path';
import { Language, Parser } from 'web-tree-sitter';

const require = createRequire(import.meta.url);
await Parser.init();
const grammar = await Language.load(require.resolve('tree-sitter-bicep/tree-sitter-bicep.wasm'));
const parser = new Parser();
parser.setLanguage(grammar);

export const repository = path.resolve(import.meta.dirname, '../..');

/** Every bicep file under infra/bicep: text by path from there. */
export function readTexts() {
  const root = path.join(repository, 'infra/bicep');
  return new Map(fs.readdirSync(root, { recursive: true })
    .map(file => file.split(path.sep).join('/'))
    .filter(file => /\.bicep(param)?$/.test(file))
    .sort()
    .map(file => [file, fs.readFileSync(path.join(root, file), 'utf8')]));
}

/** Parsed files by path. */
export function parseAll(texts) {
  return new Map([...texts].map(([file, text]) => [file, parse(file, text)]));
}

function parse(file, text) {
  // The grammar has no assignments of parameter files; they read like variables.
  const source = file.endsWith('.bicepparam') ? text.replace(/^param (?=\w+ *=)/gm, 'var ') : text;
  const root = parser.parse(source).rootNode;
  const all = [...descendants(root)];
  const declarations = type => all.filter(node => node.type === type);
  return {
    file,
    root,
    errors: all.filter(node => node.type === 'ERROR' || node.isMissing),
    targetScope: stringOf(declarations('target_scope_assignment')[0]?.namedChildren[0]) ?? 'resourceGroup',
    parameters: declarations('parameter_declaration').map(named),
    variables: declarations('variable_declaration').map(named),
    outputs: declarations('output_declaration').map(node => ({ ...named(node), value: node.namedChildren.at(-1) })),
    resources: declarations('resource_declaration').map(resourceOf),
    modules: declarations('module_declaration').map(node => ({ ...named(node), path: stringOf(node.namedChildren[1]), body: objectOf(node) })),
    files: [...declarations('import_functionality'), ...declarations('using_statement')].map(node => stringOf(node.namedChildren.find(child => child.type === 'string'))),
    calls: declarations('call_expression').map(node => ({ name: node.namedChildren[0].text, node })),
    identifiers: all.filter(node => node.type === 'identifier' || node.type === 'property_identifier'),
  };
}

function named(node) {
  return { node, name: node.namedChildren[0].text, type: node.namedChildren[1]?.type === 'type' ? node.namedChildren[1].text : undefined, decorators: decoratorsOf(node) };
}

function resourceOf(node) {
  const outer = ancestors(node).find(ancestor => ancestor.type === 'resource_declaration');
  const [type, version] = stringOf(node.namedChildren[1]).split('@');
  const parent = outer && resourceOf(outer);
  return {
    node,
    name: node.namedChildren[0].text,
    type: parent ? `${parent.type}/${type}` : type,
    version: version ?? parent?.version,
    existing: node.children.some(child => child.type === 'existing' || child.text === 'existing'),
    body: objectOf(node),
    comment: previousComment(node),
  };
}

/** The object that a declaration is set to, within its condition or loop if it has one. */
function objectOf(node) {
  for (const child of node.namedChildren) {
    if (child.type === 'object') {
      return child;
    }

    if (child.type === 'if_statement' || child.type === 'for_statement') {
      const inner = objectOf(child);
      if (inner) {
        return inner;
      }
    }
  }

  return undefined;
}

/** The value of a property, by a path such as 'properties.sku.name'. */
export function property(object, dotted) {
  let value = object;
  for (const part of dotted.split('.')) {
    value = properties(value).get(part);
    if (!value) {
      return undefined;
    }
  }

  return value;
}

/** The properties of an object: values by name. */
export function properties(object) {
  if (object?.type !== 'object') {
    return new Map();
  }

  return new Map(object.namedChildren
    .filter(child => child.type === 'object_property' && ['identifier', 'string', 'property_identifier'].includes(child.namedChildren[0]?.type))
    .map(child => [stringOf(child.namedChildren[0]) ?? child.namedChildren[0].text, child.namedChildren.filter(c => c.type !== 'comment')[1]]));
}

/** The text of a string without interpolation. */
export function stringOf(node) {
  if (node?.type !== 'string') {
    return undefined;
  }

  return node.namedChildren.filter(child => child.type === 'string_content').map(child => child.text).join('');
}

export function* descendants(node) {
  yield node;
  for (const child of node.children) {
    yield* descendants(child);
  }
}

function ancestors(node) {
  const found = [];
  for (let at = node.parent; at; at = at.parent) {
    found.push(at);
  }

  return found;
}

function decoratorsOf(node) {
  const before = node.previousNamedSibling;
  const list = before?.type === 'decorators' ? before : undefined;
  return new Map((list?.namedChildren ?? []).map(decorator => {
    const call = decorator.namedChildren[0];
    return [call.namedChildren[0]?.text ?? call.text, call.namedChildren[1]];
  }));
}

function previousComment(node) {
  const before = node.previousNamedSibling;
  return before?.type === 'comment' && before.endPosition.row === node.startPosition.row - 1 ? before.text : undefined;
}

export function at(file, node) {
  return `${file.file}:${node.startPosition.row + 1}`;
}
