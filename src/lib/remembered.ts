/** Answers of a pure function that are asked for again and again. In memory, bounded: the oldest is forgotten. */

/** @param max - answers kept */
export function remembered<V>(work: (key: string) => V, max: number): (key: string) => V {
  const answers = new Map<string, V>()
  return key => {
    const known = answers.get(key)
    if (known !== undefined) return known
    const answer = work(key)
    answers.set(key, answer)
    const [oldest] = answers.keys()
    if (answers.size > max && oldest !== undefined) answers.delete(oldest)
    return answer
  }
}
