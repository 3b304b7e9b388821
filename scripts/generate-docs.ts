/**
 * Writes the documents that are made from the code. `test/docs.spec.ts` compares them with what is committed.
 *
 *   node scripts/generate-docs.ts
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { z } from 'zod'
import { leaves } from '../src/config/tree.ts'
import { CONFIG_SCHEMA } from '../src/config/schema.ts'
import { ERROR_KINDS } from '../src/errors.ts'
import { METHODS } from '../src/rpc/table.ts'

const ROOT = join(import.meta.dirname, '..')
const NOTE = '<!-- Made by scripts/generate-docs.ts; change the code, then run: node scripts/generate-docs.ts -->'

/** Path below the repository → text. */
export function generatedDocs(): ReadonlyMap<string, string> {
  return new Map([
    ['docs/config.md', configDoc()],
    ['docs/errors.md', errorsDoc()],
    ['docs/limits.md', limitsDoc()],
    ['docs/rpc.md', rpcDoc()]
  ])
}

function configDoc(): string {
  const rows = leaves(CONFIG_SCHEMA).map(({ name, env, key }) => [
    code(name),
    code(key.type),
    code(written(key.default)),
    key.doc,
    code(env)
  ])
  return page(
    'Configuration',
    `YAML in \`config.yaml\` of the home, or the file named by \`--config\`. \`--set key=value\` and the environment take YAML values, too.
Strongest first: command line, environment, file, default. An unknown key or a wrong value is an error that names it and the nearest right one.

Sizes: a number and one of \`B kB MB GB KiB MiB GiB TiB\`; 0 is unlimited. Durations: a number and one of \`ms s m h d\`; 0 is off.
A bare number other than 0 is neither. Lists also take one value alone.`,
    table(['key', 'type', 'default', 'meaning', 'environment'], rows)
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
