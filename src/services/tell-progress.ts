/** Tells a caller how far a retrieval is, as it goes on. */
import type { Retrieval } from '../retrieval/retrieval.ts'
import type { ProgressOptions } from '../rpc/services.ts'

export async function tellProgress(retrieval: Retrieval, { onProgress }: ProgressOptions): Promise<void> {
  if (onProgress === undefined) return
  const { session } = retrieval
  while (!session.isDone && session.failure === undefined) {
    await session.changed()
    const source = retrieval.deliverer
    const total = session.rootNode?.size
    onProgress({
      bytes: session.localBytes + session.receivedBytes,
      ...(total === undefined || total === 0 ? {} : { total }),
      ...(source === undefined ? {} : { source })
    })
  }
}
