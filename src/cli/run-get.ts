/** `kith get` and `kith cat`: content as a stream out of the daemon, into a file or onto standard output. */
import { once } from 'node:events'
import { resolve } from 'node:path'
import { KithError, toKithError } from '../errors.ts'
import type { ContentStream } from '../rpc/client.ts'
import type { GetReport } from '../rpc/services.ts'
import { usage } from './arguments.ts'
import { attemptsTable, sourceName } from './attempts.ts'
import type { CommandContext } from './command.ts'
import { progressBar } from './progress.ts'
import type { ProgressBar } from './progress.ts'
import { assertFree, saveFile } from './save-file.ts'
import { sourcesOf, textOption, ttlOf } from './search-options.ts'
import { formatBytes, formatMs, printable } from './text.ts'

const STDOUT = '-'

export async function get(context: CommandContext): Promise<void> {
  const output = textOption(context, 'output')
  if (output === STDOUT) return await cat(context)
  const wanted = output === undefined ? undefined : resolve(context.io.cwd, output)
  if (wanted !== undefined) await assertFree(wanted)
  const began = performance.now()
  try {
    const stream = await openContent(context)
    const path = wanted ?? resolve(context.io.cwd, await targetName(context, stream))
    await receive(context, stream, async body => await saveFile(path, body), path)
    context.print({ path, cid: stream.cid, size: stream.length, ...stream.report, ms: performance.now() - began }, () => printable(path))
    summarize(context, stream.report, { bytes: stream.length, ms: performance.now() - began })
  } catch (error) {
    if (!(error instanceof KithError) || error.code !== 'IS_DIRECTORY') throw error
    await getTree(
      context,
      wanted ??
        resolve(context.io.cwd, await targetName(context, { cid: typeof error.data['cid'] === 'string' ? error.data['cid'] : 'content' }))
    )
  }
}

export async function cat(context: CommandContext): Promise<void> {
  const { stdout } = context.io
  const stream = await openContent(context)
  await receive(context, stream, async body => {
    for await (const chunk of body) if (!stdout.write(chunk)) await once(stdout, 'drain', { signal: context.signal })
  })
}

async function openContent(context: CommandContext): Promise<ContentStream> {
  const [content = ''] = context.words
  // A pairing ticket looks like kith:BASE32; an address like kith://CID.
  if (content.startsWith('kith:') && !content.startsWith('kith://'))
    throw new KithError('NOT_BUILT', 'Getting content by a ticket is not built yet in this version of Kith.')
  if (content === '') throw usage('name a content: a CID, kith://CID, ipfs://CID or sha256:HEX')
  const client = await context.client()
  const sources = sourcesOf(context)
  const privacy = textOption(context, 'privacy')
  return await client.get(content, {
    ...ttlOf(context),
    ...(sources === undefined ? {} : { sources }),
    ...(privacy === undefined ? {} : { privacy }),
    signal: context.signal
  })
}

/** Checks the place once its name is known, then lets the bytes flow. */
async function receive(
  context: CommandContext,
  stream: ContentStream,
  take: (body: AsyncIterable<Uint8Array>) => Promise<void>,
  path?: string
): Promise<void> {
  const bar = progressBar(context.io.stderr, stream.name ?? stream.cid)
  try {
    if (path !== undefined) await assertFree(path)
    await take(counted(stream, bar))
  } catch (error) {
    throw context.signal.aborted ? toKithError(context.signal.reason) : error
  } finally {
    stream.close()
    bar.done()
  }
}

async function getTree(context: CommandContext, path: string): Promise<void> {
  await assertFree(path)
  const [content = ''] = context.words
  const client = await context.client()
  const bar = progressBar(context.io.stderr, path)
  const onProgress = ({ bytes, total, source }: Record<string, unknown>): void =>
    bar.update(Number(bytes), typeof total === 'number' ? total : undefined, source === undefined ? undefined : sourceName(source))
  const began = performance.now()
  const report = await client
    .call(
      'content.get',
      { content, path, ...ttlOf(context), ...preferredSources(context), ...privacyOf(context) },
      { signal: context.signal, onProgress }
    )
    .finally(() => bar.done())
  context.print(report, () => printable(path))
  summarize(context, report, { bytes: report.size, ms: performance.now() - began })
}

/** Asked once as private, nothing of it may be asked as anything else. */
function privacyOf(context: CommandContext): { metadata?: { privacy: 'public' | 'private' } } {
  const privacy = textOption(context, 'privacy')
  if (privacy === undefined) return {}
  if (privacy === 'public' || privacy === 'private') return { metadata: { privacy } }
  throw usage(`--privacy: "${privacy}" is no class; known: public, private`)
}

function preferredSources(context: CommandContext): { preferredSources?: ('peer' | 'ipfs' | 'gateway')[] } {
  const words = sourcesOf(context)
  if (words === undefined) return {}
  return {
    preferredSources: words.map(word => {
      if (word === 'peer' || word === 'ipfs' || word === 'gateway') return word
      throw usage(`--sources: "${word}" is no source; known: peer, ipfs, gateway`)
    })
  }
}

/** Who served and how long it took, and who else was asked if that says more. */
function summarize(
  context: CommandContext,
  report: GetReport | undefined,
  { bytes, ms }: { readonly bytes: number; readonly ms: number }
): void {
  const from = report === undefined ? '' : ` from ${printable(sourceName(report.source))}`
  context.note(`${formatBytes(bytes)} in ${formatMs(ms)}${from}`)
  if (report !== undefined && report.attempts.length > 1) context.note(attemptsTable(report.attempts))
}

async function* counted({ body, length, report }: ContentStream, bar: ProgressBar): AsyncGenerator<Uint8Array> {
  const source = report === undefined ? undefined : sourceName(report.source)
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.byteLength
    bar.update(bytes, length, source)
    yield chunk
  }
}

/** A name that came with the content becomes a file here only if it can be nothing else. */
function safeName(name: string | undefined): string | undefined {
  if (
    name === undefined ||
    name === '' ||
    name.startsWith('.') ||
    printable(name) !== name ||
    /[/\\]/.test(name) ||
    Buffer.byteLength(name) > 255
  )
    return undefined
  return name
}

/** The last word of a path below a root, else the name that is known for the content, else its CID. */
async function targetName(context: CommandContext, { name, cid }: { readonly name?: string; readonly cid: string }): Promise<string> {
  const [content = ''] = context.words
  const [, ...path] = content.replace(/^(?:ipfs:\/\/|kith:\/\/|\/ipfs\/)/, '').split('/')
  const last = path.filter(segment => segment !== '').at(-1)
  return safeName(last ?? name ?? (await recordedName(context))) ?? cid
}

/** What this node calls the content, if it knows it. */
async function recordedName(context: CommandContext): Promise<string | undefined> {
  const client = await context.client()
  const [content = ''] = context.words
  try {
    return (await client.call('content.stat', { content }, { signal: context.signal })).name
  } catch {
    return undefined
  }
}
