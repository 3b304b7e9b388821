/** The command line, read strictly: every mistake is named, with the word that was probably meant. */
import { parseArgs } from 'node:util'
import { parseDuration } from '../config/quantities.ts'
import { KithError, NotBuiltError } from '../errors.ts'
import { didYouMean } from '../lib/nearest-word.ts'
import type { Command, OptionSpec } from './command.ts'
import { COMMANDS, COMMON_OPTIONS, NOT_BUILT_COMMANDS } from './commands.ts'

export interface Arguments {
  /** Undefined when none was given: `kith --help`. With a name and no command, help was asked on one that is not built. */
  readonly name: string | undefined
  readonly command: Command | undefined
  readonly words: readonly string[]
  readonly options: Readonly<Record<string, string | boolean>>
}

/**
 * @throws KithError INVALID_PARAMS for wrong usage · NOT_BUILT for commands of later versions
 */
export function readArguments(argv: readonly string[]): Arguments {
  // What people try first.
  if (argv[0] === 'help') return readArguments([...argv.slice(1), '--help'])
  const name = commandName(argv)
  if (name !== undefined && Object.hasOwn(NOT_BUILT_COMMANDS, name)) {
    // Its options are not known yet either.
    if (!argv.some(word => word === '--help' || word === '-h')) throw new NotBuiltError(`The command "${name}"`)
    return { name, command: undefined, words: [], options: { help: true } }
  }
  const command = name === undefined ? undefined : findCommand(name)
  const specs = { ...COMMON_OPTIONS, ...(command === undefined ? { version: { doc: 'print the version' } } : command.options) }
  const { tokens } = parseArgs({ args: [...argv], options: parseOptions(specs), strict: false, allowPositionals: true, tokens: true })
  const words: string[] = []
  const options: Record<string, string | boolean> = {}
  for (const token of tokens) {
    if (token.kind === 'positional') words.push(token.value)
    if (token.kind === 'option') options[token.name] = readOption(token, specs)
  }
  words.shift()
  if (command !== undefined && name !== undefined && options['help'] !== true) checkWords(name, command, words)
  return { name, command, words, options }
}

/** `--timeout` in milliseconds. */
export function readTimeout(options: Readonly<Record<string, string | boolean>>): number | undefined {
  const { timeout } = options
  if (typeof timeout !== 'string') return undefined
  const ms = parseDuration(timeout)
  if (ms === 0) throw usage(`--timeout ${timeout} leaves no time at all; write at least 1s`)
  if (ms === undefined) throw usage(`--timeout ${timeout} is no duration; write it with its unit, such as 30s or 2m`)
  return ms
}

export function usage(message: string): KithError {
  return new KithError('INVALID_PARAMS', message)
}

/** The first word that is no option and no option's value. */
function commandName(argv: readonly string[]): string | undefined {
  const { tokens } = parseArgs({
    args: [...argv],
    options: parseOptions(COMMON_OPTIONS),
    strict: false,
    allowPositionals: true,
    tokens: true
  })
  for (const token of tokens) if (token.kind === 'positional') return token.value
  return undefined
}

function findCommand(name: string): Command {
  if (Object.hasOwn(COMMANDS, name)) {
    const command = COMMANDS[name]
    if (command !== undefined) return command
  }
  const known = [...Object.keys(COMMANDS), ...Object.keys(NOT_BUILT_COMMANDS)]
  throw usage(`there is no command "${name}".${didYouMean(name, known)} See kith --help.`)
}

function parseOptions(specs: Readonly<Record<string, OptionSpec>>): Record<string, { type: 'string' | 'boolean'; short?: string }> {
  return Object.fromEntries(
    Object.entries(specs).map(([name, { value, short }]) => [
      name,
      { type: value === undefined ? ('boolean' as const) : ('string' as const), ...(short === undefined ? {} : { short }) }
    ])
  )
}

interface OptionToken {
  readonly name: string
  readonly rawName: string
  readonly value?: string | undefined
  readonly inlineValue?: boolean | undefined
}

function readOption({ name, rawName, value, inlineValue }: OptionToken, specs: Readonly<Record<string, OptionSpec>>): string | boolean {
  const spec = Object.hasOwn(specs, name) ? specs[name] : undefined
  if (spec === undefined) throw usage(`there is no option ${rawName}.${didYouMean(name, Object.keys(specs))}`)
  if (spec.value === undefined) {
    if (value !== undefined) throw usage(`${rawName} takes no value`)
    return true
  }
  const looksLikeOption = inlineValue === false && value !== undefined && value !== '-' && value.startsWith('-')
  if (value === undefined || value === '' || looksLikeOption) throw usage(`${rawName} needs a value: ${spec.value}`)
  return value
}

function checkWords(name: string, { words: [min, max], usage: form, subcommands }: Command, words: readonly string[]): void {
  const [first] = words
  if (subcommands !== undefined && first !== undefined && !subcommands.includes(first))
    throw usage(`there is no "kith ${name} ${first}".${didYouMean(first, subcommands)} Known: ${subcommands.join(', ')}`)
  // An empty word would be the current directory where a path is meant, and nobody means that: it is a variable without a value.
  if (words.includes('')) throw usage(`something is missing: an empty word was given. kith ${name} ${form}`)
  if (words.length < min || words.length > max)
    throw usage(`${words.length < min ? 'something is missing' : `"${words[max] ?? ''}" is too much`}: kith ${name} ${form}`)
}
