/**
 * From written values to the configuration in force: what each source says is collected key by key, the last
 * word counts, and every key is then read by its own parser.
 */
import { KithError } from '../errors.ts'
import { didYouMean } from '../lib/nearest-word.ts'
import { BadValueError } from './key.ts'
import { checkTogether, openDoors, type ConfigWarning } from './rules.ts'
import { CONFIG_SCHEMA, RENAMED, WITHOUT_EFFECT, type Config, type Key, type SchemaNode } from './schema.ts'
import { isKey, leaves } from './tree.ts'

/** Where a value comes from, from weakest to strongest. */
export type SourceKind = 'default' | 'file' | 'alias' | 'environment' | 'command line'

export interface Origin {
  readonly kind: SourceKind
  /** The file, the environment name or the `--set` it was written in. */
  readonly where: string
}

interface Written {
  readonly value: unknown
  readonly origin: Origin
}

export interface LoadedConfig {
  readonly config: Config
  /** Dotted key → where its value comes from. */
  readonly provenance: ReadonlyMap<string, Origin>
  /** As written, secrets masked: safe to show. */
  readonly shown: Readonly<Record<string, unknown>>
  /** What works, and not as its author may think. For the log, and for `kith config validate`. */
  readonly warnings: readonly ConfigWarning[]
}

export interface ConfigBuilderInit {
  /** Former name → name now. */
  readonly renamed?: Readonly<Record<string, string>>
}

const DEFAULT: Origin = { kind: 'default', where: 'default' }
const VALUE_CHARACTERS_SHOWN = 100

/** Collects what sources say. Add them from weakest to strongest. */
export class ConfigBuilder {
  readonly #written = new Map<string, Written>()
  readonly #renamed: Readonly<Record<string, string>>
  readonly #warnings: ConfigWarning[] = []

  constructor({ renamed = RENAMED }: ConfigBuilderInit = {}) {
    this.#renamed = renamed
    for (const { name, key } of leaves(CONFIG_SCHEMA)) this.#written.set(name, { value: key.default, origin: DEFAULT })
  }

  /**
   * Takes a key, a section or everything (`name` '') from a source. `null` leaves what weaker sources say.
   *
   * @throws KithError CONFIG for an unknown key, and for a list with nothing below it that is not empty by default
   */
  add(name: string, value: unknown, origin: Origin): void {
    const now = this.#nameNow(name, origin)
    this.#add(nodeAt(now, origin), now, value, origin)
  }

  /** @throws KithError CONFIG naming key, value and source · NOT_BUILT for what must not be ignored and comes later */
  finish(): LoadedConfig {
    // The one place where the parsed tree gets its type: both are made from CONFIG_SCHEMA, key by key.
    const config = this.#map((written, key, name) => parse(written, key, name)) as Config
    checkTogether(config)
    return {
      config,
      provenance: new Map([...this.#written].map(([name, { origin }]) => [name, origin])),
      shown: this.#map(({ value }, key) => key.show(value)),
      warnings: [...this.#warnings, ...openDoors(config), ...this.#ineffective()]
    }
  }

  #add(node: SchemaNode, name: string, value: unknown, origin: Origin): void {
    if (value === null && isKey(node) && hasUsualItems(node)) throw emptied(name, origin)
    if (value === null || value === undefined) return
    if (isKey(node)) {
      this.#written.set(name, { value, origin })
      return
    }
    if (typeof value !== 'object' || Array.isArray(value))
      throw badValue(name === '' ? 'the configuration' : name, value, 'is not a section with keys', origin)
    for (const [word, inner] of Object.entries(value)) {
      const below = this.#nameNow(name === '' ? word : `${name}.${word}`, origin)
      this.#add(nodeAt(below, origin), below, inner, origin)
    }
  }

  #nameNow(name: string, { where }: Origin): string {
    const now = Object.hasOwn(this.#renamed, name) ? this.#renamed[name] : undefined
    if (now === undefined) return name
    this.#warnings.push({ message: `this key of the configuration (${where}) is called ${now} now; write that`, keys: [name] })
    return now
  }

  /** Somebody wrote it, it differs from the default, and nothing comes of it. */
  #ineffective(): ConfigWarning[] {
    const keys = leaves(CONFIG_SCHEMA)
      .filter(({ name, key }) => {
        const isRead = !WITHOUT_EFFECT.some(listed => name === listed || name.startsWith(`${listed}.`))
        return !isRead && JSON.stringify(this.#written.get(name)?.value) !== JSON.stringify(key.default)
      })
      .map(({ name }) => name)
    return keys.length === 0 ? [] : [{ message: 'these keys of the configuration have no effect in this version', keys }]
  }

  #map(read: (written: Written, key: Key<unknown>, name: string) => unknown): Record<string, unknown> {
    const tree: Record<string, unknown> = {}
    for (const { name, key } of leaves(CONFIG_SCHEMA))
      place(tree, name, read(this.#written.get(name) ?? { value: key.default, origin: DEFAULT }, key, name))
    return tree
  }
}

/** The configuration for a tree of written values, as in a file: for embedders and tests. */
export function configFrom(tree: unknown): Config {
  const builder = new ConfigBuilder()
  builder.add('', tree, { kind: 'command line', where: 'given' })
  return builder.finish().config
}

function nodeAt(name: string, origin: Origin): SchemaNode {
  let node: SchemaNode = CONFIG_SCHEMA
  const words = name === '' ? [] : name.split('.')
  for (const [depth, word] of words.entries()) {
    const inner: SchemaNode | undefined = !isKey(node) && Object.hasOwn(node, word) ? node[word] : undefined
    if (inner === undefined) throw unknownKey(words.slice(0, depth), word, node, origin)
    node = inner
  }
  return node
}

function unknownKey(parents: readonly string[], word: string, parent: SchemaNode, origin: Origin): KithError {
  const name = [...parents, word].join('.')
  const known = isKey(parent) ? [] : Object.keys(parent)
  const section = parents.length === 0 ? 'the configuration' : `"${parents.join('.')}"`
  const elsewhere = leaves(CONFIG_SCHEMA).find(leaf => leaf.name.endsWith(`.${word}`))?.name
  const suggestion =
    didYouMean(word, known) ||
    (elsewhere !== undefined ? ` Did you mean "${elsewhere}"?` : known.length > 0 ? ` It has ${known.join(', ')}.` : '')
  return new KithError('CONFIG', `${name} (${origin.where}): ${section} has no key "${word}".${suggestion}`, {
    key: name,
    source: origin.where
  })
}

function parse({ value, origin }: Written, key: Key<unknown>, name: string): unknown {
  try {
    return key.parse(value)
  } catch (error) {
    if (error instanceof BadValueError) throw badValue(name, key.show(value), error.message, origin)
    if (error instanceof KithError)
      throw new KithError(error.code, `${name} (${origin.where}): ${error.message}`, { key: name, source: origin.where })
    throw error
  }
}

/** A list that says something by default. */
function hasUsualItems({ type, default: usual }: Key<unknown>): boolean {
  return /(?:^|\| )list of /.test(type) && !(Array.isArray(usual) && usual.length === 0)
}

/** Who takes out all its items, or makes them comments, means none; YAML reads what is left as if the key were not there. */
function emptied(name: string, origin: Origin): KithError {
  return new KithError(
    'CONFIG',
    `${name} (${origin.where}): there is nothing in this list, which may mean none or the usual ones. Write [] for none, or leave the key out for the default`,
    { key: name, source: origin.where }
  )
}

function badValue(name: string, value: unknown, why: string, origin: Origin): KithError {
  const text = JSON.stringify(value) ?? String(value)
  const shown = text.length > VALUE_CHARACTERS_SHOWN ? `${text.slice(0, VALUE_CHARACTERS_SHOWN)}…` : text
  return new KithError('CONFIG', `${name} (${origin.where}): ${shown} ${why}`, { key: name, source: origin.where })
}

function place(tree: Record<string, unknown>, name: string, value: unknown): void {
  const words = name.split('.')
  const last = words.pop() ?? name
  let branch = tree
  for (const word of words) branch = branchOf(branch, word)
  branch[last] = value
}

function branchOf(tree: Record<string, unknown>, word: string): Record<string, unknown> {
  const found = tree[word]
  if (isBranch(found)) return found
  const made: Record<string, unknown> = {}
  tree[word] = made
  return made
}

function isBranch(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
