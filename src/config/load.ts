/**
 * Reads the configuration from its sources: command line, environment, aliases, file, defaults
 * (strongest first).
 * Owns nothing on disk and writes nothing.
 */
import { join } from 'node:path'
import { parseDocument } from 'yaml'
import { KithError } from '../errors.ts'
import { didYouMean } from '../lib/nearest-word.ts'
import { readSmallFile, UnfitFileError } from '../lib/small-file.ts'
import { MIB } from '../model/units.ts'
import { aliasedValues } from './aliases.ts'
import { ConfigBuilder, type LoadedConfig, type Origin } from './resolve.ts'
import { CONFIG_SCHEMA, CONFIG_VERSION } from './schema.ts'
import { leaves } from './tree.ts'

/** Larger files are not configurations; keeps a wrong `--config` from being parsed for minutes. Bytes. */
const CONFIG_FILE_BYTES_MAX = MIB
/** Aliases a file may unfold into; against documents that explode. */
const YAML_ALIASES_MAX = 100

/** Names of the environment that begin with KITH_ and are no configuration keys: the home, and what the client logs in with. */
const RESERVED_ENV = ['KITH_HOME', 'KITH_TOKEN']
/** Names one would expect → what to write instead. */
const EXPECTED_ENV: Readonly<Record<string, string>> = {
  KITH_SOCKET: 'The path of the socket is KITH_API_SOCKET for kithd, and --socket for kith.',
  KITH_CONFIG: 'The file is named with --config FILE.'
}

export interface ConfigSources {
  /** `key=value` of each `--set`; the value is YAML. */
  readonly sets?: readonly string[]
  readonly env?: Readonly<Record<string, string | undefined>>
  /** File named by `--config`; it must exist. Without one, `config.yaml` in the home if it exists. */
  readonly file?: string | undefined
  readonly home: string
}

/**
 * @throws KithError CONFIG naming key, value, source and the nearest right key · NOT_BUILT for what comes later
 */
export async function loadConfig(sources: ConfigSources): Promise<LoadedConfig> {
  const builder = new ConfigBuilder()
  const env = sources.env ?? {}
  await addFile(builder, sources)
  for (const { name, value, where } of aliasedValues(env)) builder.add(name, value, { kind: 'alias', where })
  addEnvironment(builder, env)
  for (const set of sources.sets ?? []) addSet(builder, set)
  return builder.finish()
}

async function addFile(builder: ConfigBuilder, { file, home }: ConfigSources): Promise<void> {
  const where = file ?? join(home, 'config.yaml')
  const text = await readText(where, file !== undefined)
  if (text !== undefined) builder.add('', withoutVersion(parseYaml(text, where), where), { kind: 'file', where })
}

function addEnvironment(builder: ConfigBuilder, env: Readonly<Record<string, string | undefined>>): void {
  const known = new Map(leaves(CONFIG_SCHEMA).map(leaf => [leaf.env, leaf.name]))
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith('KITH_') || RESERVED_ENV.includes(name) || text === undefined) continue
    const key = known.get(name)
    if (key === undefined) throw unknownEnvironment(name, [...known.keys(), ...RESERVED_ENV])
    builder.add(key, valueFrom(text, key, name), { kind: 'environment', where: name })
  }
}

function unknownEnvironment(name: string, known: readonly string[]): KithError {
  const advice = Object.hasOwn(EXPECTED_ENV, name) ? ` ${EXPECTED_ENV[name]}` : didYouMean(name, known)
  return new KithError('CONFIG', `the environment holds ${name}, which is no configuration key.${advice} Correct it or unset it`, {
    key: name
  })
}

function addSet(builder: ConfigBuilder, set: string): void {
  const equals = set.indexOf('=')
  const origin: Origin = { kind: 'command line', where: '--set' }
  if (equals < 1) throw new KithError('CONFIG', `--set ${set}: write it as key=value, such as --set log.level=debug`)
  const name = set.slice(0, equals)
  builder.add(name, valueFrom(set.slice(equals + 1), name, `--set ${name}`), origin)
}

/** YAML, except where the text itself is the value: then only quotes are taken off. */
function valueFrom(text: string, name: string, where: string): unknown {
  const isLiteral = leaves(CONFIG_SCHEMA).some(leaf => leaf.name === name && leaf.key.literal)
  if (!isLiteral || /^(?:["'].*["']|null|~|)$/s.test(text)) return parseYaml(text, where)
  return text
}

/**
 * @throws KithError CONFIG for a file written for a newer Kith
 */
function withoutVersion(tree: unknown, where: string): unknown {
  if (typeof tree !== 'object' || tree === null || !('version' in tree)) return tree
  const { version, ...rest } = tree
  if (typeof version !== 'number' || !Number.isSafeInteger(version) || version < 1)
    throw new KithError('CONFIG', `version (${where}): ${JSON.stringify(version)} is no version of a configuration; leave it out`)
  if (version > CONFIG_VERSION)
    throw new KithError(
      'CONFIG',
      `${where} is written for a newer Kith: its version is ${version}, and this one knows ${CONFIG_VERSION}. Update Kith, or start it with another file`,
      { key: 'version', source: where }
    )
  return rest
}

async function readText(file: string, required: boolean): Promise<string | undefined> {
  try {
    return (await readSmallFile(file, CONFIG_FILE_BYTES_MAX)).toString('utf8')
  } catch (error) {
    if (error instanceof UnfitFileError)
      throw new KithError(
        'CONFIG',
        `${file} ${error.message}, so it cannot be a configuration. That is a plain file of at most ${CONFIG_FILE_BYTES_MAX} bytes`,
        { file },
        { cause: error }
      )
    const code = errorCode(error)
    if (code === 'ENOENT' && !required) return undefined
    if (code === 'ENOENT') throw new KithError('CONFIG', `${file} does not exist`, { file }, { cause: error })
    throw new KithError('CONFIG', `${file} cannot be read (${code}). Check the name and its permissions`, { file }, { cause: error })
  }
}

function parseYaml(text: string, where: string): unknown {
  const document = parseDocument(text, { prettyErrors: true, logLevel: 'error' })
  const [broken] = document.errors
  if (broken !== undefined) throw new KithError('CONFIG', `${where} is not valid YAML: ${headOf(broken.message)}`)
  try {
    return document.toJS({ maxAliasCount: YAML_ALIASES_MAX })
  } catch (error) {
    throw new KithError(
      'CONFIG',
      `${where} is not valid YAML: ${error instanceof Error ? error.message : String(error)}`,
      {},
      { cause: error }
    )
  }
}

/** What is wrong and where; below it the parser draws the line, which an error in one line cannot show. */
function headOf(message: string): string {
  return (message.split('\n', 1)[0] ?? '').replace(/:$/, '')
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}
