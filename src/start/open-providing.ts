/** Tells IPFS of what is public here, through whichever way to IPFS there is. */
import { systemClock as clock } from '../adapters/system/clock.ts'
import { systemRandom as random } from '../adapters/system/random.ts'
import { publicClassOf } from '../content/content-class.ts'
import type { Library } from '../content/library.ts'
import { Providing } from '../content/providing.ts'
import { carOf } from '../dag/car.ts'
import { KithError } from '../errors.ts'
import type { ContentRouting } from '../ports/content-routing.ts'
import type { Start } from './start.ts'

/** @returns undefined when there is nobody to tell */
export function openProviding(
  { config, log, parts }: Start,
  { library, routing }: { readonly library: Library; readonly routing: ContentRouting | undefined }
): Providing | undefined {
  if (routing === undefined) return undefined
  const { preferP2P, preferIPFS } = config.p2pIpfs
  const { records, blocks } = library.realms.public
  const providing = new Providing(
    {
      clock,
      random,
      log,
      routing,
      records,
      car: (root, options) =>
        carOf(
          root,
          async cid => {
            const block = await blocks.get(cid, options)
            if (block !== undefined) return block
            throw new KithError('UNAVAILABLE', 'a block of a public content is missing; kith verify --repair fetches it again')
          },
          options
        )
    },
    {
      mayWait: record => {
        const decides = publicClassOf(record, clock.now())
        return preferP2P.includes(decides) && !preferIPFS.includes(decides)
      }
    }
  )
  providing.start()
  parts.defer(async () => {
    await providing.close()
  })
  return providing
}
