/** `auth.login`: a connection becomes the bearer of a token. */
import { z } from 'zod'
import { TOKEN_CHARACTERS_MAX } from './access.ts'
import { method } from './method.ts'

export const authMethods = {
  'auth.login': method({
    access: 'open',
    doc: 'From now on this connection has the rights of a token, and no others; its event subscriptions end. A failed login leaves it none. Over HTTP: `Authorization: Bearer`.',
    params: { token: z.string().min(1).max(TOKEN_CHARACTERS_MAX).describe('as `kith config token` printed it') },
    result: z.object({ name: z.string(), scopes: z.array(z.string()), expires: z.iso.datetime().optional() }),
    run(_services, { token }, { connection }): { name: string; scopes: string[]; expires?: string } {
      const { scopes, token: facts } = connection.login(token)
      const expires = facts?.expires
      return {
        name: facts?.name ?? '',
        scopes: [...scopes],
        ...(expires === undefined ? {} : { expires: new Date(expires).toISOString() })
      }
    }
  })
}
