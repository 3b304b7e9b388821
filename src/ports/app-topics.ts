/** Topics of apps as gossip carries them: joined and left while the host runs. Names are those of apps, without the prefix of the wire. */
import type { Bytes } from '../model/units.ts'

/** A message of another node. `from` signed it; what it says is believed by nobody here. */
export interface AppMessage {
  readonly from: string
  readonly data: Uint8Array
}

export interface AppTopics {
  /** Largest message gossip carries. */
  readonly bytesMax: Bytes
  /** One receiver a topic. @returns how to leave it */
  join(name: string, receive: (message: AppMessage) => void): () => void
  /** Needs no joining. @returns how many peers it went to at once; those pass it on */
  publish(name: string, data: Uint8Array): Promise<number>
}
