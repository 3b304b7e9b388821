/**
 * One large answer at a time on a connection, and only while its client reads: megabytes stay as they are until
 * there is somewhere for them to go.
 */
export class AnswerRoom<Call> {
  readonly #isBlocked: () => boolean
  readonly #onHeld: (count: number) => void
  readonly #waiting = new Map<Call, () => void>()
  #holder: Call | undefined

  /** `onHeld` is told how many answers (0 or 1) are being made. */
  constructor(init: { readonly isBlocked: () => boolean; readonly onHeld: (count: number) => void }) {
    this.#isBlocked = init.isBlocked
    this.#onHeld = init.onHeld
  }

  /** Resolves when `call` may make its answer; it holds the room until {@link leave}. */
  async enter(call: Call): Promise<void> {
    await new Promise<void>(resolve => {
      this.#waiting.set(call, resolve)
      this.resume()
    })
  }

  leave(call: Call): void {
    if (this.#holder !== call) return
    this.#holder = undefined
    this.#onHeld(0)
  }

  /** Its client gave it up: it need not wait, and gets nothing. */
  giveUp(call: Call): void {
    this.#waiting.get(call)?.()
    this.#waiting.delete(call)
  }

  /** Lets the next one in, if there is room. */
  resume(): void {
    if (this.#holder !== undefined || this.#isBlocked()) return
    const [next] = this.#waiting
    if (next === undefined) return
    const [call, enter] = next
    this.#waiting.delete(call)
    this.#holder = call
    this.#onHeld(1)
    enter()
  }
}
