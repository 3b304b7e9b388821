/** Options that several commands hand to the daemon: how long to search, which sources, how private. */
import { NotBuiltError } from '../errors.ts'
import { didYouMean } from '../lib/nearest-word.ts'
import { PREFERRED_SOURCES } from '../model/source.ts'
import type { PreferredSource } from '../model/source.ts'
import { usage } from './arguments.ts'
import type { CommandContext } from './command.ts'

export function textOption({ options }: CommandContext, name: string): string | undefined {
  const value = options[name]
  return typeof value === 'string' ? value : undefined
}

/** A search lasts no longer: after it every peer has forgotten the request. Seconds. */
const TTL_SECONDS_MAX = 300

/** `--timeout` as the ttl: whole seconds, at least one. @throws KithError INVALID_PARAMS beyond the longest search */
export function ttlOf(context: CommandContext): { ttl?: number } {
  if (context.timeout === undefined) return {}
  const ttl = Math.max(1, Math.ceil(context.timeout / 1000))
  if (ttl > TTL_SECONDS_MAX)
    throw usage(
      `--timeout ${textOption(context, 'timeout') ?? ''}: a search lasts at most ${TTL_SECONDS_MAX}s (the transfer after it may last longer)`
    )
  return { ttl }
}

/** `--sources`. @throws KithError INVALID_PARAMS naming the nearest right word, or the one that is given twice */
export function preferredSources(context: CommandContext): PreferredSource[] | undefined {
  const sources = textOption(context, 'sources')
    ?.split(',')
    .map(word => oneOfWords('--sources', word.trim(), PREFERRED_SOURCES))
  const twice = sources?.find((source, index) => sources.indexOf(source) !== index)
  if (twice !== undefined) throw usage(`--sources: "${twice}" is given twice`)
  return sources
}

const PRIVACY_CLASSES = ['public', 'private'] as const

/** `--privacy`. @throws KithError INVALID_PARAMS naming the nearest right word · NOT_BUILT */
export function privacyOption(context: CommandContext): 'public' | 'private' | undefined {
  const word = textOption(context, 'privacy')
  if (word === undefined) return undefined
  if (word === 'restricted') throw new NotBuiltError('The privacy "restricted"')
  return oneOfWords('--privacy', word, PRIVACY_CLASSES)
}

/** @throws KithError INVALID_PARAMS naming the nearest right word */
export function oneOfWords<const W extends string>(option: string, word: string, known: readonly W[]): W {
  const found = known.find(candidate => candidate === word)
  if (found !== undefined) return found
  throw usage(`${option}: there is no "${word}".${didYouMean(word, known)} Known: ${known.join(', ')}`)
}

/** A signal for calls that have no ttl: the person's interrupt, or `--timeout`. */
export function waitSignal({ signal, timeout }: CommandContext): AbortSignal {
  return timeout === undefined ? signal : AbortSignal.any([signal, AbortSignal.timeout(timeout)])
}
