/** A map that forgets the key written longest ago when it would grow beyond its bound. In memory only. */
export class BoundedMap<V> {
  readonly #map = new Map<string, V>()
  readonly #max: number

  constructor(max: number) {
    this.#max = max
  }

  get size(): number {
    return this.#map.size
  }

  get(key: string): V | undefined {
    return this.#map.get(key)
  }

  set(key: string, value: V): void {
    this.#map.delete(key)
    this.#map.set(key, value)
    if (this.#map.size <= this.#max) return
    const [oldest] = this.#map.keys()
    if (oldest !== undefined) this.#map.delete(oldest)
  }

  delete(key: string): boolean {
    return this.#map.delete(key)
  }
}
