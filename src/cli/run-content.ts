/** `kith stat`, `ls`, `rm`, `privacy`: what is known here about contents. */
import type { StatResult } from '../rpc/services.ts'
import type { CommandContext } from './command.ts'
import { waitSignal } from './search-options.ts'
import { facts, formatBytes, printable, table } from './text.ts'

export async function stat(context: CommandContext): Promise<void> {
  const client = await context.client()
  const found = await client.call('content.stat', { content: wordOf(context) }, { signal: waitSignal(context) })
  context.print(found, () =>
    facts({
      ...found,
      size: `${found.size} (${formatBytes(found.size)})`,
      blocks: `${found.blocks}, ${found.localBlocks} of them here`,
      localBlocks: undefined
    })
  )
}

const SHORT_TYPES = { directory: 'dir', file: 'file', symlink: 'link' } as const

export async function ls(context: CommandContext): Promise<void> {
  if (context.words.length === 0) return await listAll(context)
  const client = await context.client()
  const found = await client.call('content.ls', { content: wordOf(context) }, { signal: waitSignal(context) })
  context.print(found, () =>
    table(
      ['type', 'size', 'cid', 'name'],
      found.entries.map(({ type, size, cid, name }) => [SHORT_TYPES[type], size, cid, type === 'directory' ? `${name}/` : name])
    )
  )
}

export async function rm(context: CommandContext): Promise<void> {
  const client = await context.client()
  const content = wordOf(context)
  const result = await client.call(
    'content.rm',
    { content, ...(context.options['force'] === true ? { force: true } : {}) },
    { signal: waitSignal(context) }
  )
  context.print(result, () => `${result.removed ? 'removed' : 'was not here'} ${printable(content)}`)
}

export async function privacy(context: CommandContext): Promise<void> {
  const client = await context.client()
  const found = await client.call('content.privacy', { content: wordOf(context) }, { signal: waitSignal(context) })
  context.print(found, () => {
    const told =
      found.toldTo.length === 0
        ? 'who was told of it is not recorded in this version'
        : table(
            ['when', 'who', 'what'],
            found.toldTo.map(({ when, who, what }) => [when, who, what])
          )
    return `${facts({ class: found.class, public: found.public, reason: found.reason })}\n${told}`
  })
}

/** Every record, page after page; programs get all of them in one object. */
async function listAll(context: CommandContext): Promise<void> {
  const client = await context.client()
  const items: StatResult[] = []
  let cursor: string | undefined
  do {
    const page = await client.call(
      'content.list',
      { limit: 1000, ...(cursor === undefined ? {} : { cursor }) },
      { signal: waitSignal(context) }
    )
    items.push(...page.items)
    cursor = page.cursor
  } while (cursor !== undefined)
  context.print({ items }, () =>
    items.length === 0
      ? 'nothing is stored here yet; kith put FILE does'
      : table(
          ['size', 'privacy', 'pinned', 'cid', 'name'],
          items.map(item => [item.size, item.privacy, item.pinned ? 'yes' : 'no', item.cid, item.name ?? ''])
        )
  )
}

function wordOf({ words }: CommandContext): string {
  return words[0] ?? ''
}
