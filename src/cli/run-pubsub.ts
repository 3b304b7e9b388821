/** `kith pubsub`: messages of apps by topic. */
import { once } from 'node:events'
import { KithError } from '../errors.ts'
import { usage } from './arguments.ts'
import type { CommandContext } from './command.ts'
import { waitSignal } from './search-options.ts'
import { printable, safeJson } from './text.ts'

/** The daemon takes less; so much is read of standard input before it is asked. Bytes. */
const STDIN_BYTES_MAX = 1_048_576

export async function pubsub(context: CommandContext): Promise<void> {
  const [action, topic = '', data] = context.words
  if (action === 'publish') return await publish(context, topic, data)
  if (data !== undefined) throw usage('kith pubsub subscribe takes one topic')
  await subscribe(context, topic)
}

async function publish(context: CommandContext, topic: string, given: string | undefined): Promise<void> {
  const data = given === undefined || given === '-' ? await readStdin(context) : Buffer.from(given)
  const client = await context.client()
  const { peers } = await client.call('pubsub.publish', { topic, data: data.toString('base64') }, { signal: waitSignal(context) })
  context.print({ peers }, () => `sent to ${peers} ${peers === 1 ? 'peer' : 'peers'}, who pass it on`)
}

async function readStdin({ io }: CommandContext): Promise<Buffer> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of io.stdin) {
    const bytes = Buffer.from(part)
    size += bytes.byteLength
    if (size > STDIN_BYTES_MAX)
      throw new KithError('TOO_LARGE', `a message has far less than ${STDIN_BYTES_MAX} bytes. Put it as content, and publish its address.`)
    parts.push(bytes)
  }
  return Buffer.concat(parts)
}

/** Ends when the person interrupts, which is how one leaves it. */
async function subscribe(context: CommandContext, topic: string): Promise<void> {
  const client = await context.client()
  const { stdout } = context.io
  try {
    for await (const { subscription: _subscription, ...event } of client.messages(topic, { signal: context.signal })) {
      const line = context.json ? safeJson(event) : lineOf(event)
      if (!stdout.write(`${line}\n`)) await once(stdout, 'drain', { signal: context.signal })
    }
  } catch (error) {
    if (!context.signal.aborted) throw error
  }
}

/** Text is shown as text, anything else as base64. */
function lineOf(event: Readonly<Record<string, unknown>>): string {
  const { at, type, did, data } = event
  if (type !== 'pubsub.message') return `${String(at)}  ${safeJson(event)}`
  const bytes = Buffer.from(String(data), 'base64')
  const text = bytes.toString('utf8')
  return `${String(at)}  ${printable(String(did))}  ${Buffer.from(text).equals(bytes) ? printable(text) : String(data)}`
}
