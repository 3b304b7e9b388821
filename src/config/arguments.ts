/** The command line of kithd: pure, so that main.ts only acts. */
import { homedir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { KithError } from '../errors.ts'
import { didYouMean } from '../lib/nearest-word.ts'

export interface DaemonArguments {
  readonly home: string
  readonly config: string | undefined
  readonly sets: readonly string[]
  readonly json: boolean
  /** A home that has lost its key gets another one. */
  readonly newIdentity: boolean
  readonly help: boolean
  readonly version: boolean
}

export const DAEMON_USAGE = `kithd: the Kith peer daemon, in the foreground.

  kithd [--home DIR] [--config FILE] [--set key=value]… [--json] [--new-identity]

  --home DIR        where everything of this node lies (default: KITH_HOME, else ~/.kith)
  --config FILE     configuration (default: config.yaml in the home, if there is one)
  --set key=value   one configuration value, as YAML; may be repeated
  --json            the ready line as JSON
  --new-identity    once, for a home that has lost its identity.key: go on under a new name
  --version         print the version
  --help            print this

When it can serve, it prints one line on stdout: ready socket=… peer=… did=… addresses=… http=…
Logs go to stderr. Example: kithd --home ~/.kith --set network.mdns=false
`

const OPTIONS = {
  home: { type: 'string' },
  config: { type: 'string' },
  set: { type: 'string', multiple: true },
  json: { type: 'boolean', default: false },
  'new-identity': { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
  version: { type: 'boolean', default: false }
} as const

/** @throws KithError INVALID_PARAMS naming the wrong word and the nearest right one */
export function parseDaemonArguments(argv: readonly string[], env: Readonly<Record<string, string | undefined>>): DaemonArguments {
  const { values, positionals } = parse(argv)
  const [stray] = positionals
  if (stray !== undefined) throw usage(`kithd takes no "${stray}"; the client is kith`)
  const home = values.home ?? nonEmpty(env['KITH_HOME']) ?? join(homedir(), '.kith')
  if (home === '') throw usage('--home names no directory')
  const { config, set: sets = [], json, 'new-identity': newIdentity, help, version } = values
  return { home, config, sets, json, newIdentity, help, version }
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true })
  } catch (error) {
    throw usage(explain(error))
  }
}

/** Node's message, with the nearest option instead of its advice on positional arguments. */
function explain(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  const [, unknown] = /^Unknown option '(-{1,2}[^'=]+)/.exec(message) ?? []
  if (unknown === undefined) return message
  const options = Object.keys(OPTIONS).map(name => `--${name}`)
  return `there is no option ${unknown}.${didYouMean(unknown, options)}`
}

function usage(why: string): KithError {
  return new KithError('INVALID_PARAMS', `${why}\nSee kithd --help`)
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}
