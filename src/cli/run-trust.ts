/** `kith trust`: how far others are trusted, and why. */
import type { TrustEntry } from '../rpc/services-people.ts'
import { usage } from './arguments.ts'
import type { CommandContext } from './command.ts'
import { textOption, waitSignal } from './search-options.ts'
import { facts, printable, table } from './text.ts'

type Action = (context: CommandContext, did: string) => Promise<void>

const ACTIONS: Readonly<Record<string, Action>> = { get, set, assert, revoke, block, unblock }
/** How many words each takes after its name. */
const WORDS: Readonly<Record<string, readonly [min: number, max: number, form: string]>> = {
  ls: [0, 0, ''],
  get: [1, 1, 'DID'],
  set: [2, 2, 'DID LEVEL'],
  assert: [1, 2, 'DID [LEVEL]'],
  revoke: [1, 1, 'DID'],
  block: [1, 1, 'DID'],
  unblock: [1, 1, 'DID']
}
/** Options that mean something to one action only. */
const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  name: ['set'],
  to: ['assert', 'revoke'],
  context: ['assert'],
  expires: ['assert']
}

export async function trust(context: CommandContext): Promise<void> {
  const [action = 'ls', did = '', ...more] = context.words
  const given = context.words.length - (context.words.length === 0 ? 0 : 1)
  const [min, max, form] = WORDS[action] ?? [0, 0, '']
  if (given < min) throw usage(`something is missing: kith trust ${action} ${form}`)
  if (given > max) throw usage(`"${more.at(-1) ?? did}" is too much: kith trust ${action} ${form}`)
  for (const [option, actions] of Object.entries(OPTIONS))
    if (context.options[option] !== undefined && !actions.includes(action))
      throw usage(`--${option} means nothing to kith trust ${action}; it goes with ${actions.join(' and ')}`)
  const run = ACTIONS[action]
  await (run === undefined ? list(context) : run(context, did))
}

async function list(context: CommandContext): Promise<void> {
  const client = await context.client()
  const { items } = await client.call('trust.list', {}, { signal: waitSignal(context) })
  context.print({ items }, () =>
    items.length === 0
      ? 'nobody has a trust level yet; kith invite or kith trust set DID LEVEL gives one'
      : table(
          ['did', 'name', 'level', 'access', 'trust', 'remark'],
          items.map(entry => [entry.did, entry.name ?? '', entry.level ?? '-', entry.access, entry.effective, remark(entry)])
        )
  )
}

async function get(context: CommandContext, did: string): Promise<void> {
  const client = await context.client()
  const entry = await client.call('trust.get', { did }, { signal: waitSignal(context) })
  context.print(entry, () => described(entry))
}

async function set(context: CommandContext, did: string): Promise<void> {
  const level = levelOf(context.words[2] ?? '')
  const name = textOption(context, 'name')
  const client = await context.client()
  const params = { did, level, ...(name === undefined ? {} : { name }) }
  const entry = await client.call('trust.set', params, { signal: waitSignal(context) })
  context.print(entry, () => `${called(entry)} has level ${level} now: access ${entry.access}`)
  if (entry.blocked) context.note(`it is blocked all the same; kith trust unblock ${entry.did} ends that`)
}

async function assert(context: CommandContext, did: string): Promise<void> {
  const word = context.words[2]
  const [about, expires, to] = [textOption(context, 'context'), textOption(context, 'expires'), listOption(context)]
  const params = {
    did,
    ...(word === undefined ? {} : { level: levelOf(word) }),
    ...(about === undefined ? {} : { context: about }),
    ...(expires === undefined ? {} : { expires }),
    ...(to === undefined ? {} : { to })
  }
  const client = await context.client()
  const said = await client.call('trust.assert', params, { signal: waitSignal(context) })
  const readers = Object.entries(said.delivery)
  if (readers.length === 0) context.note('nobody is trusted enough to be told, so nobody was: name readers with --to')
  context.print(said, () =>
    readers.length === 0
      ? 'told to nobody'
      : table(
          ['told', 'result'],
          readers.map(([reader, result]) => [reader, result === 'queued' ? 'waits until it connects' : result])
        )
  )
}

async function revoke(context: CommandContext, did: string): Promise<void> {
  const to = listOption(context)
  const client = await context.client()
  const entry = await client.call('trust.revoke', { did, ...(to === undefined ? {} : { to }) }, { signal: waitSignal(context) })
  context.print(entry, () => `${called(entry)} has no level any more, and no name here; whoever was told hears of it`)
}

async function block(context: CommandContext, did: string): Promise<void> {
  const client = await context.client()
  const entry = await client.call('trust.block', { did }, { signal: waitSignal(context) })
  context.print(entry, () => `${called(entry)} is blocked: it is asked and served nothing`)
}

async function unblock(context: CommandContext, did: string): Promise<void> {
  const client = await context.client()
  const entry = await client.call('trust.unblock', { did }, { signal: waitSignal(context) })
  context.print(entry, () => `${called(entry)} is not blocked, and what it did wrong is forgotten; its access is ${entry.access}`)
}

/** @throws KithError INVALID_PARAMS */
function levelOf(word: string): number {
  const level = /^\d{1,3}$/.test(word) ? Number(word) : undefined
  if (level === undefined || level > 100) throw usage(`"${word}" is no level: a level is a whole number from 0 to 100`)
  return level
}

function listOption(context: CommandContext): string[] | undefined {
  return textOption(context, 'to')
    ?.split(',')
    .map(word => word.trim())
}

function called({ did, name }: TrustEntry): string {
  return printable(name === undefined ? did : `${name} (${did})`)
}

/** Why one is out, or who speaks for it. */
function remark({ note, paths, level }: TrustEntry): string {
  if (note !== undefined) return note
  return level === undefined && paths.length > 0 ? `by the word of ${paths[0]?.through.at(-1) ?? 'others'}` : ''
}

function described(entry: TrustEntry): string {
  const head = facts({
    did: entry.did,
    name: entry.name,
    level: entry.level ?? 'not set',
    access: entry.access,
    trust: entry.effective,
    behaviour: entry.behaviour,
    blocked: entry.blocked ? 'yes' : undefined,
    'suspended until': entry.suspendedUntil,
    remark: entry.blocked ? undefined : entry.note
  })
  const offences = Object.entries(entry.offences ?? {}).map(([offence, count]) => [offence, count])
  const chains = entry.paths.map(({ through, trust: worth }) => [worth, through.join(' → ')])
  return [
    head,
    ...(offences.length === 0 ? [] : ['', table(['offence', 'times'], offences)]),
    ...(chains.length === 0 ? [] : ['', table(['worth', 'by the word of'], chains)])
  ].join('\n')
}
