/** Which media types may be put here (`limits.allowedTypes`). */
import { KithError } from '../errors.ts'

/** What content without a declared type counts as (RFC 9110 §8.3). */
const UNDECLARED = 'application/octet-stream'

/**
 * @param allowed `image/png`, or `image/*` for all of a kind; empty: everything
 * @param contentType as declared, parameters such as `;charset=utf-8` included
 * @throws INVALID_PARAMS naming what is allowed
 */
export function assertAllowedType(allowed: readonly string[], contentType: string | undefined): void {
  if (allowed.length === 0) return
  const [declared = ''] = (contentType ?? UNDECLARED).toLowerCase().split(';')
  const type = declared.trim()
  const [kind, sub] = type.split('/')
  if (allowed.includes(type) || (sub !== undefined && allowed.includes(`${kind}/*`))) return
  throw new KithError(
    'INVALID_PARAMS',
    `content of type ${type} is not taken here: limits.allowedTypes names ${allowed.join(', ')}. Content without a declared type counts as ${UNDECLARED}.`,
    { contentType: type, allowedTypes: allowed }
  )
}
