/** Addresses of public content to hand out. Asks nobody. */
import type { CID } from 'multiformats/cid'
import { contentUri, toV1 } from '../model/content-id.ts'

export interface LinkRequest {
  readonly root: CID
  readonly path: readonly string[]
  /** What a browser calls it. */
  readonly filename?: string | undefined
  /** The browser saves it instead of showing it. */
  readonly download?: boolean | undefined
}

export interface Link {
  /** `ipfs://CID[/path]`. */
  readonly uri: string
  /** One URL for each gateway, in their order. */
  readonly gateways: readonly string[]
}

/**
 * @param gateways base URLs, or templates with `{cid}`; `filename` and `download` as the path gateway specification
 * has them (https://specs.ipfs.tech/http-gateways/path-gateway/#request-query-parameters)
 */
export function linkTo({ root, path, filename, download }: LinkRequest, gateways: readonly string[]): Link {
  const below = path.map(segment => `/${encodeURIComponent(segment)}`).join('')
  const query = new URLSearchParams()
  if (filename !== undefined) query.set('filename', filename)
  if (download === true) query.set('download', 'true')
  const tail = `${below}${query.size === 0 ? '' : `?${query.toString()}`}`
  return { uri: `${contentUri(root, true)}${below}`, gateways: gateways.map(gateway => `${baseOf(gateway, root)}${tail}`) }
}

function baseOf(gateway: string, root: CID): string {
  const cid = toV1(root).toString()
  const url = gateway.includes('{cid}') ? gateway.replaceAll('{cid}', cid) : `${trimmed(gateway)}/ipfs/${cid}`
  return trimmed(url)
}

function trimmed(url: string): string {
  return url.replace(/\/+$/, '')
}
