/**
 * Writes the documents that are made from the code. `test/docs.spec.ts` compares them with what is committed.
 *
 *   node scripts/generate-docs.ts
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { z } from 'zod'
import { stringify } from 'yaml'
import { ALIASES } from '../src/config/aliases.ts'
import { isKey, leaves } from '../src/config/tree.ts'
import { CONFIG_SCHEMA, CONFIG_VERSION, WITHOUT_EFFECT, type SchemaNode } from '../src/config/schema.ts'
import { ERROR_KINDS } from '../src/errors.ts'
import { METHODS } from '../src/rpc/table.ts'

const ROOT = join(import.meta.dirname, '..')
const NOTE = '<!-- Made by scripts/generate-docs.ts; change the code, then run: node scripts/generate-docs.ts -->'

/** Comments in the example file end here, to be read without scrolling. Characters. */
const COMMENT_CHARACTERS_MAX = 110

/** Path below the repository → text. */
export function generatedDocs(): ReadonlyMap<string, string> {
  return new Map([
    ['configs/default.yaml', defaultConfig()],
    ['docs/config.md', configDoc()],
    ['docs/errors.md', errorsDoc()],
    ['docs/limits.md', limitsDoc()],
    ['docs/rpc.md', rpcDoc()]
  ])
}

/** Every key at its default, with its meaning above it. */
function defaultConfig(): string {
  const lines = [
    '# Every key of the configuration at its default: a daemon started with this file is one started with none.',
    '# Copy what you want to change. Made from src/config by scripts/generate-docs.ts.'
  ]
  const write = (node: SchemaNode, name: string, indent: string): void => {
    const word = name.split('.').at(-1) ?? ''
    if (!isKey(node)) {
      if (name !== '') lines.push(...(indent === '' ? [''] : []), `${indent}${word}:`)
      for (const [inner, below] of Object.entries(node))
        write(below, name === '' ? inner : `${name}.${inner}`, name === '' ? '' : `${indent}  `)
      return
    }
    if (indent === '') lines.push('')
    lines.push(...wrapped(keyDoc(name, node.doc)).map(line => `${indent}# ${line}`))
    lines.push(
      ...stringify({ [word]: node.default })
        .trimEnd()
        .split('\n')
        .map(line => `${indent}${node.default === null ? '# ' : ''}${line}`)
    )
  }
  write(CONFIG_SCHEMA, '', '')
  return `${lines.join('\n')}\n`
}

function keyDoc(name: string, doc: string): string {
  return WITHOUT_EFFECT.some(listed => name === listed || name.startsWith(`${listed}.`)) ? `${doc} No effect in this version.` : doc
}

function wrapped(text: string): string[] {
  return text.match(new RegExp(`.{1,${COMMENT_CHARACTERS_MAX}}(?:\\s|$)`, 'g'))?.map(line => line.trimEnd()) ?? []
}

function configDoc(): string {
  const rows = leaves(CONFIG_SCHEMA).map(({ name, env, key }) => [
    code(name),
    code(key.type),
    code(written(key.default)),
    keyDoc(name, key.doc),
    code(env)
  ])
  const aliases = ALIASES.map(({ env, keys, doc }) => [code(env), keys.split(', ').map(code).join(', '), doc])
  return page(
    'Configuration',
    `YAML in \`config.yaml\` of the home, or the file named by \`--config\`. \`--set key=value\` and the environment take YAML values, too.
Strongest first: command line, environment, aliases, file, default. An unknown key or a wrong value is an error that names it and the nearest
right one. Names in the environment that begin with \`KITH_\` and are no key are errors, too (but \`KITH_HOME\` and the client's \`KITH_TOKEN\`).

Sizes: a number and one of \`B kB MB GB KiB MiB GiB TiB\`; 0 is unlimited. Durations: a number and one of \`ms s m h d\`; 0 is off.
Rates: a size and \`/s\`; 0 is unlimited. A bare number other than 0 is none of them. Lists also take one value alone; \`[]\` is none, and nothing at all is an error
where the default is not empty. Texts (names, secrets) are taken
from the environment and from \`--set\` as they stand.

Keys whose part is not built yet are checked like all others and have no effect; a daemon that is given one says so once at its start. A file may say
\`version: ${CONFIG_VERSION}\`; one for a newer Kith is refused. Examples for each way of running: \`configs/\`; every key at its default: \`configs/default.yaml\`.`,
    `${table(['key', 'type', 'default', 'meaning', 'environment'], rows)}
## Aliases

Names other programs use in the environment. An empty one says nothing.

${table(['environment', 'sets', 'meaning'], aliases)}`
  )
}

function errorsDoc(): string {
  const rows = Object.entries(ERROR_KINDS).map(([name, { rpc, http, exit, fault }]) => [
    code(name),
    String(rpc),
    String(http),
    String(exit),
    fault
  ])
  return page(
    'Errors',
    `Every error has \`data.code\`, by which programs tell them apart, and \`data.fault\`: \`caller\` (change the request), \`world\` (try
later or elsewhere), \`bug\` (report it). The message says what happened, why, and what to do.`,
    table(['code', 'JSON-RPC', 'HTTP', 'exit status', 'fault'], rows)
  )
}

function limitsDoc(): string {
  const sections = sourceFiles().flatMap(file => {
    const rows = limitsOf(readFileSync(join(ROOT, file), 'utf8'))
    return rows.length === 0 ? [] : [`## ${file}\n\n${table(['limit', 'value', 'meaning'], rows)}`]
  })
  return page('Limits', 'Every fixed limit of the code. Those an operator may set stand in [config.md](config.md).', sections.join('\n'))
}

/** Constants named `…_MAX` or `…_MIN` with the comment above them: text is enough, no compiler needed. */
function limitsOf(source: string): string[][] {
  const found = source.matchAll(/(?:\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n)?^(?:export )?const ([A-Z0-9_]+_(?:MAX|MIN))(?:: \w+)? = (.+)$/gm)
  return [...found].map(([, comment = '', name = '', value = '']) => [code(name), code(value), prose(comment)])
}

function rpcDoc(): string {
  const sections = Object.entries(METHODS).map(([name, method]) => {
    const later = method.notBuilt.length === 0 ? '' : `\n\nNot built yet: ${method.notBuilt.map(code).join(', ')}.`
    return `## ${name}\n\n${method.doc} Access: \`${method.access}\`.\n\n${paramsTable(method.params)}${later}\n`
  })
  return page(
    'Methods',
    'Every method of the socket, from the table that serves them. `rpc.discover` returns the same as an OpenRPC document.',
    sections.join('\n')
  )
}

function paramsTable(params: z.ZodType): string {
  const { properties = {}, required = [] } = z.toJSONSchema(params, { io: 'input', unrepresentable: 'any' })
  const rows = Object.entries(properties).map(([name, schema]) => [
    code(required.includes(name) ? name : `${name}?`),
    code(shape(schema)),
    description(schema)
  ])
  return rows.length === 0 ? 'No parameters.' : table(['parameter', 'type', 'meaning'], rows)
}

type JsonSchema = z.core.JSONSchema._JSONSchema

/** A JSON schema in a few words. */
function shape(schema: JsonSchema): string {
  if (typeof schema === 'boolean') return 'any'
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.enum !== undefined) return schema.enum.map(value => JSON.stringify(value)).join(' | ')
  if (schema.anyOf !== undefined) return schema.anyOf.map(shape).join(' | ')
  if (schema.type === 'array' && !Array.isArray(schema.items)) return `[${shape(schema.items ?? true)}]`
  if (schema.type === 'object' && schema.properties !== undefined) return `{${Object.keys(schema.properties).join(', ')}}`
  const bounds = [schema.minimum, schema.maximum].map(bound =>
    bound === undefined || Math.abs(bound) >= Number.MAX_SAFE_INTEGER ? '' : String(bound)
  )
  return `${String(schema.type ?? 'any')}${bounds.some(bound => bound !== '') ? ` ${bounds.join('–')}` : ''}`
}

function description(schema: JsonSchema): string {
  return typeof schema === 'boolean' ? '' : (schema.description ?? '')
}

function sourceFiles(): string[] {
  return readdirSync(join(ROOT, 'src'), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && entry.name.endsWith('.ts'))
    .map(entry => relative(ROOT, join(entry.parentPath, entry.name)))
    .toSorted()
}

function page(title: string, intro: string, body: string): string {
  return `${NOTE}\n\n# ${title}\n\n${intro}\n\n${body.trimEnd()}\n`
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell => cell.replaceAll('|', String.raw`\|`)).join(' | ')} |`
  return `${[line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')}\n`
}

function written(value: unknown): string {
  return Array.isArray(value) && value.length > 0
    ? `[${value.join(', ')}]`
    : value === null
      ? 'unset'
      : typeof value === 'string'
        ? value
        : JSON.stringify(value)
}

function code(text: string): string {
  return `\`${text}\``
}

/** The text of a doc comment on one line, links as code. */
function prose(comment: string): string {
  return comment
    .replace(/^\s*\*? ?/gm, ' ')
    .replace(/\{@link ([^}]+)\}/g, '`$1`')
    .replace(/\s+/g, ' ')
    .trim()
}

if (import.meta.main) for (const [path, text] of generatedDocs()) writeFileSync(join(ROOT, path), text)
