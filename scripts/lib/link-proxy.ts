/**
 * Gives each node of a network on one machine its own link to all others: a TCP proxy in this process. A *door* is a
 * port behind which one node is; whoever dials it reaches that node over its link (and over the dialler's, if named).
 * Links can be changed, held and cut while they are in use.
 */
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Bytes } from '../../src/model/units.ts'
import type { Clock } from '../../src/ports/clock.ts'
import { LinkLane, type LinkTerms } from './link-lane.ts'
import { LinkPipe } from './link-pipe.ts'

const LOOPBACK = '127.0.0.1'

interface Link {
  readonly up: LinkLane
  readonly down: LinkLane
  readonly sockets: Set<Socket>
  readonly carried: { up: Bytes; down: Bytes }
  isCut: boolean
}

/** The port behind which a node is. It is open before the node is, so that the node can be told its own address. */
export interface Door {
  readonly port: number
  /** Where the node listens; until then whoever dials is hung up on. */
  lead(listening: number): void
}

export class LinkProxy implements AsyncDisposable {
  readonly #clock: Clock
  readonly #links = new Map<string, Link>()
  readonly #servers = new Set<Server>()

  constructor({ clock }: { readonly clock: Clock }) {
    this.#clock = clock
  }

  /** Makes or changes the link of a node; connections over it stay. */
  setLink(name: string, terms: LinkTerms): void {
    const { up, down } = this.#link(name)
    up.set(terms)
    down.set(terms)
  }

  /** Nothing passes in either direction until {@link release}; nothing is lost, and nobody is told. */
  hold(name: string): void {
    const { up, down } = this.#link(name)
    up.hold()
    down.hold()
  }
  release(name: string): void {
    const { up, down } = this.#link(name)
    up.release()
    down.release()
  }

  /** Ends all its connections, and every new one, until {@link mend}. */
  cut(name: string): void {
    const link = this.#link(name)
    link.isCut = true
    for (const socket of link.sockets) socket.resetAndDestroy()
  }
  mend(name: string): void {
    this.#link(name).isCut = false
  }

  /** Bytes the node has sent and received so far. */
  carried(name: string): { readonly up: Bytes; readonly down: Bytes } {
    return { ...this.#link(name).carried }
  }

  connections(name: string): number {
    return this.#link(name).sockets.size
  }

  /** @param names `to`: the node behind the door; `from`: the only one who dials it, if its link counts as well */
  async open({ to, from }: { readonly to: string; readonly from?: string }): Promise<Door> {
    const links = [this.#link(to), ...(from === undefined ? [] : [this.#link(from)])]
    const [target, dialler] = links
    let port: number | undefined
    // Either side may end its direction and go on reading.
    const server = createServer({ allowHalfOpen: true, noDelay: true }, socket => {
      if (port === undefined || target === undefined || links.some(({ isCut }) => isCut)) socket.destroy()
      else this.#join(socket, connect({ port, host: LOOPBACK, allowHalfOpen: true, noDelay: true }), target, dialler)
    })
    this.#servers.add(server)
    server.listen(0, LOOPBACK)
    await once(server, 'listening')
    return {
      port: portOf(server),
      lead: listening => {
        port = listening
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of this.#links.keys()) this.cut(name)
    await Promise.all(
      [...this.#servers].map(async server => {
        const closed = once(server, 'close')
        server.close()
        await closed
      })
    )
  }

  #join(near: Socket, far: Socket, target: Link, dialler: Link | undefined): void {
    const links = dialler === undefined ? [target] : [target, dialler]
    const sockets = [near, far]
    const breakOff = (): void => {
      for (const socket of sockets) socket.resetAndDestroy()
    }
    for (const link of links) link.sockets.add(near)
    for (const socket of sockets)
      socket.on('error', breakOff).on('close', () => {
        // One that closes in good order may leave bytes that are still on their way to the other.
        if (!socket.readableEnded) breakOff()
        if (sockets.every(({ destroyed }) => destroyed)) for (const link of links) link.sockets.delete(near)
      })
    const inbound = (bytes: Bytes): void => {
      target.carried.down += bytes
      if (dialler !== undefined) dialler.carried.up += bytes
    }
    const outbound = (bytes: Bytes): void => {
      target.carried.up += bytes
      if (dialler !== undefined) dialler.carried.down += bytes
    }
    const clock = this.#clock
    const there = [...(dialler === undefined ? [] : [dialler.up]), target.down]
    const back = [target.up, ...(dialler === undefined ? [] : [dialler.down])]
    const pipes = [
      new LinkPipe({ clock, from: near, to: far, lanes: there, onBytes: inbound }),
      new LinkPipe({ clock, from: far, to: near, lanes: back, onBytes: outbound })
    ]
    Promise.all(pipes.map(async pipe => await pipe.run())).catch(breakOff)
  }

  #link(name: string): Link {
    const found = this.#links.get(name)
    if (found !== undefined) return found
    const { up, down } = { up: new LinkLane({ clock: this.#clock }), down: new LinkLane({ clock: this.#clock }) }
    const link = { up, down, sockets: new Set<Socket>(), carried: { up: 0, down: 0 }, isCut: false }
    this.#links.set(name, link)
    return link
  }
}

function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the proxy does not listen')
  return address.port
}
