/** `kith invite`, `join` and `share`, and what `kith get TICKET` does first: tickets out and in, and what they mean in words. */
import { usage } from './arguments.ts'
import type { CommandContext } from './command.ts'
import { textOption, waitSignal } from './search-options.ts'
import { printable } from './text.ts'

/** From here on a peer reads private content, unless `trust.minTrusted` says otherwise. */
const TRUSTED_LEVEL = 50
const INVITE_LEVEL_DEFAULT = 80

interface Shown {
  readonly ticket: string
  readonly qr: string
  readonly expires: string
}

export async function invite(context: CommandContext): Promise<number | void> {
  const [revoke, level, expires] = [textOption(context, 'revoke'), numberOption(context, 'level'), textOption(context, 'expires')]
  if (revoke !== undefined) return await takeBack(context, revoke)
  const [uses, content, name] = [numberOption(context, 'uses'), textOption(context, 'content'), textOption(context, 'name')]
  const isDevice = context.options['device'] === true
  const client = await context.client()
  const shown = await client.call(
    'peers.invite',
    {
      ...(level === undefined ? {} : { level }),
      ...(expires === undefined ? {} : { expires }),
      ...(uses === undefined ? {} : { uses }),
      ...(content === undefined ? {} : { content }),
      ...(name === undefined ? {} : { name }),
      ...(isDevice ? { device: true } : {})
    },
    { signal: waitSignal(context) }
  )
  show(context, shown)
  const gives = isDevice
    ? 'it makes the two nodes one person’s devices: each may do everything at the other (level 100)'
    : [
        ...(content === undefined ? [] : ['it gives that content']),
        ...(level !== undefined || content === undefined ? [levelMeans(level ?? INVITE_LEVEL_DEFAULT)] : [])
      ].join(', and ')
  context.note(`For ${uses === undefined || uses === 1 ? 'one node' : `${uses} nodes`}, until ${localTime(shown.expires)}: ${gives}.`)
  context.note(
    `On the other machine: ${isDevice ? 'kith join TICKET --device' : `${content === undefined ? 'kith join' : 'kith get'} TICKET`}`
  )
  context.note('Whoever has the ticket can use it, so send it by a way you trust. To take it back: kith invite --revoke TICKET')
}

export async function join(context: CommandContext): Promise<void> {
  const [ticket = ''] = context.words
  const level = numberOption(context, 'level')
  const client = await context.client()
  const isDevice = context.options['device'] === true
  // A person may not know what a ticket asks for, so it is said before it is given. A program has read what it does.
  const device = isDevice ? true : context.io.stdout.isTTY === true && !context.json ? false : undefined
  const params = { ticket, ...(level === undefined ? {} : { level }), ...(device === undefined ? {} : { device }) }
  const joined = await client.call('peers.join', params, { signal: waitSignal(context) })
  context.print(joined, () => printable(joined.did))
  const { access, via, content, granted } = joined
  const connected = `Connected, ${via === 'direct' ? 'directly' : 'through a relay'}.`
  context.note(`${connected} The other node has access ${access} of 10 here; kith trust set changes it.`)
  if (granted !== undefined) context.note(grantedMeans(granted))
  if (joined.device === 'agreed') context.note('The two are one person’s devices now: each may do everything at the other (level 100).')
  if (joined.device === 'offered')
    context.note('The ticket is for a device of your own, and you did not say that it is one. If it is: kith join TICKET --device')
  if (content !== undefined) context.note(`It shared a content with you: kith get ${printable(content)}`)
  context.note('kith peers shows it. From now on the two find each other again by themselves.')
}

export async function share(context: CommandContext): Promise<void> {
  const [content = '', ...to] = context.words
  const expires = textOption(context, 'expires')
  const client = await context.client()
  const shown = await client.call(
    'content.share',
    { content, ...(to.length === 0 ? {} : { to }), ...(expires === undefined ? {} : { expires }) },
    { signal: waitSignal(context) }
  )
  show(context, shown)
  const who =
    to.length === 0
      ? 'the first node that comes with the ticket'
      : `${to.length === 1 ? 'the one' : `the ${to.length}`} you named, nobody else`
  context.note(`It gives that content and nothing else, to ${who}, until ${localTime(shown.expires)}.`)
  context.note('On the other machine: kith get TICKET')
  context.note('To end it: kith rm the content, or kith trust block the peer.')
}

/** Redeems a ticket for its content; its maker gets nothing here for that. @returns the address to get */
export async function redeem(context: CommandContext, ticket: string): Promise<string> {
  const client = await context.client()
  const { content } = await client.call('peers.join', { ticket, level: 0 }, { signal: waitSignal(context) })
  if (content === undefined) throw usage('this ticket is an invitation and holds no content. To accept it: kith join TICKET')
  return content
}

async function takeBack(context: CommandContext, ticket: string): Promise<number> {
  const client = await context.client()
  const result = await client.call('peers.uninvite', { ticket }, { signal: waitSignal(context) })
  context.print(result, () =>
    result.revoked ? 'this ticket is worth nothing any more' : 'this node made no such ticket, or it ended long ago'
  )
  return result.revoked ? 0 : 1
}

/** The ticket alone on a pipe; above it the code to photograph on a terminal, dark on light whatever its colours are. */
function show(context: CommandContext, shown: Shown): void {
  const code =
    context.io.stdout.isTTY === true
      ? `${shown.qr
          .split('\n')
          .map(line => `\u001b[40;97m${line}\u001b[0m`)
          .join('\n')}\n\n`
      : ''
  context.print(shown, () => `${code}${shown.ticket}`)
}

/** What the other one gave; who used the ticket before may have lost it since. */
function grantedMeans(level: number): string {
  if (level === 0)
    return 'You have no level there any more: this ticket was used before, and what it gave was taken back since. For its private content, ask for a new one.'
  return `By this ticket you have level ${level} there, which ${level >= TRUSTED_LEVEL ? 'opens' : 'does not open'} its private content.`
}

function levelMeans(level: number): string {
  const may = level >= TRUSTED_LEVEL ? 'it may have your private content' : 'it may not have your private content'
  return `the other gets level ${level} here: ${may}`
}

function numberOption(context: CommandContext, name: string): number | undefined {
  const text = textOption(context, name)
  if (text === undefined) return undefined
  if (!/^\d{1,6}$/.test(text)) throw usage(`--${name} ${text} is no whole number`)
  return Number(text)
}

function localTime(iso: string): string {
  return new Date(iso).toLocaleString('sv-SE', {
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    timeZoneName: 'short'
  })
}
