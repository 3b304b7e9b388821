/** `kith explain`: what `kith get` would do with a content, and why. */
import type { CommandContext } from './command.ts'
import { explanationText } from './explanation.ts'
import { preferredSources, privacyOption, waitSignal } from './search-options.ts'

/** Where no terminal says how wide it is. Columns. */
const COLUMNS_USUAL = 80

export async function explain(context: CommandContext): Promise<void> {
  const [content = ''] = context.words
  const [sources, privacy] = [preferredSources(context), privacyOption(context)]
  const client = await context.client()
  const explanation = await client.call(
    'route.explain',
    {
      content,
      ...(sources === undefined ? {} : { preferredSources: sources }),
      ...(privacy === undefined ? {} : { metadata: { privacy } })
    },
    { signal: waitSignal(context) }
  )
  context.print(explanation, () => explanationText(explanation, context.io.stdout.columns ?? COLUMNS_USUAL))
}
