/** `kith config`: the configuration in force, or what it would be; tokens. Works without a daemon. */
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import type { LoadedConfig } from '../config/resolve.ts'
import { KithError } from '../errors.ts'
import { usage } from './arguments.ts'
import type { CommandContext } from './command.ts'
import { waitSignal } from './search-options.ts'
import { printable, safeJson } from './text.ts'

export async function config(context: CommandContext): Promise<void> {
  const [action = 'show', file, ...more] = context.words
  if (action === 'token') return await (await import('./config-token.ts')).makeToken(context)
  assertNoLimits(context, action)
  if (more.length > 0) throw usage(`"${more[0]}" is too much: kith config ${action}${action === 'validate' ? ' [FILE]' : ''}`)
  if (action === 'validate') return await validate(context, file)
  if (file !== undefined) throw usage('kith config show takes nothing more')
  const { shown, from } = await show(context)
  context.note(`# ${from}`)
  const { stringify } = await import('yaml')
  context.print(shown, () => safeYaml(stringify(shown)).trimEnd())
}

/** Options that say what a token may do mean nothing elsewhere. */
function assertNoLimits({ options }: CommandContext, action: string): void {
  const stray = ['paths', 'realms', 'expires'].find(name => options[name] !== undefined)
  if (stray !== undefined) throw usage(`--${stray} belongs to kith config token, not to kith config ${action}`)
}

async function validate(context: CommandContext, file: string | undefined): Promise<void> {
  const { warnings } = await load(context, file)
  context.print({ valid: true, warnings }, () => 'the configuration is valid')
  for (const { message, keys } of warnings) context.note(printable(`${message}: ${keys.join(', ')}`))
}

async function show(context: CommandContext): Promise<{ readonly shown: Readonly<Record<string, unknown>>; readonly from: string }> {
  try {
    const client = await context.client()
    return { shown: await client.call('config.get', {}, { signal: waitSignal(context) }), from: 'in force in the running daemon' }
  } catch (error) {
    if (!(error instanceof KithError) || error.data['notRunning'] !== true) throw error
    return { shown: (await load(context, undefined)).shown, from: 'no daemon runs: this is what the next one would take' }
  }
}

async function load({ io, env, home }: CommandContext, file: string | undefined): Promise<LoadedConfig> {
  const { loadConfig } = await import('../config/load.ts')
  return await loadConfig({
    home: home ?? join(homedir(), '.kith'),
    env,
    ...(file === undefined ? {} : { file: resolve(io.cwd, file) })
  })
}

/** Lines stay lines; everything else that could move the cursor is escaped. */
function safeYaml(text: string): string {
  return text
    .split('\n')
    .map(line => safeJson(line).slice(1, -1).replaceAll('\\"', '"').replaceAll('\\\\', '\\'))
    .join('\n')
}
