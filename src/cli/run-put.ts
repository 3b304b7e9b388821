/** `kith put`: files and directories by their path, standard input as a stream. */
import { stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { KithError } from '../errors.ts'
import type { PutParams, PutResult } from '../rpc/services.ts'
import { usage } from './arguments.ts'
import { shownOn } from './attempts.ts'
import type { CommandContext } from './command.ts'
import type { ProgressBar } from './progress.ts'
import { privacyOption, textOption, waitSignal } from './search-options.ts'
import { formatBytes } from './text.ts'

export async function put(context: CommandContext): Promise<void> {
  const [what = ''] = context.words
  const params = paramsOf(context)
  const bar = context.progress(what === '-' ? 'standard input' : basename(resolve(context.io.cwd, what)))
  const result = await (what === '-' ? putStdin(context, params, bar) : putPath(context, { what, params }, bar)).finally(() => bar.done())
  context.print(result, () => result.uri)
  if (context.io.stderr.isTTY === true)
    context.note(
      `${formatBytes(result.size)} in ${result.blocks} blocks, ${result.newBlocks} of them new; ${result.privacy}${result.pinned ? ', pinned' : ''}`
    )
  if (result.skipped !== undefined && result.skipped.length > 0) context.note(`left out (no regular files): ${result.skipped.length}`)
  if (textOption(context, 'privacy') !== 'public' && result.privacy === 'public') context.note('these bytes are public here already')
}

async function putStdin(context: CommandContext, params: PutParams, bar: ProgressBar): Promise<PutResult> {
  const client = await context.client()
  return await client.put(counted(context.io.stdin, bar), params, { signal: waitSignal(context) })
}

async function putPath(
  context: CommandContext,
  { what, params }: { readonly what: string; readonly params: PutParams },
  bar: ProgressBar
): Promise<PutResult> {
  const path = resolve(context.io.cwd, what)
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ENOENT'
      ? usage(`there is no file ${path}`)
      : new KithError('UNAVAILABLE', `${path} cannot be read: ${error.message}`)
  })
  const client = await context.client()
  const onProgress = shownOn(bar, found.isFile() ? found.size : undefined)
  return await client.call('content.put', { path, name: basename(path), ...params }, { signal: waitSignal(context), onProgress })
}

function paramsOf(context: CommandContext): PutParams {
  const [name, type, contentType] = ['name', 'type', 'content-type'].map(option => textOption(context, option))
  const privacy = privacyOption(context)
  return {
    ...(name === undefined ? {} : { name }),
    ...(type === undefined ? {} : { type }),
    ...(contentType === undefined ? {} : { contentType }),
    ...(privacy === undefined ? {} : { privacy }),
    ...(context.options['no-pin'] === true ? { pin: false } : {})
  }
}

async function* counted(input: AsyncIterable<unknown>, bar: ProgressBar): AsyncGenerator<Uint8Array> {
  let bytes = 0
  for await (const chunk of input) {
    const part = chunk instanceof Uint8Array ? chunk : Buffer.from(String(chunk))
    bytes += part.byteLength
    bar.update(bytes)
    yield part
  }
}
