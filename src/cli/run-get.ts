/** `kith get` and `kith cat`: content as a stream out of the daemon, into a file or onto standard output. */
import { once } from 'node:events'
import { basename, resolve } from 'node:path'
import { KithError, toKithError } from '../errors.ts'
import type { ContentStream } from '../rpc/client.ts'
import type { GetReport } from '../rpc/services.ts'
import { usage } from './arguments.ts'
import { attemptsTable, shownOn, sourceName } from './attempts.ts'
import type { CommandContext } from './command.ts'
import type { ProgressBar } from './progress.ts'
import { assertFree, saveFile } from './save-file.ts'
import { preferredSources, privacyOption, textOption, ttlOf } from './search-options.ts'
import { safeName, wordsOfAddress } from './target-name.ts'
import { formatBytes, formatMs, printable } from './text.ts'

const STDOUT = '-'

export async function get(given: CommandContext): Promise<void> {
  const output = textOption(given, 'output')
  if (output === STDOUT) return await cat(given)
  const wanted = output === undefined ? undefined : resolve(given.io.cwd, output)
  if (wanted !== undefined) await assertFree(wanted)
  const context = await withoutTicket(given)
  const began = performance.now()
  const bar = context.progress(labelOf(context, wanted))
  try {
    const stream = await openContent(context)
    const path = wanted ?? resolve(context.io.cwd, await targetName(context, stream))
    await receive(context, stream, async body => await saveFile(path, body), { bar, path })
    const ms = performance.now() - began
    // Complete now that the last byte has come: what content.get answers.
    const { report } = stream
    context.print({ ...(report ?? { cid: stream.cid, size: stream.length, ms }), path }, () => printable(path))
    summarize(context, report, { bytes: stream.length, ms })
  } catch (error) {
    if (!(error instanceof KithError) || error.code !== 'IS_DIRECTORY') throw error
    const { cid, name } = error.data
    const known = { cid: typeof cid === 'string' ? cid : 'content', ...(typeof name === 'string' ? { name } : {}) }
    await getTree(context, wanted ?? resolve(context.io.cwd, await targetName(context, known)), bar)
  } finally {
    bar.done()
  }
}

export async function cat(given: CommandContext): Promise<void> {
  const context = await withoutTicket(given)
  const { stdout } = context.io
  // Content that goes to the terminal is all the progress there is room for.
  const bar = stdout.isTTY === true ? undefined : context.progress(labelOf(context, undefined))
  try {
    const stream = await openContent(context)
    await receive(
      context,
      stream,
      async body => {
        for await (const chunk of body) if (!stdout.write(chunk)) await once(stdout, 'drain', { signal: context.signal })
      },
      { bar }
    )
  } catch (error) {
    if (!(error instanceof KithError) || error.code !== 'IS_DIRECTORY') throw error
    throw new KithError('IS_DIRECTORY', 'this content is a directory: kith ls lists it, kith get writes it out', error.data, {
      cause: error
    })
  } finally {
    bar?.done()
  }
}

/** A ticket (`kith:BASE32`, in capitals as a QR code has it) is redeemed; from there on it is the content it gives. */
async function withoutTicket(context: CommandContext): Promise<CommandContext> {
  const [content = '', ...rest] = context.words
  if (!/^kith:(?!\/\/)/i.test(content)) return context
  const { redeem } = await import('./run-pairing.ts')
  return { ...context, words: [await redeem(context, content), ...rest] }
}

function labelOf({ words: [content = ''] }: CommandContext, path: string | undefined): string {
  const { root, last } = wordsOfAddress(content)
  return path === undefined ? (last ?? root) : basename(path)
}

async function openContent(context: CommandContext): Promise<ContentStream> {
  const [content = ''] = context.words
  if (content === '') throw usage('name a content: a CID, kith://CID, ipfs://CID or sha256:HEX')
  const [sources, privacy, ttl] = [preferredSources(context), privacyOption(context), ttlOf(context)]
  const client = await context.client()
  return await client.get(content, {
    ...ttl,
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
  { bar, path }: { readonly bar: ProgressBar | undefined; readonly path?: string }
): Promise<void> {
  try {
    if (path !== undefined) await assertFree(path)
    await take(counted(stream, bar))
  } catch (error) {
    throw context.signal.aborted ? toKithError(context.signal.reason) : error
  } finally {
    stream.close()
    bar?.done()
  }
}

async function getTree(context: CommandContext, path: string, bar: ProgressBar): Promise<void> {
  await assertFree(path)
  const [content = ''] = context.words
  const client = await context.client()
  const [sources, privacy] = [preferredSources(context), privacyOption(context)]
  const began = performance.now()
  const report = await client
    .call(
      'content.get',
      {
        content,
        path,
        ...ttlOf(context),
        ...(sources === undefined ? {} : { preferredSources: sources }),
        // Asked once as private, nothing of it may be asked as anything else.
        ...(privacy === undefined ? {} : { metadata: { privacy } })
      },
      { signal: context.signal, onProgress: shownOn(bar) }
    )
    .finally(() => bar.done())
  context.print(report, () => printable(path))
  summarize(context, report, { bytes: report.size, ms: performance.now() - began })
  if (report.skipped !== undefined) context.note(`left out (symbolic links): ${report.skipped.length}`)
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

async function* counted({ body, length, report }: ContentStream, bar: ProgressBar | undefined): AsyncGenerator<Uint8Array> {
  const source = report === undefined ? undefined : sourceName(report.source)
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.byteLength
    bar?.update(bytes, length, source)
    yield chunk
  }
}

/** The last word of a path below a root, else the name that is known for the content, else its CID. */
async function targetName(context: CommandContext, { name, cid }: { readonly name?: string; readonly cid: string }): Promise<string> {
  const [content = ''] = context.words
  return safeName(wordsOfAddress(content).last ?? name ?? (await recordedName(context))) ?? cid
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
