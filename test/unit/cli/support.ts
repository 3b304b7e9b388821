/** The terminal of a `kith` command in a test. */
import { PassThrough, Readable, Writable } from 'node:stream'
import { main } from '../../../src/cli/main.ts'
import type { Output } from '../../../src/cli/command.ts'
import type { Clock } from '../../../src/ports/clock.ts'

export interface CliResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface CliOptions {
  readonly home: string
  readonly cwd?: string
  readonly stdin?: string | Uint8Array
  readonly env?: Record<string, string>
  readonly signal?: AbortSignal
  readonly isTTY?: boolean
  readonly clock?: Clock
  /** Called with everything that is printed. */
  readonly onStdout?: (text: string) => void
  readonly onStderr?: (text: string) => void
}

export async function kith(argv: readonly string[], options: CliOptions): Promise<CliResult> {
  const out = collector(false, options.onStdout)
  const err = collector(options.isTTY ?? false, options.onStderr)
  const stdin = options.stdin === undefined ? new PassThrough().end() : Readable.from([Buffer.from(options.stdin)])
  const io = {
    stdin,
    stdout: out.stream,
    stderr: err.stream,
    signal: options.signal ?? new AbortController().signal,
    cwd: options.cwd ?? options.home,
    ...(options.clock === undefined ? {} : { clock: options.clock })
  }
  const code = await main(argv, { KITH_HOME: options.home, ...options.env }, io)
  return { code, stdout: out.text(), stderr: err.text() }
}

function collector(isTTY: boolean, onText: (text: string) => void = () => {}): { readonly stream: Output; readonly text: () => string } {
  const parts: Buffer[] = []
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      parts.push(chunk)
      done()
      onText(chunk.toString())
    }
  })
  return { stream: Object.assign(stream, { isTTY, columns: 100 }), text: () => Buffer.concat(parts).toString('utf8') }
}
