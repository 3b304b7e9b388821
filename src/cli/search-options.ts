/** Options that several commands hand to the daemon: how long to search, which sources, how private. */
import type { CommandContext } from './command.ts'

export function textOption({ options }: CommandContext, name: string): string | undefined {
  const value = options[name]
  return typeof value === 'string' ? value : undefined
}

/** `--timeout` as the ttl: whole seconds, at least one. */
export function ttlOf({ timeout }: CommandContext): { ttl?: number } {
  return timeout === undefined ? {} : { ttl: Math.max(1, Math.ceil(timeout / 1000)) }
}

export function sourcesOf(context: CommandContext): string[] | undefined {
  return textOption(context, 'sources')
    ?.split(',')
    .map(word => word.trim())
}

/** A signal for calls that have no ttl: the person's interrupt, or `--timeout`. */
export function waitSignal({ signal, timeout }: CommandContext): AbortSignal {
  return timeout === undefined ? signal : AbortSignal.any([signal, AbortSignal.timeout(timeout)])
}
