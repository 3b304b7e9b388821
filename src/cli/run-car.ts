/** `kith export`, `import`, `verify`, `link`: content as CAR files, as addresses to hand out, and against its hashes. */
import { basename, resolve } from 'node:path'
import type { KithClient } from '../rpc/client.ts'
import type { CarResult, VerifyResult } from '../rpc/services.ts'
import { usage } from './arguments.ts'
import { shownOn } from './attempts.ts'
import type { CommandContext } from './command.ts'
import { privacyOption, textOption, waitSignal } from './search-options.ts'
import { safeName, wordsOfAddress } from './target-name.ts'
import { formatBytes, printable } from './text.ts'

/** Exit status when content turned out to be damaged. */
const EXIT_DAMAGED = 1
/** Addresses of damaged blocks named on a terminal; programs get all of them. */
const BLOCKS_SHOWN_MAX = 20

export async function exportCar(context: CommandContext): Promise<void> {
  const [content = ''] = context.words
  const path = resolve(context.io.cwd, outputOf(context, content))
  const bar = context.progress(basename(path))
  const client = await context.client()
  const result = await client
    .call('content.export', { content, path }, { signal: waitSignal(context), onProgress: shownOn(bar) })
    .finally(() => bar.done())
  context.print({ path, ...result }, () => printable(path))
  context.note(amounts(result))
}

export async function importCar(context: CommandContext): Promise<void> {
  const [file = ''] = context.words
  if (file === '-') throw usage('a CAR file is imported by its name; standard input is not taken')
  const path = resolve(context.io.cwd, file)
  const privacy = privacyOption(context)
  const bar = context.progress(basename(path))
  const client = await context.client()
  const result = await client
    .call(
      'content.import',
      { path, ...(privacy === undefined ? {} : { privacy }) },
      { signal: waitSignal(context), onProgress: shownOn(bar) }
    )
    .finally(() => bar.done())
  const addresses = context.json ? [] : await addressesOf(client, result.roots)
  context.print(result, () => addresses.map(printable).join('\n'))
  context.note(amounts(result))
}

/** As `put` prints them: `kith://` for what is not public, so that it is handed on as such. */
async function addressesOf(client: KithClient, roots: readonly string[]): Promise<string[]> {
  const addresses: string[] = []
  for (const root of roots) {
    // Who may import and not read gets the CIDs.
    const uri = await client.call('content.stat', { content: root }).then(
      found => found.uri,
      () => root
    )
    addresses.push(uri)
  }
  return addresses
}

export async function verify(context: CommandContext): Promise<number> {
  const [content] = context.words
  const repair = context.options['repair'] === true
  const bar = context.progress(content === undefined ? 'every block' : wordsOfAddress(content).root)
  const client = await context.client()
  const result = await client
    .call(
      'content.verify',
      { ...(content === undefined ? {} : { content }), ...(repair ? { repair } : {}) },
      { signal: waitSignal(context), onProgress: shownOn(bar) }
    )
    .finally(() => bar.done())
  context.print(result, () => verdict(result, repair))
  return damageOf(result) > result.repaired ? EXIT_DAMAGED : 0
}

export async function link(context: CommandContext): Promise<void> {
  const [content = ''] = context.words
  const filename = textOption(context, 'filename')
  const client = await context.client()
  const result = await client.call(
    'content.link',
    {
      content,
      ...(filename === undefined ? {} : { filename }),
      ...(context.options['download'] === true ? { download: true } : {})
    },
    { signal: waitSignal(context) }
  )
  context.print(result, () => [result.uri, ...result.gateways].map(printable).join('\n'))
}

function outputOf(context: CommandContext, content: string): string {
  const output = textOption(context, 'output')
  if (output === '-') throw usage('a CAR file is written by the daemon, which needs its name: -o FILE.car')
  if (output !== undefined) return output
  const { root, last } = wordsOfAddress(content)
  const name = safeName(last ?? root)
  if (name === undefined) throw usage('name the file to write: -o FILE.car')
  return `${name}.car`
}

function amounts({ blocks, bytes }: CarResult): string {
  return `${blocks} ${blocks === 1 ? 'block' : 'blocks'}, ${formatBytes(bytes)}`
}

function damageOf({ corrupt, missing }: VerifyResult): number {
  return new Set([...corrupt, ...missing]).size
}

function verdict(result: VerifyResult, repair: boolean): string {
  const { checkedBlocks, corrupt, missing, repaired } = result
  const left = damageOf(result) - repaired
  const head = `${checkedBlocks} blocks checked: ${corrupt.length} corrupt, ${missing.length} missing${repair ? `, ${repaired} repaired` : ''}`
  const list = [...corrupt.map(cid => `corrupt  ${cid}`), ...missing.map(cid => `missing  ${cid}`)].map(printable)
  const hidden = list.length - BLOCKS_SHOWN_MAX
  const advice = repair
    ? 'What is left is held by no source that answers now: try again when its owner is there.'
    : 'kith verify --repair fetches them again.'
  return [
    head,
    ...list.slice(0, BLOCKS_SHOWN_MAX),
    ...(hidden > 0 ? [`and ${hidden} more (--json names all)`] : []),
    ...(left > 0 ? [advice] : [])
  ].join('\n')
}
