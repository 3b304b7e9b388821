/** `kith id`, `status`, `events`, `rpc`, `shutdown`: the node itself. */
import { once } from 'node:events'
import { usage } from './arguments.ts'
import type { CommandContext } from './command.ts'
import { textOption, waitSignal } from './search-options.ts'
import { facts, formatBytes, formatMs, printable, safeJson, table } from './text.ts'

/** Options of `kith id bind` alone. */
const BIND_OPTIONS = ['key', 'did', 'for', 'expires', 'save']

export async function id(context: CommandContext): Promise<void> {
  if (context.words[0] === 'bind') return await (await import('./bind-node.ts')).bind(context)
  const stray = BIND_OPTIONS.find(name => context.options[name] !== undefined)
  if (stray !== undefined) throw usage(`--${stray} belongs to kith id bind, not to kith id`)
  const client = await context.client()
  const { peerId, did, addresses, bindings = [] } = await client.call('daemon.status', {}, { signal: waitSignal(context) })
  const spoken = bindings.map(binding => ['person', `${binding.did} speaks for it until ${binding.expires}`] as const)
  context.print({ peerId, did, addresses, ...(bindings.length === 0 ? {} : { bindings }) }, () =>
    [...Object.entries({ peer: peerId, did }), ...spoken, ...addresses.map(address => ['address', address] as const)]
      .map(([name, value]) => `${name.padEnd('address'.length)}  ${printable(value)}`)
      .join('\n')
  )
}

export async function status(context: CommandContext): Promise<void> {
  const client = await context.client()
  const found = await client.call('daemon.status', {}, { signal: waitSignal(context) })
  context.print(found, () => {
    const { ipfs } = found
    const head = facts({
      version: found.version,
      peer: found.peerId,
      up: formatMs(found.uptimeSeconds * 1000),
      memory: formatBytes(found.memory.rssBytes),
      ipfs: `${ipfs.type}, ${ipfs.healthy ? 'healthy' : 'not healthy'}${ipfs.connected ? ', connected' : ''}`
    })
    const store = table(
      ['store', 'blocks', 'bytes'],
      Object.entries(found.store).map(([realm, { blocks, bytes }]) => [realm, blocks, formatBytes(bytes)])
    )
    const nodes =
      ipfs.nodes.length === 0
        ? []
        : [
            table(
              ['ipfs node', 'type', 'healthy', 'answers in', 'error'],
              ipfs.nodes.map(node => [
                node.url,
                node.type,
                node.healthy ? 'yes' : 'no',
                node.responseTime === null ? '-' : formatMs(node.responseTime),
                node.error ?? ''
              ])
            )
          ]
    const health = found.health.map(({ code, severity, title }) => `${severity}: ${printable(title)} (${code})`)
    return [head, '', store, ...nodes.flatMap(lines => ['', lines]), ...(health.length === 0 ? [] : ['', ...health])].join('\n')
  })
}

/** Ends when the person interrupts, which is how one leaves it. */
export async function events(context: CommandContext): Promise<void> {
  const client = await context.client()
  const types = textOption(context, 'types')
    ?.split(',')
    .map(type => type.trim())
  const since = textOption(context, 'since')
  if (since !== undefined && !/^\d+$/.test(since)) throw usage(`--since ${since} is no sequence number`)
  const filter = { ...(types === undefined ? {} : { types }), ...(since === undefined ? {} : { since: Number(since) }) }
  const { stdout } = context.io
  try {
    for await (const { subscription: _subscription, ...event } of client.events(filter, { signal: context.signal })) {
      const { seq, type, at, ...rest } = event
      const line = context.json ? safeJson(event) : `${at}  ${seq}  ${type}  ${safeJson(rest)}`
      if (!stdout.write(`${line}\n`)) await once(stdout, 'drain', { signal: context.signal })
    }
  } catch (error) {
    if (!context.signal.aborted) throw error
  }
}

export async function rpc(context: CommandContext): Promise<void> {
  const [method = '', text] = context.words
  const params = text === undefined ? undefined : parseParams(text)
  const client = await context.client()
  const result = await client.request(method, params, { signal: waitSignal(context) })
  context.print(result, () => safeJson(result, 2))
}

export async function shutdown(context: CommandContext): Promise<void> {
  const client = await context.client()
  await client.call('daemon.shutdown', {}, { signal: waitSignal(context) })
  context.print({}, () => 'the daemon is stopping')
}

function parseParams(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw usage(`the parameters are not JSON: ${error instanceof Error ? error.message : ''}`)
  }
}
