/** A helper program of the benchmarks in a process of its own, called by name over Node's IPC channel. */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** A call that takes longer has hung. Milliseconds. */
const CALL_MS_MAX = 120_000

interface Answer {
  readonly id: number
  readonly value?: string
  readonly error?: string
}

export class PeerProcess implements AsyncDisposable {
  readonly #child: ChildProcess
  #calls = 0

  /** @param script file name in this folder */
  constructor(script: string) {
    this.#child = fork(fileURLToPath(new URL(script, import.meta.url)), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    this.#child.setMaxListeners(0)
  }

  async call(method: string, ...args: readonly string[]): Promise<string> {
    const id = ++this.#calls
    const late = AbortSignal.timeout(CALL_MS_MAX)
    const answered = Promise.withResolvers<string>()
    const onMessage = (message: unknown): void => {
      const { id: answerId, value, error } = message as Answer
      if (answerId !== id) return
      if (error === undefined) answered.resolve(value ?? '')
      else answered.reject(new Error(`${method}: ${error}`))
    }
    const onExit = (): void => answered.reject(new Error(`${method}: the helper process ended`))
    const onLate = (): void => answered.reject(new Error(`${method}: no answer within ${CALL_MS_MAX} ms`))
    this.#child.on('message', onMessage)
    this.#child.on('exit', onExit)
    late.addEventListener('abort', onLate)
    try {
      this.#child.send({ id, method, args })
      return await answered.promise
    } finally {
      this.#child.off('message', onMessage)
      this.#child.off('exit', onExit)
      late.removeEventListener('abort', onLate)
    }
  }

  /** A call whose answer is a figure. */
  async figure(method: string, ...args: readonly string[]): Promise<number> {
    return Number(await this.call(method, ...args))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await ended
  }
}

/** The other end: answers calls until the parent goes away. */
export function serveCalls(handlers: Readonly<Record<string, (...args: string[]) => Promise<string>>>): void {
  process.on('disconnect', () => process.exit())
  process.on('message', (message: { readonly id: number; readonly method: string; readonly args: string[] }) => {
    const run = handlers[message.method]
    const reply = (answer: Answer): void => void process.send?.(answer)
    if (run === undefined) reply({ id: message.id, error: 'no such method' })
    else
      run(...message.args).then(
        value => reply({ id: message.id, value }),
        (error: unknown) => reply({ id: message.id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
      )
  })
}
