/**
 * What an operator should know or do: conditions that parts raise and take back. `status` and `doctor` show them, and
 * each change is an event. In memory only: a part that still has the problem after a restart raises it again.
 */
import type { EventBus } from './events.ts'

export interface HealthCondition {
  /** UPPER_SNAKE, fixed: programs match on it. */
  readonly code: string
  readonly severity: 'warning' | 'error'
  /** One sentence: what is wrong and what to do. */
  readonly title: string
}

export class HealthBoard {
  readonly #events: EventBus
  readonly #conditions = new Map<string, HealthCondition>()

  constructor(components: { readonly events: EventBus }) {
    this.#events = components.events
  }

  /** Raises a condition, or changes what it says. Saying the same again is no event. */
  raise(condition: HealthCondition): void {
    const before = this.#conditions.get(condition.code)
    this.#conditions.set(condition.code, condition)
    if (before?.title !== condition.title || before.severity !== condition.severity)
      this.#events.emit('health.changed', { ...condition, active: true })
  }

  clear(code: string): void {
    const before = this.#conditions.get(code)
    if (before === undefined) return
    this.#conditions.delete(code)
    this.#events.emit('health.changed', { ...before, active: false })
  }

  /** Raises or clears, whichever `isActive` says. */
  set(isActive: boolean, condition: HealthCondition): void {
    if (isActive) this.raise(condition)
    else this.clear(condition.code)
  }

  list(): readonly HealthCondition[] {
    return [...this.#conditions.values()]
  }
}
