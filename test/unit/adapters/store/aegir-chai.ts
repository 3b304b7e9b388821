/**
 * `interface-blockstore-tests` asks for `aegir/chai`, a toolchain of 1,000 packages, for a dozen assertions. This
 * maps that name to those assertions over node:assert. Import it before the suite.
 */
import assert from 'node:assert/strict'
import { registerHooks } from 'node:module'
import { CID } from 'multiformats/cid'

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === 'aegir/chai' ? { url: import.meta.url, shortCircuit: true } : next(specifier, context)
})

/** Words that only make sentences. */
class Assertion {
  readonly #actual: unknown
  constructor(actual: unknown) {
    this.#actual = actual
  }

  get to(): this {
    return this
  }
  get be(): this {
    return this
  }
  get have(): this {
    return this
  }
  get of(): this {
    return this
  }
  get with(): this {
    return this
  }
  get that(): this {
    return this
  }
  get deep(): Pick<Assertion, 'equal'> {
    return {
      equal: expected => {
        assert.deepEqual(comparable(this.#actual), comparable(expected))
      }
    }
  }
  get eventually(): Eventually {
    return new Eventually(this.#actual)
  }

  equal(expected: unknown): void {
    assert.equal(this.#actual, expected)
  }
  true(): void {
    assert.equal(this.#actual, true)
  }
  false(): void {
    assert.equal(this.#actual, false)
  }
  ok(): void {
    assert.ok(this.#actual)
  }
  include(text: string): void {
    assert.ok(String(this.#actual).includes(text), `"${String(this.#actual)}" lacks "${text}"`)
  }
  lengthOf(length: number): void {
    this.property('length').equal(length)
  }
  property(name: string, ...expected: unknown[]): Assertion {
    const value: unknown = Object(this.#actual)[name]
    if (expected.length > 0) assert.deepEqual(value, expected[0])
    return new Assertion(value)
  }
}

/** The same words about what a promise becomes. */
class Eventually {
  readonly #promise: unknown
  constructor(promise: unknown) {
    this.#promise = promise
  }

  get to(): this {
    return this
  }
  get be(): this {
    return this
  }
  get deep(): { equal(expected: unknown): Promise<void> } {
    return {
      equal: async expected => {
        expect(await this.#promise).to.deep.equal(expected)
      }
    }
  }

  get rejected(): RejectedProperty {
    return new RejectedProperty(rejectionOf(this.#promise))
  }
}

class RejectedProperty {
  readonly #error: Promise<unknown>
  constructor(error: Promise<unknown>) {
    this.#error = error
  }

  get with(): this {
    return this
  }
  property(name: string, ...expected: unknown[]): PromiseLike<void> & { readonly that: { include(text: string): Promise<void> } } {
    const checked = this.#error.then(error => expect(error).to.have.property(name, ...expected))
    return Object.assign(
      checked.then(() => {}),
      {
        that: {
          include: async (text: string) => {
            ;(await checked).include(text)
          }
        }
      }
    )
  }
}

async function rejectionOf(promise: unknown): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  assert.fail('it did not reject')
}

/** CIDs carry caches that differ; bytes come as any kind of byte array. */
function comparable(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value]
  if (Array.isArray(value)) return value.map(comparable)
  if (typeof value !== 'object' || value === null) return value
  const cid = CID.asCID(value)
  if (cid !== null) return cid.toString()
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, comparable(inner)]))
}

export function expect(actual: unknown): Assertion {
  return new Assertion(actual)
}
