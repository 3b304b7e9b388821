/** Answers of a pure function that are asked for again and again. In memory, bounded: the oldest is forgotten. */
import { BoundedMap } from './bounded-map.ts'

/** @param max - answers kept */
export function remembered<V>(work: (key: string) => V, max: number): (key: string) => V {
  const answers = new BoundedMap<V>(max)
  return key => {
    const known = answers.get(key)
    if (known !== undefined) return known
    const answer = work(key)
    answers.set(key, answer)
    return answer
  }
}
