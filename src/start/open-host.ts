/** The main host of a node: made first, so that others can register what it speaks, and listening when they have. */
import { makeHost, type Host, type HostComponents } from '../adapters/libp2p/host.ts'
import { PUBLIC_BOOTSTRAP } from '../adapters/libp2p/reachable-addresses.ts'
import { systemClock as clock } from '../adapters/system/clock.ts'
import { recallPorts, rememberPorts } from '../adapters/system/port-file.ts'
import type { Start } from './start.ts'

export interface OpenHostInit {
  readonly privateKey: HostComponents['privateKey']
  /** Told when another node shows this node's own key. */
  readonly onDuplicateIdentity: () => void
  /** Told of an address whose port another process has now. */
  readonly onPortTaken: (taken: { readonly address: string; readonly port: number }) => void
}

/** Made, not listening yet. */
export async function openHost({ home, config, log, parts }: Start, init: OpenHostInit): Promise<Host> {
  const { privateKey, onDuplicateIdentity, onPortTaken } = init
  const { listen, announce, bootstrap, peering, mdns, publicSwarm, maxConnections, relay } = config.network
  const host = await makeHost(
    { log, clock, privateKey },
    {
      listen: await recallPorts({ log, onTaken: onPortTaken }, home, listen),
      announce,
      bootstrap: bootstrap === 'public' ? PUBLIC_BOOTSTRAP : bootstrap,
      peering,
      mdns,
      publicSwarm: config.ipfs.type === 'gateway-only' ? false : publicSwarm,
      dht: config.ipfs.type === 'helia' ? config.ipfs.dht : 'off',
      maxConnections,
      relay,
      onDuplicateIdentity
    }
  )
  parts.defer(async () => {
    await host.stop()
  })
  return host
}

/** From here on peers may come. @throws KithError START_FAILED naming the address that cannot be listened on */
export async function startListening({ home, config }: Start, host: Host): Promise<void> {
  await host.start()
  await rememberPorts(home, config.network.listen, host.listening())
}
