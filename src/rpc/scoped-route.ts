/** The routes as one token sees them: of what it may not see, the route of what does not exist here. */
import type { AccessToken } from './access.ts'
import { View } from './scoped-content.ts'
import type { ScopedContentComponents } from './scoped-content.ts'
import type { RouteServices } from './services-people.ts'

export function scopedRoute(route: RouteServices, parts: ScopedContentComponents, token: AccessToken): RouteServices {
  const view = new View(parts, token)
  const by = token.name
  return {
    explain: async (params, options) =>
      await view.fetching(params.content, async (content, restored) => {
        const explanation = await route.explain({ ...params, content, by }, options)
        return { ...explanation, content: restored(explanation.content) }
      }),
    best: async (params, options) =>
      await view.fetching(params.content, async content => await route.best({ ...params, content, by }, options))
  }
}
