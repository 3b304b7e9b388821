/** Every call that can wait takes these last. */
export interface AbortOptions {
  readonly signal?: AbortSignal | undefined
}
