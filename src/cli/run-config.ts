/** `kith config`: the configuration in force, or what it would be. Works without a daemon. */
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { KithError, NotBuiltError } from '../errors.ts'
import { usage } from './arguments.ts'
import type { CommandContext } from './command.ts'
import { waitSignal } from './search-options.ts'
import { safeJson } from './text.ts'

export async function config(context: CommandContext): Promise<void> {
  const [action = 'show', file] = context.words
  if (action === 'token') throw new NotBuiltError('The command "config token"')
  if (action === 'validate') return await validate(context, file)
  if (file !== undefined) throw usage('kith config show takes nothing more')
  const { shown, from } = await show(context)
  context.note(`# ${from}`)
  const { stringify } = await import('yaml')
  context.print(shown, () => safeYaml(stringify(shown)).trimEnd())
}

async function validate(context: CommandContext, file: string | undefined): Promise<void> {
  await load(context, file)
  context.print({ valid: true }, () => 'the configuration is valid')
}

async function show(context: CommandContext): Promise<{ readonly shown: Readonly<Record<string, unknown>>; readonly from: string }> {
  try {
    const client = await context.client()
    return { shown: await client.call('config.get', {}, { signal: waitSignal(context) }), from: 'in force in the running daemon' }
  } catch (error) {
    if (!(error instanceof KithError) || error.data['notRunning'] !== true) throw error
    return { shown: await load(context, undefined), from: 'no daemon runs: this is what the next one would take' }
  }
}

async function load({ io, env, home }: CommandContext, file: string | undefined): Promise<Readonly<Record<string, unknown>>> {
  const { loadConfig } = await import('../config/load.ts')
  const { shown } = await loadConfig({
    home: home ?? join(homedir(), '.kith'),
    env,
    ...(file === undefined ? {} : { file: resolve(io.cwd, file) })
  })
  return shown
}

/** Lines stay lines; everything else that could move the cursor is escaped. */
function safeYaml(text: string): string {
  return text
    .split('\n')
    .map(line => safeJson(line).slice(1, -1).replaceAll('\\"', '"').replaceAll('\\\\', '\\'))
    .join('\n')
}
