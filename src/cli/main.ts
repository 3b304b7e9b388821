/**
 * The edge of `kith`: argv and environment in, exit code out. Loads only what the command needs; never libp2p,
 * Helia or the daemon.
 */
import { toKithError } from '../errors.ts'
import type { KithError } from '../errors.ts'
import type { ConnectOptions, KithClient } from '../rpc/client.ts'
import { errorBody } from '../rpc/error-body.ts'
import { readArguments, readTimeout, usage } from './arguments.ts'
import type { Arguments } from './arguments.ts'
import type { CliIo, CommandContext, Environment } from './command.ts'
import { commandHelp, notBuiltHelp, overview } from './help.ts'
import { progressBar } from './progress.ts'
import { printable, safeJson } from './text.ts'

/** Exit status of wrong usage, and when no daemon runs; others come with the error. */
const EXIT_USAGE = 2
const EXIT_NOT_RUNNING = 3

export async function main(argv: readonly string[], env: Environment, io: CliIo): Promise<number> {
  const json = argv.includes('--json')
  try {
    return await run(readArguments(argv), env, io)
  } catch (thrown) {
    const error = toKithError(thrown)
    io.stderr.write(`${json ? safeJson({ error: errorBody(error) }) : await explain(error)}\n`)
    return error.data['notRunning'] === true ? EXIT_NOT_RUNNING : error.kind.exit
  }
}

async function run(argumentsGiven: Arguments, env: Environment, io: CliIo): Promise<number> {
  const { name, command, options } = argumentsGiven
  if (options['version'] === true) {
    const { packageVersion } = await import('./package-version.ts')
    io.stdout.write(`${await packageVersion()}\n`)
    return 0
  }
  if (command === undefined && name !== undefined) {
    io.stdout.write(notBuiltHelp(name))
    return 0
  }
  if (command === undefined || name === undefined) {
    if (options['json'] === true && options['help'] !== true) throw usage('name a command: kith COMMAND [options]; kith --help lists them')
    const isAsked = options['help'] === true
    ;(isAsked ? io.stdout : io.stderr).write(overview())
    return isAsked ? 0 : EXIT_USAGE
  }
  if (options['help'] === true) {
    io.stdout.write(commandHelp(name, command))
    return 0
  }
  const { context, close } = contextOf(argumentsGiven, env, io)
  try {
    const act = await command.load()
    return (await act(context)) ?? 0
  } finally {
    await close()
  }
}

function contextOf(
  { words, options }: Arguments,
  env: Environment,
  io: CliIo
): { readonly context: CommandContext; readonly close: () => Promise<void> } {
  const json = options['json'] === true
  const connect = {
    home: text(options['home']) ?? given(env['KITH_HOME']),
    socket: text(options['socket']),
    token: given(env['KITH_TOKEN'])
  }
  let client: Promise<KithClient> | undefined
  const context: CommandContext = {
    words,
    options,
    io,
    env,
    json,
    ...connect,
    timeout: readTimeout(options),
    signal: io.signal,
    client: async () => await (client ??= open(connect, io.signal)),
    print: (value, human) => void io.stdout.write(`${json ? safeJson(value) : human()}\n`),
    note: remark => void (json || io.stderr.write(`${remark}\n`)),
    progress: label => progressBar(json || env['TERM'] === 'dumb' ? undefined : io.stderr, label, io.clock)
  }
  return {
    context,
    close: async () => {
      await client?.then(
        opened => opened.close(),
        () => {}
      )
    }
  }
}

async function open(options: ConnectOptions, signal: AbortSignal): Promise<KithClient> {
  return await (await import('../rpc/client.ts')).connect(options, { signal })
}

/** A name that is set to nothing is not set. */
function given(value: string | undefined): string | undefined {
  return value === undefined || value.trim() === '' ? undefined : value.trim()
}

function text(option: string | boolean | undefined): string | undefined {
  return typeof option === 'string' ? option : undefined
}

async function explain(error: KithError): Promise<string> {
  const { attempts, socketPath, reason, answered } = error.data
  // Whoever may not even open the socket is not helped by a token, nor is who holds a ticket that is worth nothing, or was refused by another node.
  const isLogin = error.code === 'UNAUTHORIZED' && [socketPath, reason, answered].every(found => found === undefined)
  const first = `kith: ${printable(error.message)}${isLogin ? ' The client logs in with the token in KITH_TOKEN.' : ''}`
  if (!Array.isArray(attempts) || attempts.length === 0) return first
  return `${first}\n${(await import('./attempts.ts')).attemptsTable(attempts)}`
}
