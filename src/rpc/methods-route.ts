/** The methods `route.*`: what a `get` would do and why, without doing it. */
import { z } from 'zod'
import { method } from './method.ts'
import { builtPrivacy } from './methods-content.ts'
import * as s from './schemas.ts'
import type { RouteCandidate, RouteExplanation, RouteParams } from './services-people.ts'

const params = {
  content: s.content,
  preferredSources: s.preferredSources.exactOptional(),
  metadata: z
    .strictObject({ privacy: s.privacyParam.exactOptional(), size: s.bytes.exactOptional(), contentType: s.contentType.exactOptional() })
    .exactOptional()
    .describe('what the caller knows already')
}

const candidate = z.object({
  stage: s.stage,
  peer: z.string().optional(),
  did: z.string().optional(),
  name: z.string().optional().describe('what the operator calls it'),
  url: z.string().optional(),
  eligible: z.boolean(),
  reason: z.string().optional().describe('why it is not asked'),
  note: z.string().optional().describe('the reason in words'),
  claim: z.enum(['yes', 'no', 'unknown']),
  access: z.number(),
  trust: z.number(),
  score: z.number().describe('larger is asked earlier; comparable within one answer only'),
  terms: z.record(z.string(), z.number()).describe('what the score is made of: points, or milliseconds where expectedMs is given'),
  expectedMs: z.number().nullable().describe('expected time to the verified content')
})

const explanation = z.object({
  content: z.string(),
  privacy: z.object({ public: z.boolean(), class: s.privacyClass, reason: s.privacyReason }),
  classes: z.array(z.string()),
  stages: z.array(
    z.object({
      stage: s.stage,
      startsAfterMs: z
        .number()
        .nullable()
        .describe('since the search began, without a verified byte; it also joins an earlier one that is slow; null: not asked'),
      reason: z.string().optional()
    })
  ),
  candidates: z.array(candidate)
})

export const routeMethods = {
  'route.explain': method({
    access: 'read',
    doc: 'What content.get would do and why, without doing it: privacy, stages, and every candidate in the order in which it would be asked. Large requests go so; of the small ones about one in a hundred for each peer begins with another of its kind.',
    params,
    large: true,
    result: explanation,
    run: async ({ route }, given, { signal }): Promise<RouteExplanation> => await route.explain(routeParams(given), { signal })
  }),
  'route.best': method({
    access: 'read',
    doc: 'The candidate that content.get would ask first; null if there is none.',
    params,
    result: candidate.nullable(),
    run: async ({ route }, given, { signal }): Promise<RouteCandidate | null> => await route.best(routeParams(given), { signal })
  })
}

function routeParams({ metadata, ...rest }: z.output<z.ZodObject<typeof params>>): RouteParams {
  if (metadata === undefined) return rest
  const { privacy, ...facts } = metadata
  return { ...rest, metadata: { ...facts, ...builtPrivacy(privacy) } }
}
