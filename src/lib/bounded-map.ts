/** A map that forgets the key written longest ago when it would grow beyond its bound. In memory only. */
export class BoundedMap<V> {
  readonly #map = new Map<string, V>()
  readonly #max: number
  readonly #onForgotten: (key: string) => void

  /** `onForgotten` is told of each key that made room, not of those deleted. */
  constructor(max: number, onForgotten: (key: string) => void = () => {}) {
    this.#max = max
    this.#onForgotten = onForgotten
  }

  get size(): number {
    return this.#map.size
  }

  get(key: string): V | undefined {
    return this.#map.get(key)
  }

  /** Oldest first. */
  values(): IterableIterator<V> {
    return this.#map.values()
  }

  set(key: string, value: V): void {
    this.#map.delete(key)
    this.#map.set(key, value)
    if (this.#map.size <= this.#max) return
    const [oldest] = this.#map.keys()
    if (oldest === undefined) return
    this.#map.delete(oldest)
    this.#onForgotten(oldest)
  }

  delete(key: string): boolean {
    return this.#map.delete(key)
  }
}
