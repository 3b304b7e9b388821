/** Waits for what other parts do by themselves: looks once in each turn of the event loop. Mocha's limit ends it. */
export async function until(isSo: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await isSo()))
    await new Promise(resolve => {
      setImmediate(resolve)
    })
}
