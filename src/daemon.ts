/**
 * The composition root: builds every part in written order, stops them in reverse, unwinds a start that fails.
 * Holds no logic of its own; whoever wants to know who talks to whom reads this file and the two halves of a node in `start/`.
 */
import { join } from 'node:path'
import { guardedFiles } from './adapters/files/local-files.ts'
import { openRealmStore } from './adapters/store/realm-store.ts'
import { systemClock as clock } from './adapters/system/clock.ts'
import { isNewHome, prepareHome, socketPath } from './adapters/system/home.ts'
import { loadIdentity } from './adapters/system/identity-file.ts'
import { lockHome } from './adapters/system/lock.ts'
import { qrText } from './adapters/system/qr.ts'
import { systemRandom as random } from './adapters/system/random.ts'
import { openKeyedDigest } from './adapters/system/small-files.ts'
import { removeStaleSocket } from './adapters/system/stale-socket.ts'
import type { Config } from './config/schema.ts'
import { Library } from './content/library.ts'
import type { ContentRef } from './model/content-id.ts'
import type { Realm } from './model/privacy.ts'
import type { Ms } from './model/units.ts'
import { EventBus } from './observe/events.ts'
import { HealthBoard } from './observe/health.ts'
import type { RootLog } from './ports/log.ts'
import type { RealmStore } from './ports/record-store.ts'
import { openAccess } from './rpc/access.ts'
import { startRpcServer } from './rpc/server.ts'
import { buildServices } from './services/build-services.ts'
import { disown as disownContent } from './content/recorder.ts'
import type { Disown } from './rpc/scoped-content.ts'
import { contentFacts, type KnownContent } from './services/content-facts.ts'
import { inPart } from './start/in-part.ts'
import { openDirect } from './start/open-direct.ts'
import { openHost } from './start/open-host.ts'
import { openOutside } from './start/open-outside.ts'
import { openPeople } from './start/open-people.ts'
import { openProviding } from './start/open-providing.ts'
import type { Start } from './start/start.ts'
import { watchHealth } from './start/watch-health.ts'
import { VERSION } from './version.ts'

/**
 * Running calls get this long to end when the daemon stops; then they are cut, so that all the rest fits into the ten
 * seconds that service managers commonly allow.
 */
const DRAIN_MS: Ms = 3_000

export interface DaemonOptions {
  readonly home: string
  readonly config: Config
  /** The configuration as written, secrets masked. */
  readonly shown: Readonly<Record<string, unknown>>
  readonly log: RootLog
  /** A home that has lost its key gets another one; else it does not start. */
  readonly newIdentity?: boolean
}

export interface Daemon {
  readonly ready: {
    readonly socketPath: string
    readonly peerId: string
    readonly did: string
    readonly addresses: readonly string[]
    readonly http: string | null
  }
  /** Whether no daemon ran in this home before: its operator may want to know who can see it. */
  readonly isFirstStart: boolean
  /** Resolves when everything is closed, whoever asked for it. */
  readonly stopped: Promise<void>
  stop(): Promise<void>
}

/** @throws KithError START_FAILED and others naming the part and the cause; nothing stays open then */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const parts = new AsyncDisposableStack()
  try {
    return await start(options, parts)
  } catch (error) {
    await parts.disposeAsync()
    throw error
  }
}

async function start(
  { home: wanted, config, shown, log, newIdentity = false }: DaemonOptions,
  parts: AsyncDisposableStack
): Promise<Daemon> {
  const home = await prepareHome(wanted)
  const step: Start = { home, config, log, parts }
  const socket = socketPath(home, config.api.socket)
  parts.use(await inPart('the lock of the home', async () => await lockHome(home)))
  const isFirstStart = await isNewHome(home)
  await inPart('the control socket', async () => await removeStaleSocket(socket))
  const { identity, privateKey } = await inPart('the identity', async () => await loadIdentity(home, { newIdentity }))
  const events = new EventBus({ clock })
  const health = new HealthBoard({ events })
  const watch = await watchHealth(step, health)
  const library = await inPart('the store', async () => await openLibrary(step))
  watch.watchStore(() => library.damage())
  const onDuplicateIdentity = (): void => watch.identityIsDuplicate()
  const onPortTaken = (taken: { readonly address: string; readonly port: number }): void => watch.portHasChanged(taken)
  const onClockSkew = (ms: Ms): void => watch.clockIsAhead(ms)
  const host = await inPart('the network', async () => await openHost(step, { privateKey, onDuplicateIdentity, onPortTaken }))
  const people = await inPart('what is known of peers', async () => await openPeople(step, { host, identity }))
  host.follow(people.standing)
  const direct = await inPart(
    'the network',
    async () => await openDirect(step, { library, host, identity, events, people, onDuplicateIdentity, onClockSkew })
  )
  const outside = await inPart('IPFS', async () => await openOutside(step, { library, host, ...people, ...direct }))
  direct.serving.useIpfs(outside.ipfs?.source)
  const providing = openProviding(step, { library, routing: outside.ipfs?.routing })
  const stopped = Promise.withResolvers<void>()
  const stop = async (): Promise<void> => {
    await parts.disposeAsync()
    stopped.resolve()
  }
  const files = await guardedFiles(home)
  const services = buildServices(
    { clock, random, files, library, host, identity, events, health, watch, log, providing, people, qr: qrText, ...direct, ...outside },
    {
      version: VERSION,
      config,
      shown,
      stop: () => {
        void stop()
      }
    }
  )
  const control = openAccess({ ...config.access, clock })
  const facts = async (content: ContentRef): Promise<KnownContent | undefined> => await contentFacts(library, content)
  const disown: Disown = async (content, by, force) => await disownContent(library, content, by, force)
  const rpc = await startRpcServer({ services, log, clock, access: { control, facts, disown } }, { socketPath: socket })
  parts.defer(async () => {
    await rpc.stop({ signal: AbortSignal.timeout(DRAIN_MS) })
  })
  return {
    ready: { socketPath: socket, peerId: identity.peerId, did: identity.did, addresses: host.addresses(), http: null },
    isFirstStart,
    stopped: stopped.promise,
    stop
  }
}

async function openLibrary({ home, config, log, parts }: Start): Promise<Library> {
  const open = async (realm: Realm, maxBytes: number): Promise<RealmStore> =>
    parts.use(
      await openRealmStore({ clock, log }, { directory: join(home, 'store', realm), realm, maxBytes, reserveShare: config.storage.reserve })
    )
  const realms = { public: await open('public', 0), cache: await open('cache', config.cache.maxBytes), own: await open('own', 0) }
  return new Library({ realms, keyedDigest: await openKeyedDigest(home) })
}
